import sys

import numpy as np
import pytest

from dl_condind.data.ground_truth import factor_pairs
from dl_condind.utils import errors

# What OpenCV 4.10 and 5.0 alike draw in a grid of 8 x 15 for s = 0.2, in units of 1/255: the scale
# and the orientation of shapes3d, as published code has them. Read row by row.
LINE = """
255 255 223 159 96 32 0 0 0 0 0 0 0 0 0
223 239 239 207 159 96 48 16 0 0 0 0 0 0 0
128 159 207 239 239 207 159 96 48 16 0 0 0 0 0
32 48 96 159 207 239 239 207 159 96 48 16 0 0 0
0 0 16 48 96 159 207 239 239 207 159 96 48 16 0
0 0 0 0 16 48 96 159 207 239 239 207 159 96 64
0 0 0 0 0 0 16 48 96 159 207 239 239 207 191
0 0 0 0 0 0 0 0 32 96 159 223 255 255 255
"""


def joint(kind, sizes, strength):
  weights = np.exp(factor_pairs.KINDS[kind](sizes, strength))
  return weights / weights.sum()


def test_line_is_that_of_published_code():
  expected = np.array([[int(value) for value in row.split()] for row in LINE.strip().split("\n")])
  np.testing.assert_allclose(joint("line", (8, 15), 0.2), expected / expected.sum(), atol=1e-12)


# Computed with the published code's steps under OpenCV 4.10 and 5.0, which agree in every cell.
@pytest.mark.parametrize(
  ("sizes", "correlations"),
  [
    ((8, 15), (0.8571, 0.6927, 0.4220)),
    ((40, 32), (0.9096, 0.7856, 0.4917)),
    ((40, 40), (0.9149, 0.7601, 0.4616)),
    ((10, 8), (0.7730, 0.6274, 0.3270)),
    ((10, 15), (0.8824, 0.7380, 0.4382)),
  ],
)
def test_correlations_of_lines_of_the_published_study(sizes, correlations):
  found = [factor_pairs.pearson(joint("line", sizes, strength)) for strength in (0.2, 0.4, 0.7)]
  np.testing.assert_allclose(found, correlations, atol=5e-5)
  np.testing.assert_array_equal(factor_pairs.line(sizes, 10.0), 0)
  np.testing.assert_array_equal(factor_pairs.line(sizes, 1.0), 0)


@pytest.mark.parametrize("sizes", [(1, 5), (2, 2), (3, 183), (7, 1)])
def test_lines_through_small_grids(sizes):
  found = joint("line", sizes, 0.2)
  # Where a factor has few values the published line ends before the last ones.
  assert found.shape == sizes and found[0, 0] > 0 and found.sum() == pytest.approx(1)


def test_gaussians_are_their_formulas():
  first, second = np.mgrid[:4, :9]
  expected = -((first / 4 - second / 9) ** 2) / (2 * 0.3**2)
  np.testing.assert_allclose(factor_pairs.gaussian((4, 9), 0.3), expected)
  expected = -((first / 3 - second / 8) ** 2) / (2 * 0.3**2)
  np.testing.assert_allclose(factor_pairs.unit_gaussian((4, 9), 0.3), expected)
  np.testing.assert_allclose(factor_pairs.unit_gaussian((1, 3), 0.5), [[0, -0.5, -2]])


def test_a_line_without_opencv_is_one_line(monkeypatch):
  monkeypatch.setitem(sys.modules, "cv2", None)
  with pytest.raises(errors.ConfigError, match="needs OpenCV.*pip install opencv-python-headless"):
    factor_pairs.line((4, 9), 0.3)
