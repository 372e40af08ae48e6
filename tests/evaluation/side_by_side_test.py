import pytest

from dl_condind.evaluation import side_by_side
from dl_condind.utils import results


@pytest.fixture
def records(tmp_path):
  def write(name, **values):
    results.write_results(tmp_path / name, "evaluation", {"elapsed_time": 1.5, **values}, {})
    return tmp_path / name

  return write


def test_a_column_is_a_representation_and_a_row_is_a_number(records, tmp_path):
  directories = [
    records("mean/mig", **{"discrete_mig": 0.123456, "discrete_mig.factor_0": 0.5}),
    records("mean/dci", disentanglement=None, completeness=1, is_short=True, parts=[1, 2]),
    records("sampled/mig", discrete_mig=0.1),
  ]
  lines = side_by_side.format_table(tmp_path, directories).splitlines()
  assert [line.split() for line in lines] == [
    ["metric", "result", "mean", "sampled"],
    ["mig", "discrete_mig", "0.1235", "0.1"],
    ["dci", "completeness", "1", "-"],
  ]
  assert (
    len({line.rindex(cell) for line, cell in zip(lines[:2], ("sampled", "0.1"), strict=True)}) == 1
  )


@pytest.mark.parametrize("name, header", [("mig", ["metric", "result"]), (".", ["metric"])])
def test_one_representation_or_one_metric(records, tmp_path, name, header):
  directory = records(name, discrete_mig=0.25)
  lines = side_by_side.format_table(tmp_path, [directory]).splitlines()
  assert lines[0].split()[: len(header)] == header
  assert lines[1].split()[1:] == ["discrete_mig", "0.25"]
