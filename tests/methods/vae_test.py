import gin
import numpy as np
import pytest
import tensorflow as tf

from dl_condind.methods import losses
from dl_condind.methods import optimizers
from dl_condind.methods import vae
from dl_condind.networks import architectures
from dl_condind.training import gin_parts
from dl_condind.utils import configs

SEED = (5, 6)


def expected_terms(model, observations, seed=SEED):
  """Reconstruction loss and KL in NumPy from the model's z_mean, z_logvar and z_sampled."""
  z_mean, z_logvar, _ = model.encode(observations)
  z = model.posterior.distribution(z_mean, z_logvar).sample(seed=tf.constant(seed))
  logits = model.decode(z)
  arrays = (np.float64(array.numpy()) for array in (observations, logits, z_mean, z_logvar))
  images, logits, z_mean, z_logvar = arrays
  cross_entropy = np.logaddexp(0, logits) - images * logits
  kl = 0.5 * (z_mean**2 + np.exp(z_logvar) - z_logvar - 1).sum(axis=1)
  return cross_entropy.sum(axis=(1, 2, 3)).mean(), kl.mean()


@pytest.mark.parametrize("correlation", [0.0, 0.9])
@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_losses(build, observations, beta, correlation):
  model = build(vae.BetaVAE(beta), correlation)
  reconstruction_loss, kl_loss = expected_terms(model, observations)
  determinant = (1 - correlation) ** 2 * (1 + 2 * correlation)
  values = model.compute_losses(observations, tf.constant(SEED))
  assert {name: float(value) for name, value in values.items()} == pytest.approx(
    {
      "loss": reconstruction_loss + beta * kl_loss,
      "reconstruction_loss": reconstruction_loss,
      "elbo": -(reconstruction_loss + kl_loss),
      "regularizer": beta * kl_loss,
      "kl_loss": kl_loss,
      "kl_loss_full": kl_loss - 0.5 * np.log(determinant),
    },
    rel=1e-5,
  )


def test_latents_are_drawn_from_the_correlated_posterior(build):
  # The decoder is the identity, so that logits are z.
  model = build(vae.BetaVAE(beta=1.0), correlation=0.9, num_latent=3, shape=(1, 1, 3))
  model.decoder.get_layer("logits").kernel.assign(np.eye(3))
  images = tf.zeros([4000, 1, 1, 3])
  seen = []
  model.reconstruction_loss = lambda images, logits, _: seen.append(logits) or tf.zeros([4000])
  model.compute_losses(images, tf.constant(SEED))
  z = seen[0].numpy().reshape(4000, 3)
  # All means and log variances are 0. A correlation's standard error is below 1 / sqrt(4000).
  expected = np.full((3, 3), 0.9) + 0.1 * np.eye(3)
  np.testing.assert_allclose(np.cov(z.T, bias=True), expected, atol=0.08)
  np.testing.assert_allclose(z.mean(axis=0), np.zeros(3), atol=0.08)


class CountingVAE(vae.BaseVAE):
  """A user's objective, which reads every argument of the hook."""

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    return 2 * kl_loss + tf.reduce_sum(z_mean) + tf.reduce_sum(z_logvar**2) + z_sampled[0, 0]


def test_own_regularizer(build, observations):
  model = build(CountingVAE())
  reconstruction_loss, kl_loss = expected_terms(model, observations)
  z_mean, z_logvar, _ = model.encode(observations)
  z = model.posterior.distribution(z_mean, z_logvar).sample(seed=tf.constant(SEED))
  regularizer = 2 * kl_loss + np.sum(z_mean) + np.sum(z_logvar**2) + z[0, 0]
  values = model.train_step(observations, tf.constant(SEED))
  assert float(values["regularizer"]) == pytest.approx(float(regularizer), rel=1e-5)
  assert float(values["loss"]) == pytest.approx(float(reconstruction_loss + regularizer), rel=1e-5)
  assert float(values["kl_loss"]) == pytest.approx(kl_loss, rel=1e-5)


def test_base_is_the_vae(build, observations):
  class Plain(vae.BaseVAE):
    pass

  expected = build(vae.BetaVAE(beta=1.0)).compute_losses(observations, tf.constant(SEED))
  values = build(Plain()).compute_losses(observations, tf.constant(SEED))
  assert {k: float(v) for k, v in values.items()} == {k: float(v) for k, v in expected.items()}


def adam(variable, gradient, mean, square, step, learning_rate=1e-3):
  """One step of Adam, with beta1 = 0.9, beta2 = 0.999 and epsilon = 1e-8."""
  mean = 0.9 * mean + 0.1 * gradient
  square = 0.999 * square + 0.001 * gradient**2
  rate = learning_rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
  return variable - rate * mean / (np.sqrt(square) + 1e-8), mean, square


def test_steps_are_adams_on_the_gradients_of_the_loss(build, observations):
  model = build(vae.BetaVAE(beta=4.0))
  variables = model.vae_variables
  weights = [variable.numpy().astype(np.float64) for variable in variables]
  means = squares = [np.zeros_like(weight) for weight in weights]
  for step in (1, 2, 3):
    seed = tf.constant([9, step])
    with tf.GradientTape() as tape:
      loss = model.compute_losses(observations, seed)["loss"]
    gradients = [np.float64(gradient) for gradient in tape.gradient(loss, variables)]
    updates = [
      adam(*arguments, step) for arguments in zip(weights, gradients, means, squares, strict=True)
    ]
    weights, means, squares = (list(values) for values in zip(*updates, strict=True))
    model.train_step(observations, seed)
    for variable, weight in zip(variables, weights, strict=True):
      np.testing.assert_allclose(variable.numpy(), weight, rtol=1e-5, atol=1e-6)


def test_gradient_of_the_loss_is_its_slope(build, observations):
  model = build(vae.BetaVAE(beta=4.0))
  variables = model.vae_variables
  with tf.GradientTape() as tape:
    loss = model.compute_losses(observations, tf.constant(SEED))["loss"]
  gradients = tape.gradient(loss, variables)
  step = 1e-2
  for variable, gradient in zip(variables, gradients, strict=True):
    value = variable.numpy()
    losses_around = []
    for sign in (1, -1):
      variable.assign(value + sign * step * np.sign(gradient))
      losses_around.append(float(model.compute_losses(observations, tf.constant(SEED))["loss"]))
    variable.assign(value)
    slope = (losses_around[0] - losses_around[1]) / (2 * step)
    assert slope == pytest.approx(np.sum(np.abs(gradient)), rel=5e-3)


def test_configured_as_disentanglement_lib_does(observations):
  configs.parse(
    [],
    [
      "encoder.num_latent = 5",
      "encoder.encoder_fn = @test_encoder",
      "decoder.decoder_fn = @test_decoder",
      "reconstruction_loss.loss_fn = @l2_loss",
      "vae.beta = 4.",
      "vae_optimizer.optimizer_fn = @vae/AdamOptimizer",
      "vae/AdamOptimizer.learning_rate = 0.0001",
    ],
  )
  model = gin.get_configurable("vae")()
  assert isinstance(model, vae.BetaVAE)
  gin_parts.complete(model)
  model.build((4, 4, 1), seed=0)
  values = model.compute_losses(observations, tf.constant(SEED))
  assert float(values["regularizer"]) == pytest.approx(4 * float(values["kl_loss"]), rel=1e-6)
  assert float(values["kl_loss_full"]) == pytest.approx(float(values["kl_loss"]), rel=1e-6)
  assert model.num_latent == 5
  assert float(model.optimizer.learning_rate) == pytest.approx(1e-4)
  z = model.posterior.distribution(*model.encode(observations)).sample(seed=tf.constant(SEED))
  expected = tf.reduce_mean(losses.l2_loss(observations, model.decode(z), "logits"))
  assert float(values["reconstruction_loss"]) == pytest.approx(float(expected), rel=1e-6)


def test_missing_network():
  gin.bind_parameter("encoder.num_latent", 3)
  gin.bind_parameter("encoder.encoder_fn", architectures.test_encoder)
  gin.bind_parameter("vae_optimizer.optimizer_fn", optimizers.adam_optimizer)
  with pytest.raises(RuntimeError, match=r"Required bindings for `decoder`"):
    gin_parts.complete(vae.BetaVAE(beta=1.0))
