"""InfoGAN as a training sees it: from its configuration file to a record."""

import gzip
import hashlib
import json
import logging
import os
import pathlib
import subprocess
import sys
import time

from helpers import testdata
import numpy as np
import pytest
import tensorflow as tf

from dl_condind.methods import discriminator_watch
from dl_condind.saved_models import saved_model
from dl_condind.training import train
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results

ROOT = pathlib.Path(__file__).parents[2]
GIN_FILES = ["methods/infogan.gin", "posteriors/equicorrelated.gin"]
LOSSES = {
  "discriminator_loss",
  "generator_loss",
  "mutual_information_penalty",
  "continuous_nll",
  "categorical_cross_entropy",
  "discriminator_accuracy_real",
  "discriminator_accuracy_fake",
}
NUM_KILLS = 2


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
  """Bindings of a short training on 50 images of 8 x 8 pixels."""
  path = tmp_path_factory.mktemp("data") / "images.npz"
  images = np.random.default_rng(0).integers(256, size=(50, 8, 8), dtype=np.uint8)
  np.savez(path, observations=images)
  return [
    "dataset.name = 'arrays'",
    f"arrays.path = '{path}'",
    "model.training_steps = 6",
    "model.batch_size = 4",
    "model.eval_steps = 2",
    "model.log_steps = 2",
  ]


def run(model_dir, bindings):
  train.train_with_gin(model_dir, False, GIN_FILES, bindings)


def state_digest(model_dir):
  """Returns a digest of all weights, statistics, optimizer slots and the step."""
  (newest,) = sorted((model_dir / "tf_checkpoint").glob("step_*"))[-1:]
  reader = tf.train.load_checkpoint(str(newest / "checkpoint"))
  names = sorted(reader.get_variable_to_shape_map())
  digest = hashlib.sha256()
  for name in names:
    if name != "_CHECKPOINTABLE_OBJECT_GRAPH":  # Holds names that Keras numbers in each process.
      digest.update(name.encode() + np.asarray(reader.get_tensor(name)).tobytes())
  assert sum("moving_mean" in name or "moving_variance" in name for name in names) == 12
  assert len(names) > 100
  return digest.hexdigest()


def test_a_run_has_checkpoint_model_log_and_record(tiny, tmp_path):
  run(tmp_path, tiny)
  record = results.read_results(tmp_path, "train")
  assert record.keys() == LOSSES | {
    "discriminator_collapsed",
    "global_step",
    "elapsed_time",
    "uuid",
  }
  assert record["discriminator_collapsed"] is False
  assert record["mutual_information_penalty"] == pytest.approx(
    0.1 * record["continuous_nll"] + record["categorical_cross_entropy"], rel=1e-5
  )
  lines = [json.loads(x) for x in (tmp_path / "train_log.jsonl").read_text().splitlines()]
  assert [line["step"] for line in lines] == [0, 2, 4]
  assert all(line.keys() == LOSSES | {"step"} for line in lines)
  signatures = saved_model.load(tmp_path / "saved_model").signatures
  assert set(signatures) == {"generator", "recognition_network", "discriminator"}
  aggregate = results.read_aggregate(tmp_path / "results" / "aggregate" / "train.json")
  assert aggregate["train_config.infogan.continuous_prior"] == "'normal'"
  assert aggregate["train_config.equicorrelated.correlation"] == "0.9"
  assert aggregate["train_config.generator/AdamOptimizer.learning_rate"] == "0.001"


@pytest.mark.slow
def test_stopped_and_continued_run_is_bit_identical(tiny, tmp_path):
  run(tmp_path / "whole", tiny)
  stopped, bindings = tmp_path / "stopped", [*tiny, "model.checkpoint_steps = 3"]
  run(stopped, bindings)
  files.remove_directory(stopped / "tf_checkpoint" / "step_000000006")
  files.remove_directory(stopped / "results")
  run(stopped, bindings)
  assert state_digest(stopped) == state_digest(tmp_path / "whole")
  records = [results.read_results(tmp_path / name, "train") for name in ("whole", "stopped")]
  for key in records[0].keys() - {"elapsed_time", "uuid"}:
    assert records[0][key] == records[1][key]


@pytest.mark.slow
def test_two_seeds_differ_and_one_repeats(tiny, tmp_path):
  digests = []
  for index, seed in enumerate([0, 0, 1]):
    run(tmp_path / str(index), [*tiny, f"model.random_seed = {seed}"])
    digests.append(state_digest(tmp_path / str(index)))
  assert digests[0] == digests[1] != digests[2]


@pytest.mark.slow
def test_kills_do_not_change_the_result(tiny, tmp_path):
  bindings = [*tiny, "model.training_steps = 400"]
  run(tmp_path / "whole", bindings)
  killed = tmp_path / "killed"
  command = [sys.executable, str(ROOT / "bin" / "dl_condind_train"), f"--model_dir={killed}"]
  command += [f"--gin_config={name}" for name in GIN_FILES]
  command += [f"--gin_bindings={x}" for x in [*bindings, "model.checkpoint_steps = 7"]]
  log = killed / "train_log.jsonl"
  for _ in range(NUM_KILLS):
    size = log.stat().st_size if log.exists() else 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    while not log.exists() or log.stat().st_size == size:
      assert process.poll() is None, process.stderr.read()
      time.sleep(0.02)
    time.sleep(0.3)
    process.kill()
    process.communicate()
  assert (killed / "tf_checkpoint").is_dir() and not (killed / "results").exists()
  run(killed, bindings)
  assert state_digest(killed) == state_digest(tmp_path / "whole")
  logs = [(tmp_path / name / "train_log.jsonl").read_text() for name in ("whole", "killed")]
  assert logs[0] == logs[1]
  variables = [
    (tmp_path / name / "saved_model" / "variables" / "variables.data-00000-of-00001").read_bytes()
    for name in ("whole", "killed")
  ]
  assert variables[0] == variables[1]


@pytest.mark.slow
def test_jit_compiled_training_runs(tiny, tmp_path):
  run(tmp_path, [*tiny, "model.jit_compile = True"])
  assert results.read_results(tmp_path, "train")["global_step"] == 6


@pytest.mark.slow
def test_a_collapse_is_logged_once_and_in_the_record(tiny, tmp_path, monkeypatch, caplog):
  monkeypatch.setattr(discriminator_watch, "WINDOW", 2)
  monkeypatch.setattr(discriminator_watch, "ACCURACY", 0.0)
  with caplog.at_level(logging.WARNING):
    run(tmp_path, [*tiny, "model.checkpoint_steps = 1"])
  (message,) = [record.message for record in caplog.records if "discriminator" in record.message]
  assert f"{tmp_path}: the discriminator was right in at least 0% of cases in steps 0 to 1" in (
    message
  )
  assert results.read_results(tmp_path, "train")["discriminator_collapsed"] is True


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_with_its_step(tiny, tmp_path):
  bindings = [*tiny, "generator_optimizer.learning_rate = 1e38", "model.training_steps = 40"]
  with pytest.raises(errors.DivergedError, match=r"is -?(nan|inf) at step \d"):
    run(tmp_path, bindings)
  assert not results.is_complete(tmp_path, "train")


@pytest.mark.parametrize(
  ("binding", "message"),
  [
    *(
      (f"{key} = {value}", rf"{key} is a setting of VAEs, which infogan does not read: leave it")
      for key, value in [
        ("encoder.num_latent", "20"),
        ("reconstruction_loss.activation", "'tanh'"),
        ("vae_optimizer.learning_rate", "0.1"),
        ("discriminator.discriminator_fn", "@fc_discriminator"),
      ]
    ),
    ("model.batch_size = 1", r"model\.batch_size must be at least 2: infogan normalizes"),
    ("infogan.num_categories = 1", r"infogan\.num_categories must be 0"),
    ("infogan.continuous_prior = 'gamma'", r'continuous_prior must be "normal" or "uniform"'),
    ("infogan.beta = 4.0", r"infogan has no parameter 'beta'"),
    ("infogan.num_noise = 6.5", r"infogan\.num_noise must be int, got 6\.5"),
    ("equicorrelated.correlation = 1.0", r"must be in \(-1, 1\) for 2 latents, got 1\.0"),
    ("generator/AdamOptimizer.learning_rate = 0.0", r"learning_rate must be positive, got 0\.0"),
  ],
)
def test_bad_settings_are_refused_and_nothing_is_written(tiny, tmp_path, binding, message):
  with pytest.raises(errors.ConfigError, match=message):
    run(tmp_path / "run", [*tiny, binding])
  assert not (tmp_path / "run").exists()


def test_shared_settings_of_vaes_are_refused(tiny, tmp_path):
  with pytest.raises(errors.ConfigError, match="leave it out, and shared.gin too"):
    train.train_with_gin(tmp_path / "run", False, ["shared.gin", *GIN_FILES], tiny)


def test_images_of_another_size_are_refused(tiny, tmp_path):
  np.savez(tmp_path / "images.npz", observations=np.zeros((50, 10, 8), np.uint8))
  bindings = [*tiny, f"arrays.path = '{tmp_path / 'images.npz'}'"]
  with pytest.raises(errors.ConfigError, match="multiples of 4, got 10 x 8"):
    run(tmp_path / "run", bindings)


@pytest.fixture
def mnist_folder(tmp_path, monkeypatch):
  """A data folder with the official files."""
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  testdata.copy_mnist(tmp_path)
  return tmp_path / "mnist"


FEW = ["model.training_steps = 2", "model.batch_size = 4", "model.eval_steps = 1"]
IMAGES = "train-images-idx3-ubyte.gz"


@pytest.mark.slow
def test_the_configuration_trains_on_mnist(mnist_folder, tmp_path):
  run(tmp_path / "run", FEW)
  aggregate = results.read_aggregate(tmp_path / "run" / "results" / "aggregate" / "train.json")
  assert aggregate["train_results.global_step"] == 2
  assert aggregate["train_provenance.dataset"] == "mnist"
  assert aggregate["train_provenance.kind"] == "infogan"
  model = saved_model.load(tmp_path / "run" / "saved_model")  # It owns the weights.
  code = {"categorical": tf.eye(10), "continuous": tf.zeros([10, 2]), "noise": tf.zeros([10, 62])}
  images = model.signatures["generator"](**code)["images"].numpy()
  assert images.shape == (10, 28, 28, 1)
  assert images.min() >= 0 and images.max() <= 1


def test_missing_mnist_is_one_clear_error(mnist_folder, tmp_path):
  (mnist_folder / IMAGES).unlink()
  with pytest.raises(errors.DatasetError, match=r"train-images-idx3-ubyte is missing: put it"):
    run(tmp_path / "run", FEW)


@pytest.mark.slow
def test_damaged_mnist_is_one_clear_error(mnist_folder, tmp_path):
  content = bytearray(gzip.decompress((mnist_folder / IMAGES).read_bytes()))
  content[5000] ^= 1
  (mnist_folder / IMAGES).write_bytes(gzip.compress(bytes(content), 1))
  with pytest.raises(errors.DatasetError, match=r"damaged or not the official MNIST file"):
    run(tmp_path / "run", FEW)
