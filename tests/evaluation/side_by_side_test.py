import pytest

from dl_condind.evaluation import side_by_side
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
