import gin
import numpy as np
import pytest

from dl_condind.evaluation import side_by_side
from dl_condind.evaluation.metrics import unified_scores
from dl_condind.utils import results


@pytest.fixture
def record(tmp_path):
  def write(representation, metric, **values):
    directory = tmp_path / representation / metric
    results.write_results(directory, "evaluation", {"elapsed_time": 1.5, **values}, {})
    return side_by_side.Record(representation, metric, directory)

  return write


def test_a_column_is_a_representation_and_a_row_is_a_number(record):
  records = [
    record("mean", "mig", **{"discrete_mig": 0.123456, "discrete_mig.factor_0": 0.5}),
    record("mean", "dci", disentanglement=None, completeness=1, is_short=True, parts=[1, 2]),
    record("sampled", "mig", discrete_mig=0.1),
  ]
  lines = side_by_side.format_table(records).splitlines()
  assert [line.split() for line in lines] == [
    ["metric", "result", "mean", "sampled"],
    ["mig", "discrete_mig", "0.1235", "0.1"],
    ["dci", "completeness", "1", "-"],
  ]
  assert lines[0].index("sampled") == lines[1].rindex("0.1")


def test_one_representation_needs_no_name(record):
  lines = side_by_side.format_table([record("", "mig", discrete_mig=0.25)]).splitlines()
  assert [line.split() for line in lines] == [
    ["metric", "result"],
    ["mig", "discrete_mig", "0.25"],
  ]


def test_scores_of_a_matrix_have_rows_and_those_of_its_parts_have_none(record):
  factors = np.stack(np.divmod(np.arange(90) % 9, 3), axis=1)  # independent
  gin.parse_config("discretizer.discretizer_fn = @histogram_discretizer")
  gin.parse_config("discretizer.num_bins = 3")
  values = unified_scores.unified_scores(
    factors.astype(float), factors, factors, factors, [unified_scores.mutual_information_matrix]
  )
  assert {"mutual_information_matrix.mig.factor_1", "mutual_information_matrix.merge_0_1"} < {
    *values
  }
  _, *lines = side_by_side.format_table([record("", "unified", **values)]).splitlines()
  matrix = "mutual_information_matrix"
  scores = ("dci", "dci_completeness", "dci_disentanglement", "mig", "modularity", "sap")
  scores = sorted((*scores, "area_precision", "max_precision"))
  assert [line.split()[:2] for line in lines] == [["unified", f"{matrix}.{x}"] for x in scores]
  (mig,) = [line.split()[2] for line in lines if f"{matrix}.mig" in line]
  assert mig == "1"  # Of the factors themselves.
