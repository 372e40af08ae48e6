import numpy as np
import pytest

from dl_condind.utils import errors
from dl_condind.utils import training_logs


def test_scalars_are_those_of_the_lines(tmp_path):
  (tmp_path / "train_log.jsonl").write_text(
    '{"step": 0, "loss": 3.0}\n{"step": 10, "loss": 2.5}\n{"step": 20, "loss": 2}\n'
  )
  found = training_logs.read(tmp_path)
  assert found.keys() == {"step", "loss"}
  np.testing.assert_array_equal(found["step"], [0, 10, 20])
  np.testing.assert_array_equal(found["loss"], [3.0, 2.5, 2.0])
  assert found["loss"].dtype == np.float64


@pytest.mark.parametrize(
  "content",
  [
    b"",
    b'{"step": 0\n',
    b"[]\n",
    b'{"step": 0, "loss": 1}\n{"step": 1}\n',
    b'{"a": "b"}\n',
    b'{"step": 0, "los\xf3": 1}\n',
    b'{"step": 0, "loss": ' + b"[" * 100_000 + b"\n",
    b'{"step": 0, "loss": NaN}\n',
    b'{"step": 0, "loss": 1e999}\n',
    b'{"step": 0, "loss": 1' + b"0" * 400 + b"}\n",
    b'{"step": 0, "loss": 1' + b"0" * 5000 + b"}\n",
  ],
)
def test_damaged_log_is_refused(tmp_path, content):
  (tmp_path / "train_log.jsonl").write_bytes(content)
  with pytest.raises(errors.DatasetError, match=r"train_log\.jsonl is empty or damaged") as caught:
    training_logs.read(tmp_path)
  assert "\n" not in str(caught.value)
  assert training_logs.last_step(tmp_path) in (0, 1)


def test_lines_that_are_not_whole_are_passed_over(tmp_path):
  (tmp_path / "train_log.jsonl").write_bytes(
    b'{"step": 0, "loss": 3.0}\n{"step": 10, "lo\xf3s": 2.5}\n{"step": 20, "loss": 2}\n'
    b'{"step": "30", "loss": 1}\n[40]\n{"step": 5'
  )
  lines = [(0, '{"step": 0, "loss": 3.0}'), (20, '{"step": 20, "loss": 2}')]
  assert training_logs.whole_lines(tmp_path) == lines
  assert training_logs.last_step(tmp_path) == 20
  assert training_logs.last_step(tmp_path / "nowhere") == 0


def test_missing_log_is_named(tmp_path):
  with pytest.raises(errors.DatasetError, match=r"No .*train_log\.jsonl: name the folder"):
    training_logs.read(tmp_path)


@pytest.mark.parametrize(("num_lines", "mean"), [(1, 0.0), (4, 3.0), (10, 8.5), (151, 135.5)])
def test_end_is_the_last_fifth(num_lines, mean):
  log = {"step": 10 * np.arange(num_lines), "loss": np.arange(float(num_lines))}
  assert training_logs.end_means(log, ["loss"]) == {"loss": mean}


@pytest.mark.parametrize(
  ("values", "drift"),
  [
    (np.arange(200.0), 4 / 19),  # A straight line: four of the nineteen steps between blocks.
    (np.where(np.arange(200) < 20, 5.0, 1.0), 0.0),
    (-np.arange(200.0), -4 / 19),
    (1 / (1 + np.arange(200.0)), 0.0),
  ],
)
def test_drift_is_the_change_over_the_last_fifth_as_a_share_of_the_range(values, drift):
  log = {"step": np.arange(200), "loss": values}
  assert training_logs.drifts(log, ["loss"])["loss"] == pytest.approx(drift, abs=0.01)


def test_short_or_constant_logs_have_no_drift():
  log = {"step": np.arange(19), "loss": np.arange(19.0)}
  assert training_logs.drifts(log, ["loss"]) == {}
  log = {"step": np.arange(40), "loss": np.ones(40)}
  assert training_logs.drifts(log, ["loss"]) == {}
