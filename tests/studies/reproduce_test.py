import dataclasses
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

import pytest

from dl_condind.evaluation import evaluate
from dl_condind.evaluation import validate
from dl_condind.reasoning import reason
from dl_condind.reports import aggregate_results
from dl_condind.studies import archive
from dl_condind.studies import repeated_evaluations
from dl_condind.studies import reproduce
from dl_condind.studies import run_state
from dl_condind.studies import study_file
from dl_condind.utils import errors
from dl_condind.utils import gin_texts
from dl_condind.utils import results

ROOT = pathlib.Path(__file__).parents[2]
REPEATABLE = "discrete_mig"


@pytest.fixture(scope="module")
def gin_file(tmp_path_factory, tiny_training):
  """A study of two runs as a user may write it, with a metric of the package on fewer points."""
  folder = tmp_path_factory.mktemp("study")
  (folder / "few.gin").write_text('include "metrics/mig.gin"\nmig.num_train = 50\n')
  path = folder / "my_study.gin"
  path.write_text(
    'study.gin_files = ["shared.gin", "methods/vae.gin", "posteriors/equicorrelated.gin"]\n'
    f"study.bindings = {tiny_training}\n"
    'study.axes = [("model.random_seed", [3]), ("equicorrelated.correlation", [0.0, 0.9])]\n'
    f'study.metrics = ["{folder}/few.gin"]\n'
  )
  return path


@pytest.fixture(scope="module")
def run(gin_file, tmp_path_factory):
  """The second run of the study."""
  output = tmp_path_factory.mktemp("output") / "1"
  reproduce.reproduce(study_file.load_study(str(gin_file)), 1, output)
  return output


def state(directory):
  """Returns when each file of a run was written, but for its locks."""
  return {p: p.stat().st_mtime_ns for p in directory.rglob("*") if p.name != ".lock"}


@pytest.mark.slow
def test_every_run_at_the_ends_of_the_studies_of_the_package_resolves(monkeypatch, tmp_path):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))  # Without any data.
  for name in study_file.study_names():
    study = study_file.load_study(name)
    for model_num in sorted({study.model_nums[0], study.model_nums[-1]}):
      text = reproduce.resolved_config(study, model_num)
      assert f"model.model_num = {model_num}\n" in text
      for key, value in study.values(model_num):
        if key not in (study_file.GIN_FILE, study_file.BINDINGS):
          assert f"{key} = {value!r}\n" in text
      for metric in study.metrics:
        folder = gin_texts.gin_config_folder()
        assert (folder / "metrics" / f"{metric}.gin").is_file() or (folder / metric).is_file()


@pytest.mark.slow
def test_a_run_out_of_an_archive_is_done_and_left_as_it_is(gin_file, run, tmp_path):
  study = study_file.load_study(str(gin_file))
  assert archive.pack(run.parent, tmp_path / "records.tar.xz", study).num_done == 1
  archive.unpack(tmp_path / "records.tar.xz", tmp_path / "elsewhere", study)
  unpacked = tmp_path / "elsewhere" / "1"
  before = state(unpacked)
  assert not list(unpacked.rglob("saved_model"))
  assert run_state.state_of(unpacked, study.settings(1)) == run_state.DONE
  reproduce.reproduce(study, 1, unpacked)
  assert state(unpacked) == before
  more = dataclasses.replace(study, metrics=(*study.metrics, "modularity_explicitness"))
  with pytest.raises(errors.ConfigError, match="came out of an archive without its model"):
    reproduce.reproduce(more, 1, unpacked)
  assert state(unpacked) == before
  rows = [aggregate_results.runs_table(folder)[0] for folder in (run.parent, unpacked.parent)]
  assert rows[0] == rows[1]
  assert rows[0]["train_results.reconstruction_loss"] > 0


def test_a_run_has_every_stage_in_its_place(run):
  assert sorted(path.name for path in run.iterdir()) == [
    ".lock", "done.json", "metrics", "model", "postprocessed", "visualizations",
  ]  # fmt: skip
  assert results.is_complete(run / "model", "train")
  for name in ("mean", "sampled"):
    assert results.is_complete(run / "postprocessed" / name, "postprocess")
    folder = run / "metrics" / name / "few" / "results" / "aggregate"
    record = results.read_aggregate(folder / "evaluation.json")
    assert record["train_config.model.random_seed"] == "3"
    assert record["train_config.equicorrelated.correlation"] == "0.9"
    assert record["train_config.model.model_num"] == "1"
    assert record["evaluation_config.mig.num_train"] == "50"
    assert f"@{name}_representation" == record["postprocess_config.postprocess.postprocess_fn"]


@pytest.mark.slow
def test_repeated_evaluations_add_to_the_first(gin_file, run, tmp_path):
  whole = tmp_path / "study" / "1"
  shutil.copytree(run, whole)
  study = study_file.load_study(str(gin_file))
  thrice = repeated_evaluations.repeat(study, 3)
  before = {path: time for path, time in state(whole).items() if "few" in path.parts}
  assert run_state.state_of(whole, thrice.settings(1)) == run_state.MISSING
  reproduce.reproduce(thrice, 1, whole)
  assert before.items() <= state(whole).items()
  for settings in (study.settings(1), thrice.settings(1)):
    assert run_state.state_of(whole, settings) == run_state.DONE
  values = []
  for folder in ("few", "few_1", "few_2"):
    record = results.read_record(whole / "metrics" / "mean" / folder, "evaluation")
    values.append(record["evaluation_results.discrete_mig"])
  assert record["evaluation_provenance.random_seed"] == 2546248239
  assert len(set(values)) == 3
  seeded = ["evaluation.random_seed = 2546248239"]
  few = [str(gin_file.parent / "few.gin")]
  evaluate.evaluate_with_gin(
    whole / "postprocessed" / "mean", tmp_path / "alone", False, few, seeded
  )
  assert results.read_results(tmp_path / "alone", "evaluation")["discrete_mig"] == values[2]
  # Fewer ask for nothing new; the records travel, and tables tell their spread.
  made = state(whole)
  reproduce.reproduce(study, 1, whole)
  assert state(whole) == made
  archive.pack(whole.parent, tmp_path / "records.tar.xz", study)
  for of in (study, thrice):
    archive.unpack(tmp_path / "records.tar.xz", tmp_path / "elsewhere", of)
  (row,) = aggregate_results.runs_table(tmp_path / "elsewhere")
  assert row["mean.few.num_evaluations"] == row["sampled.few.num_evaluations"] == 3
  assert row["mean.few.discrete_mig"] == values[0]
  assert row["mean.few.discrete_mig.evaluations_mean"] == pytest.approx(sum(values) / 3)
  assert row["mean.few.discrete_mig.evaluations_sd"] == pytest.approx(statistics.stdev(values))
  assert not any(column.startswith("mean.few_") for column in row)


@pytest.mark.slow
def test_representations_are_validated_and_solve_puzzles(gin_file, tmp_path):
  (tmp_path / "puzzles.gin").write_text(
    'include "reasoning/representation.gin"\n'
    "pgm.num_values = (5, 5, 3, 3)\n"
    "abstract_reasoning.num_iterations = 2\n"
    "abstract_reasoning.training_steps_per_iteration = 3\n"
    "abstract_reasoning.eval_steps_per_iteration = 2\n"
    "OptimizedWildRelNet.edge_mlp = [8]\n"
    "OptimizedWildRelNet.graph_mlp = [8]\n"
  )
  path = tmp_path / "reasoning.gin"
  path.write_text(
    f'include "{gin_file}"\n'
    'study.representations = ["mean"]\n'
    'study.validation = ["labelled_mig"]\n'
    f'study.reasoning = ["{tmp_path}/puzzles.gin"]\n'
  )
  study = study_file.load_study(str(path))
  bindings = ["dataset.name = 'spots'", "encoder.encoder_fn = @small_encoder"]
  bindings += ["decoder.decoder_fn = @small_decoder", "model.num_threads = 1"]
  reproduce.check(study, bindings)
  whole = tmp_path / "study" / "1"
  reproduce.reproduce(study, 1, whole, bindings)
  settings = study.settings(1, bindings)
  assert run_state.state_of(whole, settings) == run_state.DONE
  folders = {"validation": "labelled_mig", "reasoning": "puzzles"}
  stages = {kind: whole / kind / "mean" / name for kind, name in folders.items()}
  validated = results.read_record(stages["validation"], "validation")
  solved = results.read_record(stages["reasoning"], "abstract_reasoning")
  assert solved["abstract_reasoning_config.abstract_reasoning.num_threads"] == "1"
  # What an interrupted run lacks is made, and nothing else.
  before = state(whole)
  shutil.rmtree(stages["validation"])
  (stages["reasoning"] / "results" / "aggregate" / "abstract_reasoning.json").unlink()
  assert run_state.state_of(whole, settings) == run_state.MISSING
  shutil.rmtree(stages["reasoning"] / "results")
  reproduce.reproduce(study, 1, whole, bindings)
  logs = {path for path in {*before, *state(whole)} if path.parent.name == "tensorboard"}
  assert state(whole).keys() - logs == before.keys() - logs
  again = results.read_record(stages["reasoning"], "abstract_reasoning")
  key = "abstract_reasoning_results.best.val.loss"
  assert again[key] == solved[key]
  # The records travel, and tables have them.
  archive.pack(whole.parent, tmp_path / "records.tar.xz", study, bindings)
  archive.unpack(tmp_path / "records.tar.xz", tmp_path / "elsewhere", study, bindings)
  (row,) = aggregate_results.runs_table(tmp_path / "elsewhere")
  mig = validated["validation_results.discrete_mig"]
  assert row["mean.validation.labelled_mig.discrete_mig"] == mig
  assert row["mean.reasoning.puzzles.best.val.loss"] == solved[key]
  assert row["mean.reasoning.puzzles.config.pgm.num_values"] == "(5, 5, 3, 3)"


def test_the_same_run_again_does_nothing(run, gin_file):
  before = state(run)
  reproduce.reproduce(study_file.load_study(str(gin_file)), 1, run)
  assert state(run) == before


@pytest.mark.slow
def test_snapshots_are_evaluated_and_travel_with_their_run(gin_file, run, tmp_path):
  path = tmp_path / "snapshots.gin"
  path.write_text(
    f'include "{gin_file}"\n'
    'study.representations = ["mean"]\n'
    f'study.snapshot_metrics = ["{gin_file.parent}/few.gin"]\n'
  )
  study = study_file.load_study(str(path))
  steps = int(results.read_results(run / "model", "train")["global_step"])
  bindings = ["model.snapshot_steps = 1"]
  whole = tmp_path / "study" / "1"
  reproduce.reproduce(study, 1, whole, bindings)
  pattern = "model/snapshots/step_*/metrics/mean/few/results/aggregate/evaluation.json"
  assert len(list(whole.glob(pattern))) == steps
  assert run_state.state_of(whole, study.settings(1, bindings)) == run_state.DONE
  archive.pack(whole.parent, tmp_path / "records.tar.xz", study, bindings)
  archive.unpack(tmp_path / "records.tar.xz", tmp_path / "elsewhere", study, bindings)
  tables = []
  for folder in (whole, tmp_path / "elsewhere" / "1"):
    aggregate_results.aggregate(f"{folder}/{pattern}", tmp_path / "path.json")
    rows = aggregate_results.read_runs_table(tmp_path / "path_runs.csv")
    assert [row["steps"] for row in rows] == list(range(1, steps + 1))
    tables.append([{**row, "run": None} for row in rows])
  assert tables[0] == tables[1]
  (whole / pattern.replace("*", f"{1:09d}")).unlink()
  assert run_state.state_of(whole, study.settings(1, bindings)) == run_state.MISSING


def test_a_study_is_checked_as_a_whole(gin_file, tmp_path):
  reproduce.check(study_file.load_study(str(gin_file)))
  for setting, message in (
    ('study.metrics = ["migg"]', r"no gin file 'metrics/migg\.gin'"),
    ('study.axes = [("vae.beta", [1.0, "much"])]', r"vae\.beta must be float, got 'much'"),
    ('study.axes = [("vae.betta", [1.0])]', r"did you mean 'beta'"),
    ('study.axes = [("equicorrelated.correlation", [1.0])]', r"correlation must be in"),
    ('study.axes = [("bindings", [[], ["model.stepz = 3"]])]', r"no parameter 'stepz'"),
    ('study.validation = ["mig"]', r"study\.validation: .*mig\.gin does not bind .*labelled_mig"),
    ('study.reasoning = ["shared"]', r"shared\.gin does not bind TwoStageModel\.embedding"),
  ):
    path = tmp_path / "study.gin"
    path.write_text(f'include "{gin_file}"\n{setting}\n')
    with pytest.raises(errors.ConfigError, match=message):
      reproduce.check(study_file.load_study(str(path)))
  study = study_file.load_study(str(gin_file))
  with pytest.raises(
    errors.ConfigError, match=r"gin_bindings: mig is set for metrics/mig\.gin and"
  ):
    reproduce.check(dataclasses.replace(study, metrics=("mig",)), ["mig.num_train = 10"])
  reproduce.check(study, ["dataset.name = 'dummy_data'", "model.num_threads = 1"])


@pytest.mark.slow
def test_a_run_that_diverges_says_so_in_its_folder(gin_file, tmp_path):
  study = study_file.load_study(str(gin_file))
  bindings = ["vae_optimizer.learning_rate = 1e30", "model.training_steps = 6"]
  with pytest.raises(errors.DivergedError, match=r"is (nan|inf) at step \d"):
    reproduce.reproduce(study, 0, tmp_path, bindings)
  record = json.loads((tmp_path / "diverged.json").read_text())
  assert f"at step {record['step']} of {tmp_path}/model" in record["message"]
  assert run_state.state_of(tmp_path, study.settings(0, bindings)) == run_state.DIVERGED
  with pytest.raises(errors.DivergedError, match="has diverged"):
    reproduce.reproduce(study, 0, tmp_path, bindings)
  reproduce.reproduce(study, 0, tmp_path, overwrite=True)
  assert run_state.state_of(tmp_path, study.settings(0)) == run_state.DONE


@pytest.mark.parametrize(
  ("module", "function", "setting", "stage"),
  [
    (evaluate, "evaluate_with_gin", "metrics", "dci"),
    (validate, "validate_with_gin", "validation", "labelled_mig"),
    (reason, "reason_with_gin", "reasoning", "representation"),
  ],
)
def test_a_result_that_is_not_finite_is_a_failure_and_no_divergence(
  module, function, setting, stage, run, gin_file, tmp_path, monkeypatch
):
  def not_finite(*arguments):
    raise errors.DivergedError("a number is nan.")

  whole = tmp_path / "1"
  shutil.copytree(run, whole)
  study = dataclasses.replace(study_file.load_study(str(gin_file)), **{setting: (stage,)})
  monkeypatch.setattr(module, function, not_finite)
  message = rf"^{whole}/model is trained, but {stage} fails: a number is nan\. .*study\.{setting}"
  with pytest.raises(errors.ConfigError, match=message):
    reproduce.reproduce(study, 1, whole)
  assert run_state.state_of(whole, study.settings(1)) == run_state.MISSING


def test_another_run_in_its_folder_is_refused(run, gin_file):
  before = state(run)
  with pytest.raises(errors.ConfigError, match=r"correlation is 0\.9 there and 0\.0 here"):
    reproduce.reproduce(study_file.load_study(str(gin_file)), 0, run)
  with pytest.raises(errors.ConfigError, match=r"training_steps is 2 there and 3 here"):
    reproduce.reproduce(study_file.load_study(str(gin_file)), 1, run, ["model.training_steps = 3"])
  assert state(run) == before


@pytest.mark.slow
def test_a_given_model_is_taken(run, gin_file, tmp_path):
  study = study_file.load_study(str(gin_file))
  reproduce.reproduce(study, 1, tmp_path, model_dir=run / "model")
  assert not (tmp_path / "model").exists()
  # The run that the study describes is still to be made.
  assert run_state.state_of(tmp_path, study.settings(1)) == run_state.MISSING
  records = [
    results.read_results(folder / "metrics" / "sampled" / "few", "evaluation")
    for folder in (run, tmp_path)
  ]
  assert records[0][REPEATABLE] == records[1][REPEATABLE]


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ('study.metrics = ["migg"]', r"no gin file 'metrics/migg\.gin'"),
    ('study.representations = ["median"]', r"no gin file 'postprocess/median\.gin'"),
  ],
)
def test_a_mistake_in_a_later_stage_is_found_before_the_training(
  gin_file, tmp_path, settings, message
):
  path = tmp_path / "study.gin"
  path.write_text(f'include "{gin_file}"\n{settings}\n')
  with pytest.raises(errors.ConfigError, match=message):
    reproduce.reproduce(study_file.load_study(str(path)), 0, tmp_path / "run")
  assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_that_was_killed_between_its_stages_continues(run, gin_file, tmp_path):
  process = subprocess.Popen(
    [
      sys.executable, ROOT / "bin" / "dl_condind_reproduce",
      f"--study={gin_file}", "--model_num=1", f"--output_directory={tmp_path}",
    ],
    stderr=subprocess.PIPE,
    text=True,
    env={**os.environ, "PYTHONPATH": str(ROOT)},
  )  # fmt: skip
  done = tmp_path / "postprocessed" / "mean" / "results"
  deadline = time.monotonic() + 300
  while not done.exists():
    assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
    time.sleep(0.01)
  process.send_signal(signal.SIGKILL)
  process.communicate()
  assert not (tmp_path / "visualizations").exists()
  before = state(tmp_path / "model") | state(tmp_path / "postprocessed" / "mean")
  reproduce.reproduce(study_file.load_study(str(gin_file)), 1, tmp_path)
  after = state(tmp_path / "model") | state(tmp_path / "postprocessed" / "mean")
  assert after == before
  assert (tmp_path / "visualizations" / "visualization.json").is_file()
  for name in ("mean", "sampled"):
    records = [
      results.read_results(folder / "metrics" / name / "few", "evaluation")
      for folder in (run, tmp_path)
    ]
    assert records[0][REPEATABLE] == records[1][REPEATABLE]
