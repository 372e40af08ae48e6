import pathlib

from dl_condind.reports import labels_and_puzzles
from dl_condind.reports import study_runs

INDEPENDENT = {"train_config.posterior.noise_correlation": "@independent"}
CORRELATED = {
  "train_config.posterior.noise_correlation": "@equicorrelated",
  "train_config.equicorrelated.correlation": "0.9",
}


def make_run(name, row):
  return study_runs.Run(name, pathlib.Path(name), row, {})


def texts_of(table):
  return [[cell.text for cell in row] for row in table.rows]


def test_puzzles_have_a_row_for_each_correlation_with_medians():
  def row(accuracy, step):
    return {
      "mean.reasoning.spots.best.test.accuracy": accuracy,
      "mean.reasoning.spots.best.test.global_step": step,
      "mean.reasoning.spots.step0.test.accuracy": 0.2,
    }

  runs = [
    make_run("0", INDEPENDENT | row(0.5, 1200)),
    make_run("1", INDEPENDENT | row(0.75, 1600)),
    make_run("2", INDEPENDENT | row(0.625, 2000)),
    make_run("3", CORRELATED | row(0.25, 400)),
    make_run("4", CORRELATED),
  ]
  (table,) = labels_and_puzzles.tables_of({"VAE on spots": runs})
  assert table.title == "Puzzles: spots, mean representation"
  assert table.headings == ["Setting", "c", "Runs", "Accuracy then, test", "Steps until then"]
  assert texts_of(table) == [
    ["VAE on spots", "c\u00a0=\u00a00", "3", "0.625", "1,600"],
    ["VAE on spots", "c\u00a0=\u00a00.9", "1", "0.250", "400"],
  ]


def test_each_validation_has_a_table_of_its_main_results():
  row = {
    "sampled.validation.labelled_sap_score.SAP_score": 0.125,
    "mean.validation.labelled_mig.discrete_mig": 0.25,
    "mean.validation.labelled_mig.mig.factor_0": 0.5,
    "mean.validation.labelled_mig.elapsed_time": 3.0,
    "mean.validation.labelled_mig.config.validation.num_labelled_samples": 100,
    "mean.validation.labelled_unified_score.accuracy_svm_matrix.JEMMIG": 0.5,
    "mean.validation.labelled_unified_score.accuracy_svm_matrix.merge_0_1": 0.5,
    "mean.mig.discrete_mig": 0.75,
  }
  found = labels_and_puzzles.tables_of({"VAE on spots": [make_run("0", INDEPENDENT | row)]})
  assert [(table.title, table.headings[3:]) for table in found] == [
    ("Validation: labelled_mig, mean representation", ["discrete_mig"]),
    ("Validation: labelled_unified_score, mean representation", ["accuracy_svm_matrix.JEMMIG"]),
    ("Validation: labelled_sap_score, sampled representation", ["SAP_score"]),
  ]
  assert [texts_of(table)[0][3:] for table in found] == [["0.250"], ["0.500"], ["0.125"]]


def test_runs_without_them_have_no_table():
  run = make_run("0", INDEPENDENT | {"mean.mig.discrete_mig": 0.25})
  assert labels_and_puzzles.tables_of({"VAE on spots": [run]}) == []
