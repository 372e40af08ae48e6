"""Semi-supervised trainings as runs: their labels, their evaluation, their identity, mistakes."""

import json
import os
import signal

from helpers import programs
import keras
import numpy as np
import pytest
from scipy import special
import tensorflow as tf

import dl_condind as dl
from dl_condind.data import labelled_samples
from dl_condind.training import train
from dl_condind.training import training_progress
from dl_condind.utils import errors

FILES = ["shared.gin", "methods/s2_vae.gin"]
TINY = [
  "dataset.name = 'dummy_data'",
  "model.training_steps = 2",
  "model.batch_size = 4",
  "model.eval_steps = 1",
  "encoder.encoder_fn = @test_encoder",
  "decoder.decoder_fn = @test_decoder",
]
LINEAR = {"encoder": dl.networks.test_encoder, "decoder": dl.networks.test_decoder}
SETTINGS = {"eval_steps": 1, "batch_size": 4}


def checkpoint(model_dir):
  """Returns all that the newest checkpoint holds, by name."""
  newest = sorted((model_dir / "tf_checkpoint").glob("step_*"))[-1]
  reader = tf.train.load_checkpoint(str(newest / "checkpoint"))
  names = sorted(reader.get_variable_to_shape_map())
  return {n: reader.get_tensor(n) for n in names if n != "_CHECKPOINTABLE_OBJECT_GRAPH"}


@pytest.mark.slow
def test_a_stopped_training_continues_bit_for_bit_with_all_that_labels_train(tmp_path, monkeypatch):
  data = dl.load_data("dummy_data")
  embed = dl.supervised_losses.Embedding("learn", use_order=True)
  model = dl.S2FactorVAE(
    10.0,
    4.0,
    supervised_loss=embed,
    anneal_fn=dl.annealers.anneal,
    iteration_threshold=25,
    discriminator=small_discriminator,
    **LINEAR,
  )
  partial = labelled_samples.partial_labeller
  labelled = dl.PartlyLabelled(data, 50, labeller_fn=partial)

  def run(name):
    return dl.train(model, labelled, tmp_path / name, steps=30, seed=3, log_steps=1, **SETTINGS)

  def kill(state):
    if state.step < state.training_steps:
      os.kill(os.getpid(), signal.SIGTERM)

  whole = run("whole")
  with monkeypatch.context() as patch:
    patch.setattr(training_progress, "in_python", lambda steps: training_progress.Show(kill, 0))
    with pytest.raises(errors.TryAgainError, match="SIGTERM: .* is saved at step 20"):
      run("stopped")
  again = run("stopped")
  expected, found = (checkpoint(tmp_path / name / "model") for name in ("whole", "stopped"))
  assert expected.keys() == found.keys()
  assert sum(name.startswith("label_") for name in found) == 6  # Slope, bias and sigma of each.
  for name, value in expected.items():
    np.testing.assert_array_equal(found[name], value, err_msg=name)
  log = "model/train_log.jsonl"
  lines = [(tmp_path / name / log).read_text() for name in ("whole", "stopped")]
  assert lines[0] == lines[1] and len(lines[0].splitlines()) == 30
  times = ("elapsed_time", "uuid")
  assert {k: v for k, v in again.losses.items() if k not in times} == {
    k: v for k, v in whole.losses.items() if k not in times
  }
  _check_final_loss(again, embed, found, labelled_samples.sample(data, 50, 3, partial))


def small_discriminator(num_latent, seed):
  inputs = keras.Input((num_latent,))
  kernel = keras.initializers.GlorotUniform(seed)
  return keras.Model(inputs, keras.layers.Dense(2, kernel_initializer=kernel)(inputs))


def _check_final_loss(run, loss, weights, sample):
  """Checks that the recorded loss is of labels that were not trained on, the first four of five."""
  images, labels = sample.observations[45:49], sample.labels[45:49]
  z = np.float64(run.encode(images))
  expected = 0.0
  for k in range(2):
    slope, bias, sigma = (
      np.float64(weights[f"label_{name}_{k}/.ATTRIBUTES/VARIABLE_VALUE"])
      for name in ("slope", "bias", "sigma")
    )
    logits = -(((z[:, k, None] - slope * np.arange(5) - bias) * sigma) ** 2)
    log_softmax = special.log_softmax(logits, axis=1)
    expected -= np.mean(log_softmax[np.arange(4), labels[:, k].astype(int)])
  assert run.losses["supervised_loss"] == pytest.approx(expected, rel=1e-4)
  assert type(loss).__name__ == "Embedding"


@pytest.mark.slow
def test_labels_of_another_seed_number_or_kind_are_another_run(tmp_path):
  bindings = [*TINY, "model.random_seed = 3"]
  train.train_with_gin(tmp_path / "model", False, FILES, bindings)
  for binding, message in (
    ("model.num_labelled_samples = 50", r"num_labelled_samples is 100 there and 50 here"),
    ("model.train_percentage = 0.8", r"train_percentage is 0\.9 there and 0\.8 here"),
    ("model.supervised_data_seed = 3", r"supervised_data_seed is absent there and 3 here"),
    ("model.unsupervised_data_seed = 1", r"unsupervised_data_seed is absent there and 1 here"),
    ("labeller.labeller_fn = @bin_labeller", r"labeller_fn is @perfect_labeller .* @bin_labeller"),
    ("supervised_loss.loss_fn = @l2", r"l2\.every_pair is absent there and False here"),
  ):
    with pytest.raises(errors.ConfigError, match=message):
      train.train_with_gin(tmp_path / "model", False, FILES, [*bindings, binding])
  # disentanglement_lib's other words for the same run.
  same = ["model.random_seed = 3", "model.model_seed = 3", "model.model = @s2_vae"]
  modified = (tmp_path / "model/results").stat().st_mtime_ns
  train.train_with_gin(tmp_path / "model", False, FILES, [*TINY, *same])
  model = dl.S2BetaVAE(4.0, 4.0, **LINEAR)
  labelled = dl.PartlyLabelled(dl.load_data("dummy_data"), 100)
  run = dl.train(model, labelled, tmp_path, steps=2, seed=3, **SETTINGS)
  assert (tmp_path / "model/results").stat().st_mtime_ns == modified
  assert "S2-beta-VAE on dummy_data" in repr(run) and "as many of 100 with labels" in repr(run)
  scores = dl.evaluate(run, dl.load_data("dummy_data"), ["mig"], settings={"mig.num_train": 50})
  assert 0 <= scores["mig"]["discrete_mig"] <= 1
  with pytest.raises(
    ValueError, match="data must be a data set .* got images with labels for some"
  ):
    dl.evaluate(run, labelled, ["mig"])


@pytest.mark.slow
def test_seeds_of_images_and_labels_are_independent_of_that_of_weights(tmp_path):
  data = dl.load_data("dummy_data")

  def log(name, seed, data_seed, label_seed):
    labelled = dl.PartlyLabelled(data, 50, seed=label_seed)
    model = dl.S2BetaVAE(0.0, 4.0, **LINEAR, optimizer=dl.optimizers.adam(1e-9))
    dl.train(
      model,
      labelled,
      tmp_path / name,
      steps=2,
      seed=seed,
      unsupervised_data_seed=data_seed,
      log_steps=1,
      **SETTINGS,
    )
    lines = (tmp_path / name / "model/train_log.jsonl").read_text().splitlines()
    return json.loads(lines[0])

  one = log("one", 0, 1, 2)
  images = log("images", 0, 5, 2)
  labels = log("labels", 0, 1, 6)
  weights = log("weights", 7, 1, 2)
  assert images["supervised_loss"] == one["supervised_loss"] != labels["supervised_loss"]
  assert images["kl_loss"] != one["kl_loss"] == labels["kl_loss"]
  assert weights["supervised_loss"] != one["supervised_loss"]


@pytest.mark.parametrize(
  ("binding", "message"),
  [
    (
      "encoder.num_latent = 9",
      r"CrossEntropy ties each label to a latent: encoder\.num_latent mus",
    ),
    (
      "model.train_percentage = 1.0",
      r"train_percentage must be a fraction in \(0, 1\) that leaves",
    ),
    ("model.num_labelled_samples = 0", r"num_labelled_samples must be in \[1, 1048576\], got 0"),
    (
      "model.num_labelled_samples = None",
      r"learns from images with labels for some of them: set m",
    ),
    ("model.num_labelled_samples = 'all'", r"num_labelled_samples must be int.*got 'all'"),
    ("model.supervised_data_seed = -1", r"model\.supervised_data_seed must be in \[0, 2\*\*32\)"),
    ("model.unsupervised_data_seed = -1", r"unsupervised_data_seed must be in \[0, 4294967295\]"),
    ("model.model_seed = 1", r"model_seed is another name of model\.random_seed: .* got 1 and 0"),
    ("model.random_seed = None", r"model\.random_seed must be set: it is the seed of the run"),
    ("labeller.labeller_fn = @l2", r"labeller_fn must be .*got @l2\."),
    ("supervised_loss.loss_fn = @fixed", r"loss_fn must be .*SupervisedLoss\], got @fixed\."),
    ("supervised_loss.loss_fn = @l2()", r"got @l2\(\)\. Did you mean @l2\?"),
    ("annealer.anneal_fn = @xent", r"anneal_fn must be .*got @xent\."),
    ("annealer.anneal_fn = @anneal", r"iteration_threshold must be a number of steps, at least 1,"),
    ("model.model = @vae()", r"for models that learn from labels, and BetaVAE learns from single"),
    ("s2_vae.gamma = 1.0", r"s2_vae has no parameter 'gamma'; did you mean"),
  ],
)
def test_mistakes_are_one_line_and_leave_nothing_behind(tmp_path, binding, message):
  bindings = [*TINY, "vae.beta = 1.0", binding]
  with pytest.raises(errors.ConfigError, match=message) as caught:
    train.train_with_gin(tmp_path / "run", False, FILES, bindings)
  assert len(str(caught.value).splitlines()[0]) < 400
  assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
  ("bindings", "code", "message"),
  [
    (["encoder.num_latent = 9"], 2, "ties each label to a latent"),
    (["model.train_percentage = 0.999"], 2, "leaves points to test on, got 0.999 of 100 points"),
    (
      [
        *("dataset.name = 'arrays'", "arrays.path = 'continuous.npz'"),
        *("supervised_loss.loss_fn = @embed", "embed.sigma = 1"),
      ],
      2,
      "needs labels that are whole numbers from 0",
    ),
    (["dataset.name = 'cars3d'"], 3, "is missing"),
  ],
)
def test_mistakes_end_the_program_with_one_line(tmp_path, monkeypatch, bindings, code, message):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path / "data"))
  monkeypatch.chdir(tmp_path)
  generator = np.random.default_rng(0)
  images = generator.integers(0, 256, (20, 64, 64), np.uint8)
  np.savez("continuous.npz", observations=images, factors=generator.uniform(size=(20, 2)))
  words = [f"--gin_config={name}" for name in FILES]
  words += [f"--gin_bindings={binding}" for binding in [*TINY, *bindings]]
  ended = programs.run("dl_condind_train", f"--model_dir={tmp_path / 'run'}", *words)
  assert ended.returncode == code
  (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
  assert message in line
  assert not (tmp_path / "run").exists()


def test_a_configuration_is_resolved_without_data(tmp_path, monkeypatch):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  labels = ["labeller.labeller_fn = @bin_labeller", "model.supervised_data_seed = 7"]
  text = train.resolved_config(FILES, [*TINY, "dataset.name = 'cars3d'", *labels])
  for line in ("bin_labeller.num_bins = 5", "model.supervised_data_seed = 7", "xent"):
    assert line in text
  assert "model_seed" not in text and "unsupervised_data_seed" not in text
