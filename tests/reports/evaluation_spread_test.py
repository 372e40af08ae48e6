import pathlib
import statistics

import pytest

from dl_condind.reports import evaluation_spread
from dl_condind.reports import further_evaluations
from dl_condind.reports import study_runs

VALUES = {"0": [0.1, 0.2, 0.6], "1": [0.4, 0.5, 0.3]}


def record(value, number):
  label = f"'mig, evaluation {number}'" if number else "''"
  return {
    "evaluation_config.evaluation.name": label,
    "evaluation_results.discrete_mig": value,
    "evaluation_results.elapsed_time": 1.0,
    "evaluation_results.mig.exact": True,
    "evaluation_results.curve": [value],
  }


def make_rows():
  spread = further_evaluations.Spread()
  rows = {}
  for run, values in VALUES.items():
    rows[run] = {"mean.mig.discrete_mig": values[0], "mean.mig.elapsed_time": 1.0}
    assert not spread.takes(run, "mean", record(values[0], 0))
    assert all(spread.takes(run, "mean", record(v, i)) for i, v in enumerate(values[1:], start=1))
  spread.add_to(rows)
  return rows


def test_rows_tell_mean_and_standard_deviation():
  for run, row in make_rows().items():
    values = VALUES[run]
    assert row == {
      "mean.mig.discrete_mig": values[0],
      "mean.mig.elapsed_time": 1.0,
      "mean.mig.num_evaluations": 3,
      "mean.mig.discrete_mig.evaluations_mean": pytest.approx(sum(values) / 3),
      "mean.mig.discrete_mig.evaluations_sd": pytest.approx(statistics.stdev(values)),
    }


def test_tables_tell_the_spread_within_and_between_runs():
  config = {"train_config.posterior.noise_correlation": "@independent"}
  runs = [
    study_runs.Run(name, pathlib.Path(name), {**config, **row}, {})
    for name, row in make_rows().items()
  ]
  (table,) = evaluation_spread.tables_of({"beta-VAE on it": runs})
  within = statistics.fmean(statistics.variance(values) for values in VALUES.values()) ** 0.5
  between = statistics.stdev(statistics.fmean(values) for values in VALUES.values())
  assert within == pytest.approx(0.2) and between == pytest.approx(0.0707, abs=1e-4)
  cells = ["beta-VAE on it", "c\u00a0=\u00a00", "2", "3", "0.35000", "0.20000", "0.07071"]
  (row,) = table.rows
  assert table.title == "MIG, mean representation"
  assert [cell.text for cell in row] == cells
  assert [cell.value for cell in row[4:]] == pytest.approx([0.35, within, between])
  (single,) = evaluation_spread.tables_of({"beta-VAE on it": runs[:1]})[0].rows
  assert [cell.text for cell in single].count("-") == 1


def test_runs_that_were_evaluated_once_have_no_table():
  run = study_runs.Run("0", pathlib.Path("0"), {"mean.mig.discrete_mig": 0.25}, {})
  assert evaluation_spread.tables_of({"beta-VAE on it": [run]}) == []
