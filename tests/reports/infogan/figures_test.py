import numpy as np

from dl_condind.reports import comparisons
from dl_condind.reports import figures
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


def draw(settings):
  return infogan_figures.draw(settings, comparisons.compare_all(settings))


def shares_of(drawn):
  """Returns title of a table -> its shares, of the only figure of shares."""
  (shares,) = (found.content for found in drawn if isinstance(found.content, figures.Shares))
  return {title: values for _, tables in shares.rows for title, values in tables.items()}


def test_measures_and_shares_of_each_code(generated):
  drawn = draw(settings_of(generated))
  # Others have no values.
  assert [found.name for found in drawn] == ["digit_change_rate_mnist", "codes_mnist_0"]
  (panel,) = drawn[0].content.panels
  assert panel.y.label == "digit changes"
  np.testing.assert_allclose([mark.y for mark in panel.marks], [0.1, 0.1, 0.55, 0.55])
  shares = shares_of(drawn)
  assert list(shares) == [f"run c{c}-{i}" for c in (0.0, 0.9) for i in (0, 1)]
  for i, values in enumerate(shares.values()):
    expected = i / 100 + np.arange(4)[:, None] / 10 + np.arange(2) / 20
    np.testing.assert_allclose(values, expected)
  assert drawn[1].content.column_labels == ["code 0", "code 1"]


def test_only_some_of_many_runs_have_their_shares_drawn(generated):
  shares = shares_of(draw(settings_of(generated, num_seeds=7)))
  assert list(shares) == [f"run c{c}-{i}" for c in (0.0, 0.9) for i in range(5)]


def test_codes_are_in_the_order_of_their_numbers(generated):
  settings = settings_of(generated)
  (runs,) = settings.values()
  for run in runs:
    run.row.update({f"{R2}.slant.code_{code}": 0.5 for code in (10, 2)})
  labels = draw(settings)[1].content.column_labels
  assert labels == ["code 0", "code 1", "code 2", "code 10"]


def test_a_share_that_is_not_defined_is_no_number(generated):
  settings = settings_of(generated)
  (runs,) = settings.values()
  runs[0].row[f"{R2}.width.code_1"] = None
  assert np.isnan(shares_of(draw(settings))["run c0.0-0"][1, 1])


def test_what_has_no_value_is_not_drawn(generated):
  runs = generated.make_runs({"steps": [15000]}, method="infogan", dataset="mnist", num_latent=2)
  assert draw(grouping.group_by_setting(runs)) == []
