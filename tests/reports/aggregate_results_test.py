import csv
import io
import json
import pathlib

import pandas as pd
import pytest

from dl_condind.reports import aggregate_results
from dl_condind.utils import errors
from dl_condind.utils import results


def write(path: pathlib.Path, record: dict) -> pathlib.Path:
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(record), encoding="utf-8")
  return path


def read_csv(path: pathlib.Path) -> list[dict[str, str]]:
  with open(path, encoding="utf-8", newline="") as file:
    return list(csv.DictReader(file))


RECORDS = [
  {
    "train_config.dataset.name": "'dsprites_full'",
    "train_config.vae.beta": "1.0",
    "evaluation_results.discrete_mig": 0.25,
    "evaluation_results.elapsed_time": 12.5,
    "evaluation_results.curve": [1, 2.5],
    "evaluation_results.uuid": "8cbe5a6c-2c35-4c5e-8d0c-0f4a5a6b8c9d",
  },
  {
    "train_config.dataset.name": "'cars3d'",
    "train_config.vae.beta": "4.0",
    "evaluation_results.SAP_score": 1e-17,
    "evaluation_results.num_active_dims": 10,
    "evaluation_results.elapsed_time": 3.0,
  },
  {"train_config.dataset.name": 'a, "b"\nc', "evaluation_results.discrete_mig": None},
]


def test_json_is_what_pandas_would_have_written(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  rows = []
  for i, record in enumerate(RECORDS):
    path = f"output/study/{i}/metrics/mean/mig/results/aggregate/evaluation.json"
    write(tmp_path / path, record)
    rows.append({**record, "path": path})
  found = aggregate_results.aggregate(aggregate_results.DEFAULT_PATTERN, "results.json")
  assert found == rows
  expected = pd.DataFrame(rows)
  text = (tmp_path / "results.json").read_text()
  written = json.loads(text)
  assert list(written) == list(expected.columns)
  as_pandas = json.loads(expected.to_json(double_precision=15))
  as_pandas["evaluation_results.SAP_score"]["1"] = 1e-17  # pandas rounds it away.
  assert written == as_pandas
  table = pd.read_json(io.StringIO(text))
  reference = pd.read_json(io.StringIO(expected.to_json(double_precision=15)))
  pd.testing.assert_frame_equal(table, reference)


def test_default_pattern_finds_studies_and_single_runs(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  runs = ["output/by_hand", "output/quickstart/1", "output/studies/of/mine/0"]
  for run in runs:
    write(tmp_path / run / "metrics/mean/mig/results/aggregate/evaluation.json", RECORDS[0])
    write(tmp_path / run / "model/results/aggregate/train.json", RECORDS[1])
  found = aggregate_results.aggregate(aggregate_results.DEFAULT_PATTERN, "output/results.json")
  assert [row["path"].partition("/metrics/")[0] for row in found] == runs
  assert [row["run"] for row in read_csv(tmp_path / "output/results_runs.csv")] == runs


def test_csv_beside_the_json(tmp_path):
  for i, record in enumerate(RECORDS):
    write(tmp_path / str(i) / "evaluation.json", record)
  aggregate_results.aggregate(f"{tmp_path}/**/evaluation.json", tmp_path / "all.json")
  lines = (tmp_path / "all.csv").read_text().splitlines()
  columns = lines[0].split(",")
  assert columns[0] == "path"
  assert columns[1:] == sorted(columns[1:])
  rows = read_csv(tmp_path / "all.csv")
  assert [row["path"] for row in rows] == [f"{tmp_path}/{i}/evaluation.json" for i in range(3)]
  assert json.loads(rows[0]["evaluation_results.curve"]) == [1, 2.5]
  assert float(rows[1]["evaluation_results.SAP_score"]) == 1e-17
  assert rows[0]["evaluation_results.SAP_score"] == ""
  assert rows[2]["train_config.dataset.name"] == 'a, "b"\nc'
  assert rows[2]["evaluation_results.discrete_mig"] == ""


CONFIG = {
  "train_config.model.model": "@factor_vae()",
  "train_config.dataset.name": "'cars3d'",
  "train_config.encoder.num_latent": "20",
  "train_config.model.random_seed": "7",
  "train_config.posterior.noise_correlation": "@equicorrelated",
  "train_config.equicorrelated.correlation": "0.9",
  "train_results.global_step": 150000,
}


def test_tidy_table_has_a_row_for_each_run(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  scores = {
    "10/metrics/mean/mig": {"discrete_mig": 0.5},
    "9/metrics/mean/mig": {"discrete_mig": 0.25, "uuid": "x"},
    "9/metrics/sampled/sap_score": {"SAP_score": 0.125},
  }
  for folder, found in scores.items():
    record = CONFIG | {f"evaluation_results.{key}": value for key, value in found.items()}
    write(tmp_path / "s" / folder / "results" / "aggregate" / "evaluation.json", record)
  aggregate_results.aggregate("s/*/metrics/*/*/results/aggregate/*.json", "out/all.json")
  rows = read_csv(tmp_path / "out" / "all_runs.csv")
  tidy = ["factor_vae", "cars3d", "20", "0.9", "7", "150000"]
  assert [list(row.values())[:7] for row in rows] == [["s/9", *tidy], ["s/10", *tidy]]
  assert [row["mean.mig.discrete_mig"] for row in rows] == ["0.25", "0.5"]
  assert [row["sampled.sap_score.SAP_score"] for row in rows] == ["0.125", ""]
  assert not [column for column in rows[0] if "uuid" in column]


def test_records_of_other_stages_make_no_table_of_runs(tmp_path):
  path = write(tmp_path / "0" / "model" / "results" / "aggregate" / "train.json", CONFIG)
  aggregate_results.aggregate(str(path), tmp_path / "all.json")
  assert not (tmp_path / "all_runs.csv").exists()


def test_no_match(tmp_path):
  message = r"No file matches '\S*/\*\.json': .* result_file_pattern="
  with pytest.raises(errors.ConfigError, match=message):
    aggregate_results.aggregate(f"{tmp_path}/*.json", tmp_path / "out.json")
  assert not list(tmp_path.iterdir())


def test_output_that_is_the_csv(tmp_path):
  with pytest.raises(errors.ConfigError, match=r"out\.csv would be overwritten"):
    aggregate_results.aggregate("*", tmp_path / "out.csv")


def test_output_below_a_file(tmp_path):
  path = write(tmp_path / "0" / "evaluation.json", RECORDS[0])
  with pytest.raises(errors.ConfigError, match=r"Cannot write .*out\.json \(Not a directory\)"):
    aggregate_results.aggregate(str(path), path / "out.json")


def test_damaged_record_is_named(tmp_path):
  write(tmp_path / "0" / "evaluation.json", RECORDS[0])
  (tmp_path / "1").mkdir()
  (tmp_path / "1" / "evaluation.json").write_text('{"a": 1')
  with pytest.raises(errors.DatasetError, match=r"1/evaluation\.json is damaged"):
    aggregate_results.aggregate(f"{tmp_path}/*/evaluation.json", tmp_path / "out.json")
  assert not (tmp_path / "out.json").exists()


def write_run(run: pathlib.Path, loss: float, metrics: dict[str, dict]) -> None:
  results.write_results(run / "model", "train", {"loss": loss}, {"python": "3"})
  for name, scores in metrics.items():
    results.write_results(run / "metrics" / name, "evaluation", scores, {}, previous=run / "model")


def test_runs_table(tmp_path):
  study = tmp_path / "study[1]"  # The brackets are no pattern.
  write_run(
    study / "9", 1.5, {"mean/mig": {"discrete_mig": 0.25}, "sampled/mig": {"discrete_mig": 0.125}}
  )
  write_run(study / "10", 2.5, {"mean/sap_score": {"SAP_score": 0.5, "elapsed_time": 3.0}})
  write_run(study / "11", 3.5, {})
  (study / "12" / "model").mkdir(parents=True)
  hidden = study / "9" / "metrics" / "mean" / ".mig.x.tmp" / "results" / "aggregate"
  write(hidden / "evaluation.json", {"evaluation_results.discrete_mig": 7.0})
  table = aggregate_results.runs_table(study)
  assert [row["run"] for row in table] == ["9", "10", "11"]
  assert table[0]["mean.mig.discrete_mig"] == 0.25
  rows = read_csv(study / "runs.csv")
  assert list(rows[0]) == [
    *("run", "method", "dataset", "num_latent", "correlation", "seed", "steps"),
    "mean.mig.discrete_mig",
    "mean.sap_score.SAP_score",
    "mean.sap_score.elapsed_time",
    "sampled.mig.discrete_mig",
    "train_provenance.python",
    "train_results.loss",
    "train_results.uuid",
  ]
  assert [row["run"] for row in rows] == ["9", "10", "11"]
  assert [row["train_results.loss"] for row in rows] == ["1.5", "2.5", "3.5"]
  assert [row["mean.mig.discrete_mig"] for row in rows] == ["0.25", "", ""]
  assert rows[0]["sampled.mig.discrete_mig"] == "0.125"
  assert rows[1]["mean.sap_score.SAP_score"] == "0.5"


def test_runs_table_has_the_end_of_an_infogans_log(tmp_path, generated):
  generated.write_infogan(tmp_path / "0", generated.config_of("infogan", "mnist", 2))
  generated.write_infogan(tmp_path / "1", generated.config_of("infogan", "mnist", 2, seed=1))
  (tmp_path / "1" / "model" / "train_log.jsonl").unlink()
  generated.write_run(tmp_path / "2", generated.config_of())
  (tmp_path / "2" / "model" / "train_log.jsonl").write_text("not read")
  rows = aggregate_results.runs_table(tmp_path)
  for name, mean in generated.LOSSES.items():
    assert rows[0][f"train_log.{name}"] == pytest.approx(mean)
    assert [f"train_log.{name}" in row for row in rows] == [True, False, False]
    assert rows[0][f"train_log.{name}_drift"] == 0.0
  written = read_csv(tmp_path / "runs.csv")[0]
  assert float(written["train_log.generator_loss"]) == pytest.approx(1.23)
  assert written["num_latent"] == "2"


def test_runs_table_is_read_as_it_was_written(tmp_path, generated):
  generated.write_infogan(tmp_path / "0", generated.config_of("infogan", "mnist", 2))
  generated.write_run(tmp_path / "1", generated.config_of())
  rows = aggregate_results.runs_table(tmp_path)
  assert rows[0]["model.infogan_disentanglement.collapsed"] is False
  assert rows[0]["model.infogan_disentanglement.config.digit_classifier.cache_dir"] == "'/x'"
  read = aggregate_results.read_runs_table(tmp_path / "runs.csv")
  assert read == [{k: v for k, v in row.items() if v not in ("", None)} for row in rows]


def test_long_lists_are_read_as_they_were_written(tmp_path, generated):
  matrix = [[i + j / 7 for j in range(100)] for i in range(100)]
  generated.write_run(tmp_path / "0", generated.config_of())
  folder = tmp_path / "0" / "metrics" / "mean" / "rotated_mig"
  results.write_results(folder, "evaluation", {"rotation": matrix}, {}, tmp_path / "0" / "model")
  aggregate_results.runs_table(tmp_path)
  (row,) = aggregate_results.read_runs_table(tmp_path / "runs.csv")
  assert row["mean.rotated_mig.rotation"] == matrix


def test_an_evaluation_of_an_earlier_training_is_refused(tmp_path):
  write_run(tmp_path / "0", 1.5, {"mean/mig": {"discrete_mig": 0.25}})
  assert aggregate_results.runs_table(tmp_path)[0]["mean.mig.discrete_mig"] == 0.25
  results.write_results(tmp_path / "0" / "model", "train", {"loss": 2.5}, {"python": "3"})
  message = r"^mig \(mean\) of run 0 is of another training than the model that is there now: "
  with pytest.raises(errors.DatasetError, match=message):
    aggregate_results.runs_table(tmp_path)


def test_runs_table_over_studies_and_of_one_run(tmp_path):
  write_run(tmp_path / "a" / "0", 1.0, {"mean/mig": {"discrete_mig": 0.5}})
  write_run(tmp_path / "b" / "0", 2.0, {})
  table = aggregate_results.runs_table(tmp_path)
  assert [row["run"] for row in table] == ["a/0", "b/0"]
  [row] = aggregate_results.runs_table(tmp_path / "a" / "0")
  assert row["run"] == "."
  assert row["mean.mig.discrete_mig"] == 0.5


def test_runs_table_errors(tmp_path):
  with pytest.raises(errors.ConfigError, match=f"No trained run in {tmp_path}"):
    aggregate_results.runs_table(tmp_path)
  write_run(tmp_path / "0", 1.0, {"mean/mig": {"discrete_mig": 0.5}})
  path = tmp_path / "0" / "metrics" / "mean" / "mig" / "results" / "aggregate" / "evaluation.json"
  path.write_text(path.read_text().replace("0.5", "0.6"))
  with pytest.raises(errors.DatasetError, match=rf"^{path} has changed"):
    aggregate_results.runs_table(tmp_path)
