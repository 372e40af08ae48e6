import re

import numpy as np
import pytest

from dl_condind.reports import axes
from dl_condind.reports import charts
from dl_condind.reports import comparisons
from dl_condind.reports import grouping
from dl_condind.reports import measures

MIG = measures.find("mig_mean")


def chart_of(generated, by_correlation, methods=("vae",)):
  """Returns the chart of MIG; correlation -> a value of each run."""
  runs = [
    run
    for method in methods
    for correlation, values in by_correlation.items()
    for run in generated.make_runs(
      {"mig_mean": values}, f"{method}{correlation}", method=method, correlation=correlation
    )
  ]
  settings = grouping.group_by_setting(runs)
  table = comparisons.compare(settings, MIG)
  labels = [f"{correlation:g}" for correlation in by_correlation]
  return charts.of_values(settings, "mig_mean", table, labels, "MIG", 3), table


def lines_of(panel, kind):
  return [line for line in panel.lines if line.kind == kind]


def test_each_run_is_a_mark_and_several_have_their_median(generated):
  chart, _ = chart_of(generated, {0.0: [0.3, 0.1, 0.2], 0.9: [0.05]})
  (panel,) = chart.panels
  assert [mark.y for mark in panel.marks] == [0.3, 0.1, 0.2, 0.05]
  assert [mark.style for mark in panel.marks] == [0, 0, 0, 1]
  assert len({mark.x for mark in panel.marks}) == 4
  assert all(abs(mark.x - mark.style) < 0.3 for mark in panel.marks)
  assert panel.marks[1].text == "run vae0.0-1, c\u00a0=\u00a00, seed 1: MIG 0.100"
  (median,) = panel.lines  # None for the single run.
  assert median == charts.Line(charts.MEDIAN, ((-0.25, 0.2), (0.25, 0.2)), 0)
  assert panel.x.ticks == ((0.0, "0\n(n = 3)"), (1.0, "0.9\n(n = 1)"))
  assert panel.alternative.endswith("c\u00a0=\u00a00: median 0.200 of 3. c\u00a0=\u00a00.9: 0.050.")


@pytest.mark.parametrize(("num_runs", "num_lines"), [(4, 1), (5, 3)])
def test_shape_and_interval_need_five_runs(generated, num_runs, num_lines):
  values = np.linspace(0.1, 0.2, num_runs).tolist()
  chart, table = chart_of(generated, {0.0: values, 0.9: [0.1]})
  (panel,) = chart.panels
  assert len(panel.lines) == num_lines
  if num_runs == 5:
    ((_, low), (_, high)) = lines_of(panel, charts.INTERVAL)[0].points
    assert (low, high) == table["VAE on dsprites_full, 10 latents", "0"].summary.interval
    outline = np.array(lines_of(panel, charts.SHAPE)[0].points)
    assert outline[:, 1].min() == 0.1 and outline[:, 1].max() == pytest.approx(0.2)
    np.testing.assert_allclose(
      np.abs(outline[:, 0]).max(), 0.35, rtol=0.01
    )  # Widest in the middle.
    widest = outline[np.argmax(outline[:, 0]), 1]
    assert widest == pytest.approx(0.15, abs=0.01)


def test_equal_values_have_no_shape(generated):
  (panel,) = chart_of(generated, {0.0: [0.1] * 6})[0].panels
  assert not lines_of(panel, charts.SHAPE)


def test_panels_share_an_axis_that_begins_at_zero(generated):
  chart, _ = chart_of(generated, {0.0: [1.0, 4.0]}, methods=("vae", "factor_vae"))
  assert [panel.title for panel in chart.panels] == ["VAE", "FactorVAE"]
  assert {panel.y.limits for panel in chart.panels} == {(0.0, 4.4)}


def test_a_value_just_below_zero_has_room(generated):
  (panel,) = chart_of(generated, {0.0: [-0.05], 0.9: [0.6]})[0].panels
  assert panel.y.limits == pytest.approx((-0.115, 0.665))


def test_medians_of_three_numbers_c_are_joined(generated):
  (panel,) = chart_of(generated, {0.0: [3.0, 1.0], 0.5: [1.5], 0.9: [1.0]})[0].panels
  (trend,) = lines_of(panel, charts.TREND)
  assert trend.points == ((0.0, 2.0), (1.0, 1.5), (2.0, 1.0))
  (panel,) = chart_of(generated, {0.0: [3.0], 0.5: [1.5]})[0].panels
  assert not lines_of(panel, charts.TREND)


def test_colours_are_a_sequence_only_where_c_is_ordered():
  assert charts.is_ordered(["0", "0.5", "0.9"])
  assert not charts.is_ordered(["0", "0.9"])
  assert not charts.is_ordered(["0", "0.5", "rotated"])


def test_points_have_both_measures_or_are_left_out(generated):
  runs = generated.make_runs({"kl_loss": [10.0, 12.0], "total_correlation": [1.0, 2.0]})
  runs += generated.make_runs({"kl_loss": [9.0]}, "other", correlation=0.9)
  settings = grouping.group_by_setting(runs)
  labels = ("KL [nats]", "TC [nats]")
  chart = charts.of_points(settings, ("kl_loss", "total_correlation"), ["0", "0.9"], labels, 2)
  (panel,) = chart.panels
  assert [(mark.x, mark.y) for mark in panel.marks] == [(10, 1), (12, 2)]
  assert (panel.x.label, panel.y.label) == labels and chart.legend
  assert panel.marks[1].text.endswith("seed 1: KL [nats] 12.00, TC [nats] 2.00")


def test_curves_share_axes():
  panels = {"one": {"a": ([0, 1], [3.0, 1.0])}, "two": {"a": ([0, 9], [2.0, 5.0]), "b": ([0], [4])}}
  chart = charts.of_curves(panels, "step", "loss")
  first, second = chart.panels
  assert first.x == second.x and first.y == second.y and chart.names == ("a", "b")
  assert [line.style for line in second.lines] == [0, 1]
  assert first.lines[0].points == ((0.0, 3.0), (1.0, 1.0))
  assert first.alternative == "loss, one: a ends at 1.00."


@pytest.mark.parametrize(
  ("low", "high", "expected"),
  [
    (0.0, 0.33, "0.00 0.05 0.10 0.15 0.20 0.25 0.30"),
    (0.0, 4.4, "0 1 2 3 4"),
    (-0.115, 0.665, "0.0 0.2 0.4 0.6"),
    (0.0, 480.0, "0 100 200 300 400"),
    (0.0, 15000.0, "0 5,000 10,000 15,000"),
    (0.0171, 0.0182, "0.0172 0.0174 0.0176 0.0178 0.0180 0.0182"),
  ],
)
def test_ticks_are_round_numbers_between_the_limits(low, high, expected):
  ticks = axes.ticks_between(low, high)
  assert [label for _, label in ticks] == expected.split()
  for position, label in ticks:
    assert float(re.sub(",", "", label)) == pytest.approx(position)
    assert low - 1e-9 <= position <= high + 1e-9


def test_what_has_no_value_has_no_chart(generated):
  settings = grouping.group_by_setting(generated.make_runs({"seconds": [1.0]}))
  table = comparisons.compare(settings, MIG)
  assert charts.of_values(settings, "mig_mean", table, ["0"], "MIG", 3) is None
