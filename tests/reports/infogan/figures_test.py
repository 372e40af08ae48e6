import numpy as np

from dl_condind.reports import grouping
from dl_condind.reports.infogan import figures as infogan_figures

R2 = "model.infogan_disentanglement.conditional_r2"


def settings_of(generated, num_seeds=2, **measures):
  runs = []
  for correlation in (0.0, 0.9):
    runs += generated.make_runs(
      {"digit_change_rate": [0.1 + correlation / 2] * num_seeds, **measures},
      f"c{correlation}",
      method="infogan",
      dataset="mnist",
      num_latent=2,
      correlation=correlation,
    )
  for i, run in enumerate(runs):
    for j, attribute in enumerate(("slant", "width", "height", "thickness")):
      for code in range(2):
        run.row[f"{R2}.{attribute}.code_{code}"] = i / 100 + j / 10 + code / 20
  return grouping.group_by_setting(runs)


def test_measures_and_shares_of_each_code(generated):
  drawn = infogan_figures.draw(settings_of(generated))
  assert [found.name for found in drawn] == ["infogan_mnist_0", "codes_mnist_0"]
  measures, shares = (found.figure.axes for found in drawn)
  assert [axes.get_ylabel() for axes in measures] == ["digit changes"]  # Others have no values.
  points = np.concatenate(
    [line.get_xydata() for line in measures[0].lines if line.get_xdata().size]
  )
  np.testing.assert_allclose(points[:, 1], [0.1, 0.1, 0.55, 0.55])
  assert [axes.get_title() for axes in shares] == [
    f"run c{c}-{i}" for c in (0.0, 0.9) for i in (0, 1)
  ]
  for i, axes in enumerate(shares):
    expected = i / 100 + np.arange(4)[:, None] / 10 + np.arange(2) / 20
    np.testing.assert_allclose(axes.images[0].get_array(), expected)
  assert [label.get_text() for label in shares[0].get_xticklabels()] == ["code 0", "code 1"]


def test_only_some_of_many_runs_have_their_shares_drawn(generated):
  shares = infogan_figures.draw(settings_of(generated, num_seeds=7))[1].figure
  titles = [axes.get_title() for axes in shares.axes]
  assert titles == [f"run c{c}-{i}" for c in (0.0, 0.9) for i in range(5)]


def test_many_settings_take_several_figures(generated):
  (runs,) = settings_of(generated).values()
  settings = {f"setting {i}": runs for i in range(4)}
  drawn = [d for d in infogan_figures.draw(settings) if d.name.startswith("infogan")]
  assert [found.name for found in drawn] == ["infogan_mnist_0", "infogan_mnist_1"]
  assert [len(found.figure.axes) for found in drawn] == [3, 1]


def test_codes_are_in_the_order_of_their_numbers(generated):
  settings = settings_of(generated)
  (runs,) = settings.values()
  for run in runs:
    run.row.update({f"{R2}.slant.code_{code}": 0.5 for code in (10, 2)})
  axes = infogan_figures.draw(settings)[1].figure.axes[0]
  labels = [label.get_text() for label in axes.get_xticklabels()]
  assert labels == ["code 0", "code 1", "code 2", "code 10"]


def test_a_share_that_is_not_defined_is_no_number(generated):
  settings = settings_of(generated)
  (runs,) = settings.values()
  runs[0].row[f"{R2}.width.code_1"] = None
  first = infogan_figures.draw(settings)[1].figure.axes[0]
  assert [text.get_text() for text in first.texts][3] == "-"


def test_what_has_no_value_is_not_drawn(generated):
  runs = generated.make_runs({"steps": [15000]}, method="infogan", dataset="mnist", num_latent=2)
  assert infogan_figures.draw(grouping.group_by_setting(runs)) == []
