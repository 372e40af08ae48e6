import keras
import numpy as np
import pytest
import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import annealed_vae
from dl_condind.methods import beta_tc_vae
from dl_condind.methods import dip_vae
from dl_condind.methods import factor_vae
from dl_condind.methods import gaussian_encoder_model
from dl_condind.methods import vae
from dl_condind.utils import errors

SEED = (5, 6)

OBJECTIVES = {
  "vae": lambda: vae.BetaVAE(beta=4.0),
  "annealed_vae": lambda: annealed_vae.AnnealedVAE(gamma=10.0, c_max=5.0, iteration_threshold=10),
  "factor_vae": lambda: factor_vae.FactorVAE(gamma=10.0),
  "dip_vae_i": lambda: dip_vae.DIPVAE(lambda_od=2.0, lambda_d_factor=10.0, dip_type="i"),
  "dip_vae_ii": lambda: dip_vae.DIPVAE(lambda_od=2.0, lambda_d_factor=1.0, dip_type="ii"),
  "beta_tc_vae": lambda: beta_tc_vae.BetaTCVAE(beta=6.0),
  "beta_tc_vae_full": lambda: beta_tc_vae.BetaTCVAE(beta=6.0, density="full"),
}
each_objective = pytest.mark.parametrize("make_model", OBJECTIVES.values(), ids=OBJECTIVES)

each_network_training = pytest.mark.parametrize(
  "make_model",
  [OBJECTIVES[name] for name in ("vae", "factor_vae")],
  ids=("without discriminator", "with discriminator"),
)


def weights_of(model):
  parts = [model.encoder, model.decoder]
  parts += [model.discriminator] if hasattr(model, "discriminator") else []
  return {variable.path: variable.numpy() for part in parts for variable in part.weights}


def test_interface_is_abstract():
  with pytest.raises(TypeError, match="abstract"):
    gaussian_encoder_model.GaussianEncoderModel()


@each_objective
def test_construction_makes_no_weights_and_building_makes_them_all(make_model, build):
  model = make_model()
  assert not any(isinstance(part, keras.Model | tf.Module) for part in vars(model).values())
  build(model)
  assert model.num_latent == 3
  assert model.observation_shape == (4, 4, 1)
  assert int(model.global_step) == 0
  expected = np.full((3, 3), 0.5)
  np.fill_diagonal(expected, 1)
  np.testing.assert_array_equal(model.posterior.matrix(3), expected)


def test_weights_depend_on_the_seed_alone(build, give_small_parts):
  first, second = (build(factor_vae.FactorVAE(gamma=1.0)) for _ in range(2))
  other = give_small_parts(factor_vae.FactorVAE(gamma=1.0))
  other.build((4, 4, 1), seed=2)
  for (name, value), same, different in zip(
    weights_of(first).items(), weights_of(second).values(), weights_of(other).values(), strict=True
  ):
    np.testing.assert_array_equal(value, same)
    assert "bias" in name or np.mean(value == different) < 0.1


def test_networks_start_from_different_seeds(build):
  model = build(factor_vae.FactorVAE(gamma=1.0), num_latent=16)
  heads = [model.encoder.get_layer(name).kernel.numpy() for name in ("means", "log_var")]
  decoder = model.decoder.get_layer("logits").kernel.numpy()
  discriminator = model.discriminator.layers[1].kernel.numpy()[:, :16]
  kernels = [kernel.ravel() for kernel in (*heads, decoder, discriminator)]
  # Draws of one seed are multiples of each other: all have 16 x 16 elements.
  assert np.max(np.abs(np.corrcoef(kernels) - np.eye(4))) < 0.3


def test_encode_and_decode_are_the_networks(build, observations):
  model = build(vae.BetaVAE(beta=1.0))
  *encoded, extra = model.encode(observations)
  assert extra is None
  for values, expected in zip(encoded, model.encoder(observations), strict=True):
    np.testing.assert_array_equal(values, expected)
  z = tf.ones([5, 3])
  np.testing.assert_array_equal(model.decode(z), model.decoder(z))


@each_objective
def test_number_of_slices_does_not_change_losses(make_model, build, observations):
  whole = build(make_model())
  sliced = build(make_model())
  sliced.num_slices = 4
  expected = whole.compute_losses(observations, tf.constant(SEED))
  losses = sliced.compute_losses(observations, tf.constant(SEED))
  for name in expected:
    np.testing.assert_allclose(losses[name], expected[name], rtol=1e-5)


def test_elbo_terms(build, observations):
  model = build(vae.BetaVAE(beta=4.0))
  z_mean, z_logvar, _ = model.encode(observations)
  z = model.posterior.distribution(z_mean, z_logvar).sample(seed=tf.constant(SEED))
  logits = model.decode(z).numpy().astype(np.float64)
  pixels = np.logaddexp(0, logits) - observations.numpy() * logits
  z_mean, z_logvar = z_mean.numpy(), z_logvar.numpy()
  kl = 0.5 * (z_mean**2 + np.exp(z_logvar) - z_logvar - 1).sum(axis=1)

  terms = model.elbo_terms(observations, tf.constant(SEED))
  assert set(terms) == {"reconstruction_loss", "kl_loss", "kl_loss_full"}
  np.testing.assert_allclose(terms["reconstruction_loss"], pixels.sum(axis=(1, 2, 3)), rtol=1e-5)
  np.testing.assert_allclose(terms["kl_loss"], kl, rtol=1e-5)
  # 3 latents, c = 0.5: det R = 0.5**2 * 2.
  np.testing.assert_allclose(terms["kl_loss_full"], kl - 0.5 * np.log(0.5), rtol=1e-5)

  losses = model.compute_losses(observations, tf.constant(SEED))
  for name, value in terms.items():
    assert np.mean(value) == pytest.approx(float(losses[name]), rel=1e-5)


@each_objective
def test_losses_depend_on_the_seed_alone(make_model, build, observations):
  model = build(make_model())
  losses = {
    seed: {k: float(v) for k, v in model.compute_losses(observations, tf.constant(seed)).items()}
    for seed in [SEED, (5, 7), (6, 6)]
  }
  again = model.compute_losses(observations, tf.constant(SEED))
  assert {k: float(v) for k, v in again.items()} == losses[SEED]
  values = [losses[seed]["reconstruction_loss"] for seed in losses]
  assert len(set(values)) == 3


@each_objective
def test_loss_is_reconstruction_loss_plus_regularizer(make_model, build, observations):
  losses = build(make_model()).compute_losses(observations, tf.constant(SEED))
  total = losses["reconstruction_loss"] + losses["regularizer"]
  assert float(losses["loss"]) == pytest.approx(float(total), rel=1e-6)
  elbo = -(losses["reconstruction_loss"] + losses["kl_loss"])
  assert float(losses["elbo"]) == pytest.approx(float(elbo), rel=1e-6)
  excess = float(losses["kl_loss_full"] - losses["kl_loss"])
  assert excess == pytest.approx(-0.5 * np.log(0.5), rel=1e-4)


@each_objective
def test_training(make_model, build, observations):
  model = build(make_model())
  before = weights_of(model)
  expected = model.compute_losses(observations, tf.constant(SEED))

  # The first step reports the losses of the weights before it, and every weight moves.
  losses = model.train_step(observations, tf.constant(SEED))
  assert set(losses) == set(expected)
  for name in expected:
    np.testing.assert_allclose(losses[name], expected[name], rtol=1e-5)
  after = weights_of(model)
  assert len(after) == len(before)
  for name, value in before.items():
    assert np.mean(after[name] != value) > 0.9, name

  for _ in range(9):
    losses = model.train_step(observations, tf.constant(SEED))
  assert int(model.global_step) == 10
  assert float(losses["reconstruction_loss"]) < float(expected["reconstruction_loss"])


@each_network_training
def test_compiled_training(make_model, build, observations):
  eager, compiled = build(make_model()), build(make_model())
  train_step = tf.function(compiled.train_step)
  for step in range(3):
    expected = eager.train_step(observations, tf.constant([0, step]))
    losses = train_step(observations, tf.constant([0, step]))
    for name in expected:
      np.testing.assert_allclose(losses[name], expected[name], rtol=1e-4)
  assert int(compiled.global_step) == 3


@each_network_training
def test_default_networks_train(make_model):
  model = make_model()
  model.build((64, 64, 1), seed=1)
  model.num_slices = 2
  images = tf.constant(np.random.default_rng(0).uniform(size=(4, 64, 64, 1)), tf.float32)
  before = weights_of(model)
  for step in range(2):
    losses = model.train_step(images, tf.constant([0, step]))
    assert all(np.isfinite(value) for value in losses.values())
  unchanged = [name for name, value in weights_of(model).items() if np.all(value == before[name])]
  assert not unchanged


@each_network_training
def test_state_holds_all_that_training_changes(make_model, build, give_small_parts, observations):
  model, copy = build(make_model()), give_small_parts(make_model())
  copy.build((4, 4, 1), seed=7)
  model.train_step(observations, tf.constant([0, 0]))
  assert model.state().keys() == copy.state().keys()
  for name, part in model.state().items():
    pairs = [(copy.state()[name], part)]
    if name != "global_step":
      pairs = zip(copy.state()[name].variables, part.variables, strict=True)
    for variable, value in pairs:
      variable.assign(value)
  for step in (1, 2):
    for each in (model, copy):
      each.train_step(observations, tf.constant([0, step]))
  assert int(copy.global_step) == 3
  for value, expected in zip(weights_of(copy).values(), weights_of(model).values(), strict=True):
    np.testing.assert_array_equal(value, expected)


def test_networks_that_do_not_fit():
  with pytest.raises(errors.ConfigError, match="conv_encoder takes images of 64 x 64 pixels"):
    vae.BetaVAE(beta=1.0).build((32, 32, 1), seed=0)


def test_posterior_that_does_not_fit(give_small_parts):
  model = give_small_parts(vae.BetaVAE(beta=1.0), correlation=-0.5)
  with pytest.raises(errors.ConfigError, match=r"must be in \(-0\.5, 1\) for 3 latents"):
    model.build((4, 4, 1), seed=0)
  model = give_small_parts(vae.BetaVAE(beta=1.0))
  model.posterior = posteriors.FixedCorrelation(lambda num_latent: np.eye(num_latent + 1))
  with pytest.raises(errors.ConfigError, match="must return a"):
    model.build((4, 4, 1), seed=0)
