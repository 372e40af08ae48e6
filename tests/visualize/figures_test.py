import subprocess
import sys

import numpy as np
import pytest

from dl_condind.visualize import figures


def run_python(code):
  return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
  "module", ["visualize.figures", "visualize.image_figures", "reports.report"]
)
def test_missing_matplotlib_is_one_clear_error(module):
  code = f"import sys; sys.modules['matplotlib'] = None; import dl_condind.{module}"
  last_line = run_python(code).stderr.splitlines()[-1]
  assert "ConfigError" in last_line and "run `pip install matplotlib`, or `pip inst" in last_line


def test_curves_share_axes_and_colours():
  first = {"a": ([0, 1, 2], [3.0, 2.0, 1.0]), "b": ([0, 1, 2], [1.0, 1.0, 1.0])}
  figure = figures.curves({"one": first, "two": {"b": ([0, 5], [2.0, 9.0])}}, "step", "loss")
  left, right = figure.axes
  assert left.get_title() == "one" and left.get_xlabel() == "step"
  assert left.get_xlim() == right.get_xlim() and left.get_ylim() == right.get_ylim()
  np.testing.assert_array_equal(left.lines[0].get_ydata(), [3.0, 2.0, 1.0])
  assert left.lines[1].get_color() == right.lines[0].get_color() != left.lines[0].get_color()
  assert left.lines[0].get_linestyle() != left.lines[1].get_linestyle()
  assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
  assert figures.to_png(figure).startswith(b"\x89PNG")
