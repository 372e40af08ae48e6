import datetime
import json
import pathlib
import platform
import sys
import uuid

import gin
import numpy as np
import pytest

from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results


@gin.configurable(module="probe.results")
def probe_stage(rate: float = 1.0, note: str = "x"):
  return rate, note


@gin.configurable(module="probe.results")
def probe_evaluation(num_train: int = 10):
  return num_train


def read(path: pathlib.Path) -> dict:
  return json.loads(path.read_text(encoding="utf-8"))


def write_train(directory: pathlib.Path) -> None:
  configs.parse([], ["probe_stage.note = 'a = b'"])
  probe_stage()
  results.write_results(directory, "train", {"loss": 1.5, "elapsed_time": 2.0}, {"python": "3"})


def test_files_of_a_record(tmp_path):
  write_train(tmp_path / "model")
  folder = tmp_path / "model" / "results"
  files.verify_manifest(folder)
  assert read(folder / "json" / "train_config.json") == {
    "probe_stage.rate": "1.0",
    "probe_stage.note": "'a = b'",
  }
  found = read(folder / "json" / "train_results.json")
  assert uuid.UUID(found.pop("uuid")).version == 4
  assert found == {"loss": 1.5, "elapsed_time": 2.0}
  assert read(folder / "json" / "train_provenance.json") == {"python": "3"}
  aggregate = read(folder / "aggregate" / "train.json")
  assert sorted(aggregate) == [
    "train_config.probe_stage.note",
    "train_config.probe_stage.rate",
    "train_provenance.python",
    "train_results.elapsed_time",
    "train_results.loss",
    "train_results.uuid",
  ]
  assert configs.query(folder / "gin" / "train.gin", "probe_stage.note") == "a = b"


def test_next_step_takes_over_the_record_before(tmp_path):
  write_train(tmp_path / "model")
  configs.parse([], ["probe_evaluation.num_train = 20"])
  probe_evaluation()
  results.write_results(
    tmp_path / "metric", "evaluation", {"mig": 0.5}, {}, previous=tmp_path / "model"
  )
  folder = tmp_path / "metric" / "results"
  files.verify_manifest(folder)
  for name in ("gin/train.gin", "json/train_results.json", "aggregate/train.json"):
    before = (tmp_path / "model" / "results" / name).read_bytes()
    assert (folder / name).read_bytes() == before
  aggregate = results.read_aggregate(folder / "aggregate" / "evaluation.json")
  assert aggregate["train_results.loss"] == 1.5
  assert aggregate["train_config.probe_stage.note"] == "'a = b'"
  assert aggregate["evaluation_results.mig"] == 0.5
  assert aggregate["evaluation_config.probe_evaluation.num_train"] == "20"
  assert not any(key.startswith("evaluation_config.probe_stage") for key in aggregate)


def test_record_before_must_be_whole(tmp_path):
  with pytest.raises(errors.DatasetError, match=r"model/results has no manifest\.json"):
    results.write_results(tmp_path / "x", "evaluation", {}, {}, previous=tmp_path / "model")
  write_train(tmp_path / "model")
  path = tmp_path / "model" / "results" / "json" / "train_results.json"
  path.write_text(path.read_text().replace("1.5", "1.6"))
  with pytest.raises(errors.DatasetError, match=r"train_results\.json has changed"):
    results.write_results(tmp_path / "x", "evaluation", {}, {}, previous=tmp_path / "model")
  assert not (tmp_path / "x").exists()


def test_record_is_replaced(tmp_path):
  results.write_results(tmp_path, "train", {"loss": 1.0}, {})
  results.write_results(tmp_path, "train", {"loss": 2.0}, {})
  assert results.read_results(tmp_path, "train")["loss"] == 2.0
  assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_values_become_plain_json(tmp_path):
  values = {
    "float32": np.float32(0.5),
    "int64": np.int64(3),
    "bool": np.True_,
    "string": np.str_("x"),
    "array": np.arange(4).reshape(2, 2),
    "scalar_array": np.array(1.5),
    "tuple": (1, np.float64(2.0)),
    "none": None,
    "nested": {"a": {"b": 1}, "c": [1.0]},
  }
  results.write_results(tmp_path, "train", values, {})
  found = results.read_results(tmp_path, "train")
  del found["uuid"]
  assert found == {
    "float32": 0.5,
    "int64": 3,
    "bool": True,
    "string": "x",
    "array": [[0, 1], [2, 3]],
    "scalar_array": 1.5,
    "tuple": [1, 2.0],
    "none": None,
    "nested.a.b": 1,
    "nested.c": [1.0],
  }


@pytest.mark.parametrize(
  "value", [float("nan"), float("inf"), np.float32("-inf"), np.array([1.0, np.nan]), [(np.inf,)]]
)
def test_number_that_is_not_finite(tmp_path, value):
  with pytest.raises(
    errors.DivergedError, match=r"scores\.mig is -?(nan|inf), not a finite number"
  ):
    results.write_results(tmp_path, "train", {"scores": {"mig": value}}, {})
  assert not list(tmp_path.iterdir())


def test_value_that_json_cannot_hold(tmp_path):
  with pytest.raises(TypeError, match="model is a object, which JSON cannot hold"):
    results.write_results(tmp_path, "train", {"model": object()}, {})


def test_is_complete(tmp_path):
  assert not results.is_complete(tmp_path, "train")
  results.write_results(tmp_path, "train", {}, {})
  assert results.is_complete(tmp_path, "train")
  assert not results.is_complete(tmp_path, "evaluation")


@pytest.mark.parametrize("text", ['{"a": 1', "", "[1]", "3", "\xff", "[" * 100_000])
def test_damaged_json(tmp_path, text):
  path = tmp_path / "results" / "aggregate" / "train.json"
  path.parent.mkdir(parents=True)
  path.write_bytes(text.encode("latin-1"))
  with pytest.raises(errors.DatasetError, match=r"^\S*/train\.json is damaged \([^\n]*$"):
    results.read_aggregate(path)


def test_missing_and_changed_records(tmp_path):
  with pytest.raises(errors.DatasetError, match=r"train\.json is missing; run its stage again"):
    results.read_aggregate(tmp_path / "aggregate" / "train.json")
  with pytest.raises(errors.DatasetError, match=r"results has no manifest\.json"):
    results.read_results(tmp_path, "train")
  results.write_results(tmp_path, "train", {"loss": 1.0}, {})
  path = tmp_path / "results" / "aggregate" / "train.json"
  path.write_text(path.read_text().replace("1.0", "2.0"))
  with pytest.raises(errors.DatasetError, match=r"train\.json has changed"):
    results.read_aggregate(path)
  with pytest.raises(errors.DatasetError, match=r"train\.json has changed"):
    results.read_results(tmp_path, "train")


def test_foreign_record_with_nan(tmp_path):
  path = tmp_path / "evaluation.json"
  path.write_text('{"a": NaN, "b": -Infinity, "c": 1}')
  assert results.read_aggregate(path) == {"a": None, "b": None, "c": 1}


@pytest.mark.parametrize(
  ("program", "expected"), [("/opt/a b/train", "train"), ("bin/train", "bin/train"), ("", "''")]
)
def test_command_line_has_no_folder_of_the_machine(program, expected, monkeypatch):
  monkeypatch.setattr(sys, "argv", [program, "--name=a b"])
  assert results.provenance()["command_line"] == f"{expected} '--name=a b'"


def test_provenance():
  found = results.provenance({"dataset": "toy", "source": "rendered", "sha256": "ab"}, {"seed": 3})
  assert found["python"] == platform.python_version()
  assert found["numpy"] == np.__version__
  for name in ("dl_condind", "scikit-learn", "scipy", "gin-config", "command_line", "cpu"):
    assert isinstance(found[name], str), name
    assert found[name], name
  assert {"tensorflow", "keras", "tensorflow_probability"} <= set(found)
  assert found["dataset"] == "toy"
  assert found["dataset_source"] == "rendered"
  assert found["dataset_sha256"] == "ab"
  assert found["seed"] == 3
  date = datetime.datetime.fromisoformat(found["date"])
  assert date.utcoffset() == datetime.timedelta(0)
  assert platform.node() not in json.dumps({**found, "command_line": ""})
  assert json.loads(json.dumps(found)) == found
