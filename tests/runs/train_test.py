import functools
import json
import os
import signal
import sys

from helpers import small_parts
import keras
import numpy as np
import pytest
import tensorflow as tf

import dl_condind as dl
from dl_condind.training import train as gin_train
from dl_condind.training import training_progress
from dl_condind.utils import errors
from dl_condind.utils import files

SETTINGS = {"eval_steps": 1, "batch_size": 4}
# Model in Python, and the same in gin.
METHODS = {
  "vae": (functools.partial(dl.BetaVAE, 1.0), []),
  "beta_tc_vae": (
    functools.partial(dl.BetaTCVAE, 6.0, "full"),
    ["beta_tc_vae.density = 'full'"],
  ),
  "annealed_vae": (functools.partial(dl.AnnealedVAE, 1000.0, 25.0, 100000), []),
  "dip_vae": (functools.partial(dl.DIPVAE, 10.0, 10.0, "ii"), ["dip_vae.dip_type = 'ii'"]),
  "factor_vae": (functools.partial(dl.FactorVAE, 35.0), []),
  "group_vae_argmax": (functools.partial(dl.AdaGVAE, 2.0), ["group_vae_argmax.beta = 2.0"]),
  "mlvae_argmax": (functools.partial(dl.AdaMLVAE, 3.0), ["mlvae_argmax.beta = 3.0"]),
  "s2_vae": (
    functools.partial(
      dl.S2BetaVAE,
      4.0,
      4.0,
      supervised_loss=dl.supervised_losses.Embedding("learn"),
      anneal_fn=dl.annealers.anneal,
      iteration_threshold=10,
    ),
    [
      *("supervised_loss.loss_fn = @embed", "embed.sigma = 'learn'"),
      *("annealer.anneal_fn = @anneal", "annealer.iteration_threshold = 10"),
    ],
  ),
  "s2_dip_vae": (functools.partial(dl.S2DIPVAE, 10.0, 10.0, 4.0), []),
  "s2_beta_tc_vae": (functools.partial(dl.S2BetaTCVAE, 10.0, 4.0), []),
  "s2_factor_vae": (
    functools.partial(
      dl.S2FactorVAE, 10.0, 4.0, supervised_loss=dl.supervised_losses.SquaredError()
    ),
    ["supervised_loss.loss_fn = @l2"],
  ),
  "s2_mine_vae": (functools.partial(dl.S2MineVAE, 4.0, 4.0), []),
  "supervised": (
    functools.partial(dl.SupervisedEncoder, supervised_loss=dl.supervised_losses.Covariance()),
    ["supervised_loss.loss_fn = @cov"],
  ),
}
# As many labels as there are latents.
LABELS = [
  "labeller.labeller_fn = @partial_labeller",
  "partial_labeller.num_observed_factors = 4",
]
NOISE = {
  "default": ({}, [], []),
  "equicorrelated": (
    {"posterior": dl.posteriors.Equicorrelated(0.9)},
    ["posteriors/equicorrelated.gin"],
    [],
  ),
  "isotropic": ({"posterior": dl.posteriors.Isotropic()}, ["posteriors/isotropic.gin"], []),
  "full": ({"posterior": dl.posteriors.Full()}, ["posteriors/full.gin"], []),
}
LINEAR = {
  "num_latent": 4,
  "encoder": dl.networks.test_encoder,
  "decoder": dl.networks.test_decoder,
}

# What a configuration leaves out, which is named in Python.
UNBOUND = {"default": {"posterior.noise_correlation": "@independent"}}


def gin_run(directory, method, noise, bindings, steps, tiny_training):
  """Trains the same model as gin files describe it."""
  gin_files = ["shared.gin", f"methods/{method}.gin", *noise]
  settings = [f"model.training_steps = {steps}", "model.random_seed = 3"]
  if method.startswith("s"):
    settings += LABELS
  gin_train.train_with_gin(
    directory / "model", False, gin_files, [*tiny_training, *bindings, *settings]
  )


def weights(directory):
  return files.sha256(directory / "model/saved_model/variables/variables.data-00000-of-00001")


def python_run(directory, model, steps):
  data = small_parts.dummy_data_for(model)
  return dl.train(model, data, directory, steps=steps, seed=3, **SETTINGS)


QUICK = {("factor_vae", "equicorrelated")}  # The steps of two networks.
PAIRS = {*((method, "equicorrelated") for method in METHODS), *(("vae", noise) for noise in NOISE)}


@pytest.mark.parametrize(
  "method, noise",
  [pytest.param(*pair, marks=[] if pair in QUICK else pytest.mark.slow) for pair in sorted(PAIRS)],
)
def test_a_run_in_python_is_the_run_in_gin(method, noise, tmp_path, tiny_training):
  make_model, bindings = METHODS[method]
  parts, gin_files, _ = NOISE[noise]
  run = python_run(tmp_path / "python", make_model(**LINEAR, **parts), 3)
  gin_run(tmp_path / "gin", method, gin_files, bindings, 3, tiny_training)
  assert weights(tmp_path / "python") == weights(tmp_path / "gin")
  # Each is complete for the other.
  modified = (tmp_path / "gin/model/results").stat().st_mtime_ns
  python_run(tmp_path / "gin", make_model(**LINEAR, **parts), 3)
  assert (tmp_path / "gin/model/results").stat().st_mtime_ns == modified
  gin_run(tmp_path / "python", method, gin_files, bindings, 3, tiny_training)
  other = dl.load(tmp_path / "gin")
  assert run.provenance["kl_loss"] == other.provenance["kl_loss"]
  assert run.config == {**other.config, **UNBOUND.get(noise, {})}
  times = ("elapsed_time", "uuid")
  assert {k: v for k, v in run.losses.items() if k not in times} == {
    k: v for k, v in other.losses.items() if k not in times
  }


@pytest.mark.slow
def test_infogan_in_python_is_infogan_in_gin(tmp_path):
  data = dl.load_data("dummy_data")
  run = dl.train(dl.InfoGAN(num_categories=3), data, tmp_path / "python", steps=2, **SETTINGS)
  gin_train.train_with_gin(
    tmp_path / "gin/model",
    False,
    ["methods/infogan.gin"],
    [
      "dataset.name = 'dummy_data'",
      "infogan.num_categories = 3",
      "model.training_steps = 2",
      "model.eval_steps = 1",
      "model.batch_size = 4",
    ],
  )
  assert weights(tmp_path / "python") == weights(tmp_path / "gin")
  other = dl.load(tmp_path / "gin")
  assert run.config == {**other.config, **UNBOUND["default"]}
  codes = np.array([[0.5, -1.0]])
  images = run.generate(codes, np.array([2]), seed=1)
  assert images.shape == (1, *data.observation_shape)
  np.testing.assert_array_equal(images, other.generate(codes, np.array([2]), seed=1))
  for categories, message in (
    ([3], r"categories must be in \[0, 2\], got 3 to 3"),
    ([-1], r"categories must be in \[0, 2\], got -1"),
    ([0.5], r"categories must be whole numbers, \[1\] as there are codes, got float64"),
    ([0, 1], r"categories must be whole numbers, \[1\] as there are codes, got int64 \[2\]"),
  ):
    with pytest.raises(errors.ConfigError, match=message):
      run.generate(codes, categories)
  assert run.recognize(images)["mean"].shape == (1, 2)
  assert "<img" in run._repr_html_()


@pytest.mark.slow
@pytest.mark.parametrize("first", ["python", "gin"])
def test_one_continues_the_other_bit_for_bit(first, tmp_path, tiny_training, monkeypatch):
  def kill(state):
    if state.step < state.training_steps:
      os.kill(os.getpid(), signal.SIGTERM)

  model = dl.BetaVAE(1.0, **LINEAR)
  steps = 50
  runs = {
    "python": lambda path: python_run(path, model, steps),
    "gin": lambda path: gin_run(path, "vae", [], [], steps, tiny_training),
  }
  second = "gin" if first == "python" else "python"
  runs[first](tmp_path / "whole")
  with monkeypatch.context() as patch:
    shown = training_progress.Show(kill, 0)
    patch.setattr(training_progress, "in_python", lambda steps: shown)
    patch.setattr(training_progress, "in_program", lambda steps: shown)
    with pytest.raises(errors.TryAgainError, match="SIGTERM: .* is saved at step 20"):
      runs[first](tmp_path / "continued")
  runs[second](tmp_path / "continued")
  assert weights(tmp_path / "continued") == weights(tmp_path / "whole")
  log = "model/train_log.jsonl"
  assert (tmp_path / "continued" / log).read_text() == (tmp_path / "whole" / log).read_text()


@pytest.mark.slow
def test_a_model_can_be_trained_again_and_again(tmp_path):
  data = dl.load_data("dummy_data")
  model = dl.BetaVAE(1.0, **LINEAR)
  for name, seed in (("first", 0), ("second", 0), ("other", 1)):
    dl.train(model, data, tmp_path / name, steps=2, seed=seed, **SETTINGS)
  assert weights(tmp_path / "first") == weights(tmp_path / "second")
  assert weights(tmp_path / "first") != weights(tmp_path / "other")
  assert model.encoder is dl.networks.test_encoder


@pytest.mark.slow
def test_a_network_of_the_user_is_copied_with_its_weights(tmp_path):
  data = dl.load_data("dummy_data")
  encoder = dl.networks.test_encoder(data.observation_shape, 4, seed=7)
  before = [value.copy() for value in encoder.get_weights()]
  model = dl.BetaVAE(1.0, **{**LINEAR, "encoder": encoder}, optimizer=keras.optimizers.SGD(0.0))
  images = data.sample_observations(3, np.random.RandomState(0))
  for seed in (0, 1):  # The encoder does not depend on the seed, and at rate 0 nothing changes.
    run = dl.train(model, data, tmp_path / str(seed), steps=2, seed=seed, **SETTINGS)
    np.testing.assert_allclose(run.encode(images), encoder(images)[0], rtol=1e-5, atol=1e-5)
  dl.train(model, data, tmp_path / "moved", steps=2, learning_rate=1e-3, **SETTINGS)
  assert np.abs(dl.load(tmp_path / "moved").encode(images) - encoder(images)[0]).max() > 1e-3
  for value, expected in zip(encoder.get_weights(), before, strict=True):
    np.testing.assert_array_equal(value, expected)
  encoder.set_weights([value + 1 for value in before])
  with pytest.raises(ValueError, match=r"another configuration: encoder\.encoder_fn is 'Keras mod"):
    dl.train(model, data, tmp_path / "0", steps=2, seed=0, **SETTINGS)


@pytest.mark.slow
def test_learning_rate_is_that_of_the_optimizer(tmp_path):
  data = dl.load_data("dummy_data")
  one = dl.BetaVAE(1.0, **LINEAR)
  other = dl.BetaVAE(1.0, **LINEAR, optimizer=dl.optimizers.adam(0.01))
  dl.train(one, data, tmp_path / "one", steps=2, learning_rate=0.01, **SETTINGS)
  dl.train(other, data, tmp_path / "other", steps=2, **SETTINGS)
  assert weights(tmp_path / "one") == weights(tmp_path / "other")
  configs = [dl.load(tmp_path / name).config for name in ("one", "other")]
  assert configs[0] == configs[1]
  assert configs[0]["vae/AdamOptimizer.learning_rate"] == "0.01"


def neighbors(num_latent, correlation):
  index = np.arange(num_latent)
  return correlation ** np.abs(index[:, None] - index)


@pytest.mark.slow
def test_settings_of_a_function_of_the_user_are_part_of_the_run(tmp_path):
  data = dl.load_data("dummy_data")
  for correlation in (0.5, 0.7):
    noise = functools.partial(neighbors, correlation=correlation)
    model = dl.BetaVAE(1.0, posterior=dl.posteriors.FixedCorrelation(noise), **LINEAR)
    if correlation == 0.5:
      run = dl.train(model, data, tmp_path, steps=2, **SETTINGS)
      assert "neighbors(correlation=0.5)" in run.config["posterior.noise_correlation"]
    else:
      with pytest.raises(ValueError, match=r"correlation=0\.5\)' there and .*correlation=0\.7\)'"):
        dl.train(model, data, tmp_path, steps=2, **SETTINGS)


class Sparse(dl.BaseVAE):
  """An objective that gin does not know, with an `__init__` in disentanglement_lib's manner."""

  def __init__(self, weight):
    self.weight = weight

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    return kl_loss + self.weight * tf.reduce_mean(tf.abs(z_mean))


@pytest.mark.slow
def test_an_objective_of_the_user(tmp_path):
  model = Sparse(0.5)
  model.num_latent, model.encoder, model.decoder = LINEAR.values()
  run = dl.train(model, dl.load_data("dummy_data"), tmp_path, steps=2, **SETTINGS)
  assert run.config["model.model"] == "@Sparse()"
  assert run.config["Sparse.weight"] == "0.5"
  assert run.losses["regularizer"] > run.losses["kl_loss"]
  model.weight = 2.0
  with pytest.raises(ValueError, match=r"Sparse\.weight is 0\.5 there and 2\.0 here"):
    dl.train(model, dl.load_data("dummy_data"), tmp_path, steps=2, **SETTINGS)


def with_dropout(shape, num_latent, seed):
  made = dl.networks.test_encoder(shape, num_latent, seed)
  inner = keras.Sequential([keras.Input(shape), keras.layers.Dropout(0.5)])
  images = keras.Input(shape)
  return keras.Model(images, made(inner(images)))


def with_penalty(shape, num_latent, seed):
  penalized = keras.layers.Conv2D(shape[2], 1, kernel_regularizer=keras.regularizers.L2(0.1))
  images = keras.Input(shape)
  return keras.Model(images, dl.networks.test_encoder(shape, num_latent, seed)(penalized(images)))


def with_spectral_normalization(shape, num_latent, seed):
  images = keras.Input(shape)
  normalized = keras.layers.SpectralNormalization(keras.layers.Conv2D(shape[2], 1))(images)
  return keras.Model(images, dl.networks.test_encoder(shape, num_latent, seed)(normalized))


def with_names(shape, num_latent, seed):
  made = dl.networks.test_encoder(shape, num_latent, seed)
  return keras.Model(made.inputs, dict(zip(("mean", "logvar"), made.outputs, strict=True)))


@pytest.mark.parametrize(
  "parts, settings, message",
  [
    ({"num_latent": 0}, {}, r"encoder\.num_latent must be in \[1, 1000\], got 0"),
    ({"activation": "relu"}, {}, 'activation must be "logits", "tanh" or "linear", got \'relu\''),
    ({"posterior": dl.posteriors.Equicorrelated(1.0)}, {}, r"correlation must be in \(-0.3333"),
    ({"encoder": lambda shape, num_latent, seed: None}, {}, "must return a Keras model, got a Non"),
    ({"encoder": with_dropout}, {}, "The encoder has a layer of the class Dropout"),
    ({"encoder": with_penalty}, {}, "without losses of its own, such as those of kernel_regular"),
    ({"encoder": with_spectral_normalization}, {}, "a layer of the class SpectralNormalization"),
    ({"encoder": "conv_encoder"}, {}, "encoder must be a function .* got 'conv_encoder'"),
    ({"reconstruction_loss": "l2"}, {}, "reconstruction_loss must be a function, .* got 'l2'"),
    ({"posterior": 0.9}, {}, r"posterior must be an object of a family, .* got 0\.9"),
    ({"posterior": dl.posteriors.Full}, {}, r"Equicorrelated\(0\.9\), got <class .*Full'>"),
    ({"encoder": with_names}, {}, "outputs are a list in their order, got a dictionary"),
    ({"optimizer": lambda: None}, {"learning_rate": 0.1}, "whose function takes none"),
    ({}, {"steps": 2.0}, r"training_steps must be a whole number, got 2\.0"),
    ({}, {"eval_steps": 2.0}, r"eval_steps must be a whole number, got 2\.0"),
    ({}, {"steps": 0}, r"training_steps must be in \[1, \d+\], got 0"),
    ({}, {"batch_size": 0}, r"batch_size must be in \[1, \d+\], got 0"),
    ({}, {"seed": -1}, r"random_seed must be in \[0, \d+\], got -1"),
    ({}, {"learning_rate": 0.0}, r"learning_rate must be positive, got 0\.0"),
  ],
)
def test_mistakes_are_one_line_and_leave_nothing_behind(parts, settings, message, tmp_path):
  model = dl.BetaVAE(1.0, **{**LINEAR, **parts})
  with pytest.raises(ValueError, match=message) as caught:
    dl.train(
      model, dl.load_data("dummy_data"), tmp_path / "run", **{"steps": 2, **SETTINGS, **settings}
    )
  assert "\n" not in str(caught.value)
  assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
  ("model", "name"),
  [
    (dl.BetaVAE(beta=-1.0), "BetaVAE.beta"),
    (dl.BetaTCVAE(beta=-1.0), "BetaTCVAE.beta"),
    (dl.FactorVAE(gamma=-1.0), "FactorVAE.gamma"),
    (dl.DIPVAE(lambda_od=1.0, lambda_d_factor=-1.0, dip_type="i"), "DIPVAE.lambda_d_factor"),
    (dl.AnnealedVAE(gamma=-1.0, c_max=1.0, iteration_threshold=1), "AnnealedVAE.gamma"),
    (dl.AdaGVAE(beta=-1.0), "AdaGVAE.beta"),
    (dl.S2BetaVAE(beta=1.0, gamma_sup=-1.0), "S2BetaVAE.gamma_sup"),
    (dl.S2DIPVAE(-1.0, 1.0, 1.0), "S2DIPVAE.lambda_od"),
    (dl.S2BetaTCVAE(beta=float("inf"), gamma_sup=1.0), "S2BetaTCVAE.beta"),
    (dl.S2FactorVAE(gamma=1.0, gamma_sup=-1.0), "S2FactorVAE.gamma_sup"),
    (dl.S2MineVAE(beta=float("nan"), gamma_sup=1.0), "S2MineVAE.beta"),
  ],
  ids=lambda value: value if isinstance(value, str) else "",
)
def test_weights_of_a_loss_are_not_negative_and_finite(model, name):
  model.num_values = (3,)  # Of labels, which some learn from.
  with pytest.raises(ValueError, match=f"^{name} weighs a part of the loss and must be at least 0"):
    model.build((8, 8, 1), 0)


def test_mistakes_in_a_call_are_found():
  with pytest.raises(TypeError, match="num_latents"):
    dl.BetaVAE(1.0, num_latents=4)
  with pytest.raises(TypeError, match="beta"):
    dl.BetaVAE()
  with pytest.raises(ValueError, match="Did you mean 'dsprites_full'") as caught:
    dl.load_data("dsprites_ful")
  assert "\n" not in str(caught.value)
  with pytest.raises(ValueError, match="dummy_data: got an unexpected keyword argument 'pth'"):
    dl.load_data("dummy_data", pth="x")
  with pytest.raises(ValueError, match="must be a model, .*got the class BetaVAE itself: call it"):
    dl.train(dl.BetaVAE, dl.load_data("dummy_data"), "unused", steps=1)
  with pytest.raises(ValueError, match="InfoGAN has more than one optimizer"):
    dl.train(dl.InfoGAN(), dl.load_data("dummy_data"), "unused", steps=1, learning_rate=1e-3)


@pytest.mark.slow
def test_progress_is_lines_where_there_is_no_terminal(tmp_path, capsys):
  python_run(tmp_path, dl.BetaVAE(1.0, **LINEAR), 3)
  (line,) = capsys.readouterr().out.splitlines()
  assert line.startswith("step 3 of 3, ") and "reconstruction_loss" in line


@pytest.mark.slow
def test_progress_is_a_bar_in_a_notebook(tmp_path, capsys, monkeypatch):
  monkeypatch.setitem(sys.modules, "ipykernel", None)
  python_run(tmp_path, dl.BetaVAE(1.0, **LINEAR), 3)
  shown = capsys.readouterr().out
  assert "3/3" in shown and "loss" in shown


@pytest.mark.slow
def test_a_run_of_a_data_set_with_options_is_found_again(tmp_path):
  rng = np.random.default_rng(0)
  np.savez(tmp_path / "own.npz", observations=rng.integers(0, 256, (20, 64, 64), np.uint8))
  data = dl.load_data("arrays", path=str(tmp_path / "own.npz"))
  run = dl.train(dl.BetaVAE(1.0, **LINEAR), data, tmp_path / "run", steps=2, **SETTINGS)
  assert run.config["arrays.path"] == repr(str(tmp_path / "own.npz"))
  identity = json.loads((tmp_path / "run/model/run.json").read_text())
  assert identity["arrays.path"] == run.config["arrays.path"]


@pytest.mark.slow
def test_pairs_of_other_settings_are_another_run(tmp_path):
  data = dl.load_data("dummy_data")
  model = dl.AdaGVAE(2.0, **LINEAR)
  run = dl.train(model, dl.Pairs(data, k=-1), tmp_path, steps=2, **SETTINGS)
  assert run.config["dynamics.k"] == "-1" and run.config["dynamics.exclude_current"] == "False"
  assert "pairs" in repr(run) and "Ada-GVAE" in repr(run)
  for settings, message in (
    ({"k": 2}, r"dynamics\.k is -1 there and 2 here"),
    ({"k": -1, "exclude_current": True}, r"exclude_current is False there and True here"),
  ):
    with pytest.raises(ValueError, match=message):
      dl.train(model, dl.Pairs(data, **settings), tmp_path, steps=2, **SETTINGS)
  # It is evaluated like any VAE, on single images.
  scores = dl.evaluate(run, data, ["mig"], settings={"mig.num_train": 50})
  assert 0 <= scores["mig"]["discrete_mig"] <= 1
  with pytest.raises(ValueError, match="data must be a data set .* got pairs of images: give the"):
    dl.evaluate(run, dl.Pairs(data, k=1), ["mig"])
  with pytest.raises(ValueError, match="AdaGVAE learns from pairs of images, got single images"):
    dl.train(model, data, tmp_path / "other", steps=2, **SETTINGS)
  assert not (tmp_path / "other").exists()
