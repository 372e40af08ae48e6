import dataclasses

import pytest

from dl_condind.reports import reading
from dl_condind.reports import study_runs
from dl_condind.utils import errors


def names(cells):
  return {name: [run.name for run in runs] for name, runs in cells.items()}


def test_runs_that_count_and_those_that_do_not(generated, tmp_path):
  configs = [generated.config_of(seed=seed) for seed in range(5)]
  for number in (0, 1, 10):
    generated.write_run(tmp_path / str(number), configs[min(number, 2)])
  generated.write_run(tmp_path / "11", configs[1])
  generated.write_begun(tmp_path / "2", configs[3], diverged={"step": 7, "message": "loss is nan."})
  generated.write_begun(tmp_path / "3", configs[4])
  generated.write_begun(tmp_path / "4", failed={"exit_code": 1, "message": "no memory"})
  counted, left_out = reading.read_study(tmp_path)
  setting = "VAE on dsprites_full, 10 latents"
  assert names(counted) == {setting: ["0", "1", "10"]}
  assert names(left_out) == {setting: ["11", "2", "3"], "": ["4"]}
  assert [(run.state, run.problem) for run in left_out[setting]] == [
    ("repeated", "repeats run 1 (same configuration and seed), which counts"),
    ("diverged", "diverged: loss is nan"),
    ("unfinished", "training not finished, its log ends at step 100"),
  ]
  (failed,) = left_out[""]
  assert (failed.state, failed.problem) == ("failed", "failed: no memory")


def test_runs_of_another_study_are_told(generated, tmp_path):
  for number in range(3):
    generated.write_run(tmp_path / str(number), generated.config_of(seed=number))
  generated.write_begun(tmp_path / "3", generated.config_of(seed=3))
  counted, left_out = reading.read_study(tmp_path, model_nums=(1, 3))
  assert names(counted) == {"VAE on dsprites_full, 10 latents": ["1"]}
  assert {run.name: run.state for runs in left_out.values() for run in runs} == {
    "0": "foreign",
    "2": "foreign",
    "3": "unfinished",
  }
  with pytest.raises(errors.ConfigError, match="No trained run of the study"):
    reading.read_study(tmp_path, model_nums=(3, 4))


def test_trained_runs_are_not_taken_for_diverged(generated, tmp_path):
  generated.write_run(tmp_path / "0", generated.config_of())
  (tmp_path / "0" / "diverged.json").write_text("{}")
  assert reading.read_unfinished(tmp_path) == []


def test_damaged_remains_are_named(generated, tmp_path):
  generated.write_begun(tmp_path / "0", generated.config_of(), diverged={"message": "x"})
  (tmp_path / "0" / "diverged.json").write_text("[1")
  (run,) = reading.read_unfinished(tmp_path)
  assert run.state == study_runs.DIVERGED and "its record is damaged" in run.problem
  (tmp_path / "0" / "model" / "run.json").write_text("[1")
  with pytest.raises(errors.DatasetError, match="0/model/run.json is damaged"):
    reading.read_unfinished(tmp_path)


def with_config(run, **config):
  row = {**run.row, **{f"train_config.{key}": value for key, value in config.items()}}
  return dataclasses.replace(run, row=row)


@pytest.mark.parametrize(
  ("config", "is_repeated"),
  [
    ({"model.num_threads": "4", "model.model_num": "17", "model.log_steps": "1"}, True),
    ({"equicorrelated.correlation": "-0.0"}, True),
    ({"posterior.noise_correlation": "@independent"}, True),
    ({"equicorrelated.correlation": "0.5"}, False),
    ({"model.random_seed": "1"}, False),
    ({"vae.beta": "2.0"}, False),
  ],
)
def test_what_makes_a_repetition(generated, config, is_repeated):
  (first,) = generated.make_runs({"mig_mean": [0.1]})
  second = dataclasses.replace(with_config(first, **config), name="second")
  counted, repeated = reading.without_repetitions([first, second])
  assert [run.name for run in repeated] == (["second"] if is_repeated else [])
  assert [run.name for run in counted] == [first.name] + (["second"] if not is_repeated else [])


def test_noises_of_one_correlation_and_different_kinds_are_no_repetition(generated):
  (first,) = generated.make_runs({"mig_mean": [0.1]}, correlation=0.5)
  noise = {"posterior.noise_correlation": "@banded", "banded.correlation": "0.5"}
  counted, repeated = reading.without_repetitions([first, with_config(first, **noise)])
  assert len(counted) == 2 and repeated == []


def test_table_of_runs_is_written(generated, tmp_path):
  generated.write_run(tmp_path / "0", generated.config_of())
  reading.read_study(tmp_path)
  header = (tmp_path / "runs.csv").read_text().splitlines()[0]
  assert header.startswith("run,method,dataset,num_latent,correlation,seed,steps,")
