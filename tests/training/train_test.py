import dataclasses
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

from absl import flags
from absl import logging
import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import named_data
from dl_condind.training import run_identity
from dl_condind.training import train
from dl_condind.training import trainer
from dl_condind.training import training_loop
from dl_condind.training import training_progress
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import progress_lines
from dl_condind.utils import results

TINY = [
  "dataset.name = 'dummy_data'",
  "model.training_steps = 6",
  "model.batch_size = 4",
  "model.eval_steps = 2",
  "encoder.encoder_fn = @test_encoder",
  "decoder.decoder_fn = @test_decoder",
]
VAE = ["shared.gin", "methods/vae.gin"]
FACTOR_VAE = ["shared.gin", "methods/factor_vae.gin"]
PAIRS = ["shared.gin", "methods/group_vae_argmax.gin", "posteriors/rotated.gin"]
LABELS = ["shared.gin", "methods/s2_mine_vae.gin", "posteriors/rotated.gin"]
FINISHED = [*VAE, "posteriors/equicorrelated.gin"]  # What `finished` was trained with.
ROOT = pathlib.Path(__file__).parents[2]


def weights_digest(model_dir):
  """Returns a digest of all weights, optimizer slots and the step of the newest checkpoint."""
  (newest,) = sorted((model_dir / "tf_checkpoint").glob("step_*"))[-1:]
  reader = tf.train.load_checkpoint(str(newest / "checkpoint"))
  names = sorted(reader.get_variable_to_shape_map())
  digest = hashlib.sha256()
  for name in names:
    if name != "_CHECKPOINTABLE_OBJECT_GRAPH":  # Holds names that Keras numbers in each process.
      digest.update(name.encode() + np.asarray(reader.get_tensor(name)).tobytes())
  assert len(names) > 10
  return digest.hexdigest()


def start(model_dir, gin_files, bindings):
  """Starts the training program as a process of its own."""
  command = [sys.executable, str(ROOT / "bin" / "dl_condind_train"), f"--model_dir={model_dir}"]
  command += [f"--gin_config={name}" for name in gin_files]
  command += [f"--gin_bindings={binding}" for binding in bindings]
  return subprocess.Popen(
    command,
    stderr=subprocess.PIPE,
    text=True,
    env={**os.environ, "PYTHONPATH": str(ROOT)},
  )


@pytest.fixture
def finished(trained_run, tmp_path):
  """A copy of a trained model's folder, made with the files FINISHED and `tiny_training`."""
  return shutil.copytree(trained_run / "model", tmp_path / "finished")


@pytest.mark.parametrize("name", ["mnist", "cars3d"])
def test_missing_data_leaves_nothing_behind(tmp_path, monkeypatch, name):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path / "data"))
  bindings = [*TINY, f"dataset.name = '{name}'"]
  with pytest.raises(errors.DatasetError, match="is missing"):
    train.train_with_gin(tmp_path / "model", False, VAE, bindings)
  assert list(tmp_path.iterdir()) == []


def test_train_writes_checkpoint_model_log_and_record(tmp_path):
  train.train_with_gin(tmp_path, False, VAE, [*TINY, "model.log_steps = 2"])
  record = results.read_results(tmp_path, "train")
  assert record["global_step"] == 6
  assert record["loss"] == pytest.approx(record["reconstruction_loss"] + record["regularizer"])
  assert record["elbo"] == pytest.approx(-(record["reconstruction_loss"] + record["kl_loss"]))
  steps = [json.loads(x)["step"] for x in (tmp_path / "train_log.jsonl").read_text().splitlines()]
  assert steps == [0, 2, 4]
  files.verify_manifest(tmp_path / "saved_model")
  aggregate = results.read_aggregate(tmp_path / "results" / "aggregate" / "train.json")
  digest = files.manifest_digest(tmp_path / "saved_model")
  assert aggregate["train_provenance.saved_model_sha256"] == digest
  assert aggregate["train_config.vae.beta"] == "1.0"
  assert aggregate["train_provenance.dataset"] == "dummy_data"
  assert aggregate["train_provenance.kind"] == "vae"


def test_the_same_command_again_redoes_nothing(finished, tiny_training):
  before = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.name != ".lock"}
  bindings = [*tiny_training, "model.checkpoint_steps = 3"]
  train.train_with_gin(finished, False, FINISHED, bindings)
  assert before == {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.name != ".lock"}


@pytest.mark.slow
def test_a_deleted_model_is_exported_again_from_the_checkpoint(finished, tiny_training):
  variables = finished / "saved_model" / "variables" / "variables.data-00000-of-00001"
  log = finished / "train_log.jsonl"
  before = variables.read_bytes(), log.read_text()
  shutil.rmtree(finished / "saved_model")
  train.train_with_gin(finished, False, FINISHED, tiny_training)
  assert (variables.read_bytes(), log.read_text()) == before
  # An export is not the same bit for bit, so the record has to be of this one.
  digest = files.manifest_digest(finished / "saved_model")
  assert results.read_provenance(finished, "train")["saved_model_sha256"] == digest


@pytest.mark.slow
def test_a_record_does_not_outlive_its_model(finished, tiny_training, monkeypatch):
  shutil.rmtree(finished / "saved_model")

  def interrupted(*arguments):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(trainer, "evaluate_losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
      train.train_with_gin(finished, False, FINISHED, tiny_training)
  assert (finished / "saved_model").is_dir()
  assert not results.is_complete(finished, "train")
  train.train_with_gin(finished, False, FINISHED, tiny_training)
  results.check_recorded_model(finished / "saved_model")


def test_another_configuration_is_refused_with_what_differs(finished, tiny_training):
  digest = weights_digest(finished)
  bindings = [*tiny_training, "vae.beta = 2.0"]
  with pytest.raises(errors.ConfigError, match=r"vae\.beta is 1\.0 there and 2\.0 here.*overwrite"):
    train.train_with_gin(finished, False, FINISHED, bindings)
  assert weights_digest(finished) == digest
  train.train_with_gin(finished, True, FINISHED, bindings)
  assert weights_digest(finished) != digest


def test_a_folder_that_is_no_run_is_refused_also_with_overwrite(tmp_path):
  (tmp_path / "thesis.tex").write_text("precious")
  for overwrite in (False, True):
    with pytest.raises(errors.ConfigError, match=r"holds thesis\.tex but no run\.json"):
      train.train_with_gin(tmp_path, overwrite, VAE, TINY)
  assert (tmp_path / "thesis.tex").read_text() == "precious"


@pytest.mark.parametrize(
  "gin_files",
  [FACTOR_VAE, *(pytest.param(files, marks=pytest.mark.slow) for files in (VAE, PAIRS, LABELS))],
)
def test_stopped_and_continued_run_is_bit_identical(tmp_path, gin_files):
  train.train_with_gin(tmp_path / "whole", False, gin_files, [*TINY, "model.training_steps = 6"])
  stopped = tmp_path / "stopped"
  bindings = [*TINY, "model.training_steps = 6", "model.checkpoint_steps = 1"]
  train.train_with_gin(stopped, False, gin_files, bindings)
  newest = stopped / "tf_checkpoint" / "step_000000006"
  files.remove_directory(newest)  # As if killed before the last checkpoint, with step 5 there.
  files.remove_directory(stopped / "results")
  train.train_with_gin(stopped, False, gin_files, bindings)
  assert weights_digest(stopped) == weights_digest(tmp_path / "whole")
  logs = [directory / "train_log.jsonl" for directory in (stopped, tmp_path / "whole")]
  assert logs[0].read_text() == logs[1].read_text()
  whole, again = (results.read_results(d, "train") for d in (tmp_path / "whole", stopped))
  for key in whole.keys() - {"elapsed_time", "uuid"}:
    assert whole[key] == again[key]


@pytest.mark.slow
def test_two_seeds_differ_and_one_repeats(tmp_path, finished, tiny_training):
  digests = [weights_digest(finished)]
  for seed in (0, 1):
    bindings = [*tiny_training, f"model.random_seed = {seed}"]
    train.train_with_gin(tmp_path / str(seed), False, FINISHED, bindings)
    digests.append(weights_digest(tmp_path / str(seed)))
  assert digests[0] == digests[1] != digests[2]


@pytest.mark.slow
def test_damaged_checkpoint_is_passed_over(tmp_path):
  bindings = [*TINY, "model.checkpoint_steps = 2"]
  train.train_with_gin(tmp_path, False, VAE, bindings)
  digest = weights_digest(tmp_path)
  data = tmp_path / "tf_checkpoint" / "step_000000006" / "checkpoint.data-00000-of-00001"
  damaged = bytearray(data.read_bytes())
  damaged[1000] ^= 1
  data.write_bytes(damaged)
  files.remove_directory(tmp_path / "results")
  train.train_with_gin(tmp_path, False, VAE, bindings)
  assert weights_digest(tmp_path) == digest


@pytest.mark.parametrize(
  ("gin_files", "binding", "message"),
  [
    (PAIRS, "dynamics.k = 11", r"dynamics\.k must be a whole number in \[1, 10\], the number of"),
    (PAIRS, "dynamics.k = 0", r"or -1 \(any number\), got 0\."),
    (PAIRS, "dynamics.k = 'all'", r"dynamics\.k must be int, got 'all'"),
    (PAIRS, "dynamics.kk = 1", r"dynamics has no parameter 'kk'"),
    (PAIRS, "model.model = @group_vae()", r"is only the base of models: choose one of AdaGVAE, Gr"),
    (
      ["shared.gin", "methods/group_vae_labels.gin"],
      "encoder.num_latent = 9",
      r"GroupVAE gives each factor a latent of its own: encoder\.num_latent must be at least 10",
    ),
  ],
)
def test_pairs_that_cannot_be_learnt_from_are_refused(tmp_path, gin_files, binding, message):
  with pytest.raises(errors.ConfigError, match=message):
    train.train_with_gin(tmp_path / "run", False, gin_files, [*TINY, binding])
  assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
  ("binding", "message"),
  [
    ("model.training_steps = 0", r"model\.training_steps must be in \[1, 2147483647\], got 0"),
    ("model.batch_size = 0", r"model\.batch_size must be in \[1, 1048576\]"),
    ("model.random_seed = -1", r"model\.random_seed must be in \[0, 4294967295\]"),
    ("model.random_seed = 4294967296", r"model\.random_seed must be in \[0, 4294967295\]"),
    ("model.num_threads = 0", r"model\.num_threads must be in \[1, 1024\]"),
    ("encoder.num_latent = 0", r"encoder\.num_latent must be in \[1, 1000\]"),
    ("encoder.num_latent = 100000", r"encoder\.num_latent must be in \[1, 1000\], got 100000"),
    ("model.batch_size = 10000000000", r"model\.batch_size must be in \[1, 1048576\], got 100000"),
    ("model.num_threads = 2147483648", r"model\.num_threads must be in \[1, 1024\], got 21474"),
    ("model.training_steps = 2147483648", r"model\.training_steps must be in \[1, 2147483647\]"),
    ("model.eval_steps = 9223372036854775807", r"model\.eval_steps must be in \[1, 2147483647\]"),
    ("model.batch_size = 1" + "0" * 400, r"an integer must be in \[-2\*\*63 \+ 1, 2\*\*63 - 1\]"),
    ("vae.beta = 1" + "0" * 400, r"an integer must be in"),
    ("vae.beta = 1" + "0" * 5000, r"cannot read the value"),
    ("model.model = @l2_loss()", r"model\.model must be .*Model\], got @l2_loss\(\)\."),
    ("model.model = @mig()", r"'model\.model = @mig\(\)': "),  # May not be known here.
    ("model.model = @vae", r"got @vae\. Did you mean @vae\(\)\?"),
    ("model.model = @AdamOptimizer", r"model\.model must be .*Model\], got @AdamOptimizer\.$"),
    ("model.model = @AdamOptimizer()", r"must be .*Model\], got @AdamOptimizer\(\)\.$"),
    ("vae_optimizer.optimizer_fn = @vae", r"optimizer_fn must be .*Optimizer\], got @vae\."),
    ("posterior.noise_correlation = @vae", r"noise_correlation must be .*got @vae\."),
    ("posterior.noise_correlation = @posterior", r"noise_correlation must be .*got @posterior\."),
    (
      "posterior.noise_correlation = @equicorrelated()",
      r"got @equicorrelated\(\)\. Did you mean @equicorrelated\?",
    ),
    ("encoder.encoder_fn = @deconv_decoder", r"encoder_fn must be .*got @deconv_decoder\."),
    ("decoder.decoder_fn = @conv_encoder", r"decoder_fn must be .*got @conv_encoder\."),
    ("discriminator.discriminator_fn = @fc_encoder", r"got @fc_encoder\."),
    ("reconstruction_loss.loss_fn = @conv_encoder", r"loss_fn must be .*got @conv_encoder\."),
    ("dataset.factor_distribution = @vae()", r"must be .*FactorDistribution.*got @vae\(\)\."),
    ("vae.beta = @vae()", r"vae\.beta must be float, got @vae\(\)\."),
    ("encoder.encoder_fn = @encoder", r"encoder_fn must be .*got @encoder\."),
    ("AdamOptimizer.learning_rate = @AdamOptimizer", r"learning_rate must be .*@AdamOptimizer\."),
    ("model.training_stepz = 3", r"training_steps"),
    ("vae.beta = 'much'", r"vae\.beta"),
    ("dataset.name = 'dsprites'", r"Did you mean 'dsprites_full'"),
  ],
)
def test_bad_settings_are_refused_and_nothing_is_written(tmp_path, binding, message):
  with pytest.raises(errors.ConfigError, match=message):
    train.train_with_gin(tmp_path / "run", False, VAE, [*TINY, binding])
  assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
  "settings",
  [
    "strength = 1e-300",
    "strength = 1e300",
    "strength = 1" + "0" * 400,
    "strength = '0.2'",
    "strength = [0.2]",
    "correlated_pairs = 'ab'",
    "correlated_pairs = 3",
    "correlated_pairs = [1, 2]",
    "correlated_pairs = [('a', 1)]",
    "correlated_pairs = [(['a'], 'b')]",
    "held_out = {'a': 1}",
    "held_out = [{1: 2}]",
    "held_out = [{'shape': 'x'}]",
    "held_out = [{'shape': None}]",
    "held_out = [{'shape': [[1]]}]",
    "held_out = [{'shape': {}}]",
    "held_out = [{'shape': 0.5}]",
  ],
)
def test_bad_factor_distributions_are_one_line(tmp_path, settings):
  bindings = [*TINY, "dataset.factor_distribution = @FactorDistribution()"]
  if not settings.startswith("correlated_pairs"):
    bindings.append("FactorDistribution.correlated_pairs = [('factor_0', 'factor_1')]")
  with pytest.raises(errors.ConfigError, match=r"FactorDistribution|an integer must") as caught:
    train.train_with_gin(
      tmp_path / "run", False, VAE, [*bindings, f"FactorDistribution.{settings}"]
    )
  # gin adds lines of its own to what a constructor raises.
  assert len(str(caught.value).splitlines()[0]) < 300


@pytest.mark.parametrize(
  ("network", "message"),
  [
    ("no_model", r"encoder\.encoder_fn must return a Keras model, got a str\."),
    (
      "one_output",
      r"must return a model whose outputs for a single input have the shapes \[\(1, ",
    ),
    ("other_input", r"encoder\.encoder_fn must return a model that takes \[batch, 64, 64, 1\]: "),
  ],
)
def test_own_networks_are_checked(tmp_path, network, message):
  with pytest.raises(errors.ConfigError, match=message):
    train.train_with_gin(tmp_path / "run", False, VAE, [*TINY, f"encoder.encoder_fn = @{network}"])


@gin.register
def no_model(observation_shape, num_latent, seed):
  del observation_shape, num_latent, seed
  return "a model"


@gin.register
def one_output(observation_shape, num_latent, seed):
  del seed
  layers = [keras.Input(observation_shape), keras.layers.Flatten(), keras.layers.Dense(num_latent)]
  return keras.Sequential(layers)


@gin.register
def other_input(observation_shape, num_latent, seed):
  del observation_shape
  return one_output((3, 3, 1), num_latent, seed)


@pytest.mark.parametrize(
  "name",
  [
    "tensorboard",
    "tf_checkpoint",
    "results",
    *(
      pytest.param(n, marks=pytest.mark.slow)
      for n in ("saved_model", "train_log.jsonl", "run.json")
    ),
  ],
)
def test_a_file_in_place_of_a_folder_is_one_line(tmp_path, trained_run, tiny_training, name):
  run = tmp_path / "run"
  shutil.copytree(trained_run / "model", run)
  for folder in ("results", "tf_checkpoint"):
    shutil.rmtree(run / folder)
  path = run / name
  if path.is_file():
    path.unlink()
    path.mkdir()
  else:
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("mine")
  gin_files = [*VAE, "posteriors/equicorrelated.gin"]
  with pytest.raises(errors.ConfigError, match=name.replace(".", r"\.")):
    train.train_with_gin(run, False, gin_files, tiny_training)
  assert path.is_dir() or path.read_text() == "mine"


def test_correlation_out_of_range_is_refused(tmp_path):
  gin_files = [*VAE, "posteriors/equicorrelated.gin"]
  with pytest.raises(errors.ConfigError, match=r"must be in \(-0\.111111, 1\) for 10 latents"):
    train.train_with_gin(tmp_path, False, gin_files, [*TINY, "equicorrelated.correlation = 1.0"])


def test_loss_that_is_not_finite_stops_with_its_step(tmp_path):
  bindings = [*TINY, "vae_optimizer.learning_rate = 1e30", "model.checkpoint_steps = 1"]
  with pytest.raises(errors.DivergedError, match=r"is (nan|inf) at step \d"):
    train.train_with_gin(tmp_path, False, VAE, bindings)
  assert not results.is_complete(tmp_path, "train")


def test_a_locked_run_is_left_alone(tmp_path):
  with files.locked(tmp_path), pytest.raises(errors.TryAgainError, match="in use by process"):
    train.train_with_gin(tmp_path, False, VAE, TINY)


def test_a_training_says_what_it_does_from_its_start_to_its_end(tmp_path, caplog, monkeypatch):
  monkeypatch.setattr(progress_lines, "SECONDS_PER_LINE", 0.0)
  monkeypatch.setattr(training_loop, "_STEPS_PER_CALL", 2)
  every_time = dataclasses.replace(training_progress.in_program(6), seconds=0)
  monkeypatch.setattr(training_progress, "in_program", lambda steps: every_time)
  monkeypatch.setattr(flags.FLAGS["verbosity"], "value", logging.INFO)  # As in a program.
  bindings = [*TINY, "model.eval_steps = 3", "model.random_seed = 7"]
  files_of = [*VAE, "posteriors/equicorrelated.gin"]
  train.train_with_gin(tmp_path, False, files_of, [*bindings, "equicorrelated.correlation = 0.5"])
  lines = [record.getMessage() for record in caplog.records if record.name == "absl"]
  assert lines[0] == "Training VAE on dummy_data (synthetic), 6 steps of 4 images, c = 0.5, seed 7."
  steps = [re.fullmatch(r"step (\d) of 6, \S+ steps/s, \d+ s left, loss .*", x) for x in lines[1:4]]
  assert [match[1] for match in steps] == ["2", "4", "6"]
  assert lines[4] == "Evaluating the losses on 3 batches."
  assert [line.split(", ")[1] for line in lines[5:-1]] == ["batch 1 of 3", "batch 2 of 3"]
  assert lines[-1].startswith(f"Finished {tmp_path}")


def test_resolved_config_has_defaults_and_parses_again():
  text = train.resolved_config(VAE, TINY)
  assert "vae.beta = 1.0" in text
  assert "model.num_threads = 2" in text
  bindings = [line for line in text.splitlines() if line and not line.startswith("#")]
  assert sorted(bindings) == sorted(
    line
    for line in train.resolved_config([], ["\n".join(bindings)]).splitlines()
    if line and not line.startswith("#")
  )


@pytest.mark.slow
def test_jit_compiled_training_runs(tmp_path):
  train.train_with_gin(tmp_path, False, VAE, [*TINY, "model.jit_compile = True"])
  assert results.read_results(tmp_path, "train")["global_step"] == 6


def test_claim_reports_the_state(tmp_path):
  config = {"vae.beta": "6.0", "posterior.noise_correlation": "None", "model.name": "'x'"}
  assert run_identity.claim(tmp_path, config, {"a": 1}, False) == run_identity.NEW
  # The same in other words.
  same = {"vae.beta": "6", "posterior.noise_correlation": "@independent", "model.name": "'y'"}
  assert run_identity.claim(tmp_path, same, {"a": 1}, False) == run_identity.UNFINISHED
  with pytest.raises(errors.ConfigError, match=r"runtime\.a is 1 there and 2 here"):
    run_identity.claim(tmp_path, config, {"a": 2}, False)
  with pytest.raises(errors.ConfigError, match=r"vae\.beta is 6\.0 there and 5\.0 here"):
    run_identity.claim(tmp_path, {**config, "vae.beta": "5.0"}, {"a": 1}, False)
  (tmp_path / "run.json").write_text("{")
  with pytest.raises(errors.ConfigError, match="damaged"):
    run_identity.claim(tmp_path, config, {"a": 1}, False)


LONG = [*TINY, "model.training_steps = 2000", "model.log_steps = 20"]


def test_sigterm_saves_and_exits_75(tmp_path):
  process = start(tmp_path, VAE, [*TINY, "model.training_steps = 1000000"])
  deadline = time.monotonic() + 120
  log = tmp_path / "train_log.jsonl"
  while not log.exists() or log.stat().st_size < 500:
    assert time.monotonic() < deadline and process.poll() is None
    time.sleep(0.1)
  process.send_signal(signal.SIGTERM)
  _, stderr = process.communicate(timeout=60)
  assert process.returncode == 75
  assert "SIGTERM" in stderr.splitlines()[-1] and "run the same command again" in stderr
  (checkpoint,) = (tmp_path / "tf_checkpoint").glob("step_*")
  files.verify_manifest(checkpoint)


@pytest.mark.slow
def test_diverged_training_exits_4_with_one_line(tmp_path):
  process = start(tmp_path, VAE, [*TINY, "vae_optimizer.learning_rate = 1e30"])
  _, stderr = process.communicate(timeout=120)
  assert process.returncode == 4
  assert stderr.splitlines()[-1].startswith("error: ") and "Traceback" not in stderr


def kill_until_done(tmp_path, gin_files, num_kills, seed):
  """Kills a training num_kills times, each at a random instant after it made progress."""
  generator = random.Random(seed)
  for _ in range(num_kills):
    process = start(tmp_path, gin_files, [*LONG, "model.checkpoint_steps = 1"])
    log = tmp_path / "train_log.jsonl"
    size = log.stat().st_size if log.exists() else 0
    while not log.exists() or log.stat().st_size == size:
      assert process.poll() is None, process.stderr.read()
      time.sleep(0.02)
    time.sleep(generator.uniform(0, 0.3))
    process.kill()
    process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("gin_files", [VAE, PAIRS, LABELS], ids=["images", "pairs", "labels"])
def test_kills_do_not_change_the_result(tmp_path, request, gin_files):
  num_kills = request.config.getoption("--num_kills")
  train.train_with_gin(tmp_path / "whole", False, gin_files, LONG)
  kill_until_done(tmp_path / "killed", gin_files, num_kills, seed=0)
  train.train_with_gin(tmp_path / "killed", False, gin_files, LONG)
  assert not list(tmp_path.rglob("*.tmp"))
  assert weights_digest(tmp_path / "killed") == weights_digest(tmp_path / "whole")
  logs = [(tmp_path / name / "train_log.jsonl").read_text() for name in ("whole", "killed")]
  assert logs[0] == logs[1]


class PixelsOf255(dummy_data.DummyData):
  def sample_observations_from_factors(self, factors, random_state):
    return 255 * super().sample_observations_from_factors(factors, random_state)


def test_observations_outside_the_range_are_refused_before_the_first_step(tmp_path, monkeypatch):
  monkeypatch.setitem(named_data.DATA_SETS, "pixels", PixelsOf255)
  message = r"Observations of dummy_data must be in \[0, 1\], got values from 0\.\d+ to 25\d\.\d+:"
  with pytest.raises(errors.DatasetError, match=message):
    train.train_with_gin(tmp_path / "a", False, VAE, [*TINY, "dataset.name = 'pixels'"])
  assert not (tmp_path / "a" / "tf_checkpoint").exists()
