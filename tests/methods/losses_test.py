import numpy as np
import pytest
from scipy import stats
import tensorflow as tf

from dl_condind.methods import losses
from dl_condind.training import gin_parts
from dl_condind.utils import configs
from dl_condind.utils import errors

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(3, 4, 5, 2)).astype(np.float32)
IMAGES[0] = IMAGES[0] > 0.5
OUTPUTS = RNG.normal(scale=3, size=IMAGES.shape).astype(np.float32)


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def cross_entropy(labels, probability):
  terms = labels * np.log(probability) + (1 - labels) * np.log(1 - probability)
  return -terms.sum(axis=(1, 2, 3))


def clip(x):
  return np.clip(x, 1e-6, 1 - 1e-6)


def images_and_outputs():
  return IMAGES.astype(np.float64), OUTPUTS.astype(np.float64)


@pytest.mark.parametrize("subtract", [False, True])
@pytest.mark.parametrize("activation", ["logits", "tanh"])
def test_bernoulli_loss(activation, subtract):
  images, outputs = images_and_outputs()
  probability = sigmoid(outputs) if activation == "logits" else clip(np.tanh(outputs) / 2 + 0.5)
  expected = cross_entropy(images, probability)
  if subtract:
    expected -= cross_entropy(clip(images), clip(images))
  loss = losses.bernoulli_loss(IMAGES, OUTPUTS, activation, subtract)
  assert loss.shape == (3,)
  # The clip at 1 - 1e-6 is rounded to float32, which moves its logarithm by up to 5%.
  np.testing.assert_allclose(loss, expected, rtol=1e-5 if activation == "logits" else 1e-3)


@pytest.mark.parametrize("stddev", [1.0, 0.1, 7.0])
@pytest.mark.parametrize("activation", ["linear", "logits", "tanh"])
def test_gaussian_loss_is_the_negative_log_likelihood(activation, stddev):
  images, outputs = images_and_outputs()
  means = {"linear": outputs, "logits": sigmoid(outputs), "tanh": np.tanh(outputs) / 2 + 0.5}
  densities = stats.norm.logpdf(images, means[activation], stddev)
  loss = losses.gaussian_loss(IMAGES, OUTPUTS, activation, stddev)
  np.testing.assert_allclose(loss, -densities.sum(axis=(1, 2, 3)), rtol=1e-5)


def test_gaussian_loss_of_vectors():
  vectors, outputs = IMAGES.reshape(3, 40), OUTPUTS.reshape(3, 40)
  np.testing.assert_allclose(
    losses.gaussian_loss(vectors, outputs, "linear"),
    losses.gaussian_loss(IMAGES, OUTPUTS, "linear"),
  )
  # Half the squared error, and a constant.
  constant = 0.5 * 40 * np.log(2 * np.pi)
  squared = losses.l2_loss(vectors, outputs, "linear")
  np.testing.assert_allclose(
    losses.gaussian_loss(vectors, outputs, "linear"), 0.5 * squared + constant, rtol=1e-6
  )


@pytest.mark.parametrize("stddev", [0, -1.0, np.inf, np.nan])
def test_gaussian_loss_refuses_a_stddev(stddev):
  with pytest.raises(errors.ConfigError, match="gaussian_loss.stddev must be a positive number"):
    losses.gaussian_loss(IMAGES, OUTPUTS, "linear", stddev)


def test_linear_outputs_are_no_probabilities():
  with pytest.raises(errors.ConfigError, match="bernoulli_loss needs outputs that are probabiliti"):
    losses.bernoulli_loss(IMAGES, OUTPUTS, "linear")


def test_perfect_reconstruction_of_grey_images_has_loss_0_without_their_entropy():
  images = np.full((2, 3, 3, 1), 0.3, np.float32)
  logits = np.log(images / (1 - images))
  loss = losses.bernoulli_loss(images, logits, "logits", subtract_true_image_entropy=True)
  np.testing.assert_allclose(loss, [0, 0], atol=1e-5)
  entropy = -9 * (0.3 * np.log(0.3) + 0.7 * np.log(0.7))
  np.testing.assert_allclose(losses.bernoulli_loss(images, logits, "logits"), entropy, rtol=1e-5)


@pytest.mark.parametrize("activation", ["logits", "tanh"])
def test_l2_loss(activation):
  images, outputs = images_and_outputs()
  reconstructed = sigmoid(outputs) if activation == "logits" else np.tanh(outputs) / 2 + 0.5
  expected = ((images - reconstructed) ** 2).sum(axis=(1, 2, 3))
  np.testing.assert_allclose(losses.l2_loss(IMAGES, OUTPUTS, activation), expected, rtol=1e-5)


@pytest.mark.parametrize("activation", ["logits", "tanh"])
def test_images_are_those_of_the_activation(activation):
  _, outputs = images_and_outputs()
  expected = sigmoid(outputs) if activation == "logits" else np.tanh(outputs) / 2 + 0.5
  np.testing.assert_allclose(losses.images_of(OUTPUTS, activation), expected, rtol=1e-5, atol=1e-7)


def gradients_of(function, logits, weights):
  logits = tf.constant(logits)
  with tf.GradientTape() as tape:
    tape.watch(logits)
    loss = tf.reduce_sum(function(logits) * weights)
  return tape.gradient(loss, logits).numpy()


def test_gradient_is_that_of_automatic_differentiation():
  labels = IMAGES.reshape(3, -1)
  logits = OUTPUTS.reshape(3, -1)
  weights = np.float32([1, -2, 0.5])

  def reference(logits):
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits), axis=1)

  gradient = gradients_of(
    lambda logits: losses.summed_sigmoid_cross_entropy(labels, logits), logits, weights
  )
  expected = gradients_of(reference, logits, weights)
  np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)
  compiled = tf.function(losses.summed_sigmoid_cross_entropy)
  in_graph = gradients_of(lambda logits: compiled(labels, logits), logits, weights)
  np.testing.assert_allclose(in_graph, expected, rtol=1e-5, atol=1e-6)


def test_gradient_is_the_slope_of_the_loss():
  images, logits = (x.reshape(3, -1) for x in images_and_outputs())
  step = 1e-5
  gradient = gradients_of(
    lambda logits: losses.summed_sigmoid_cross_entropy(images, logits), logits, np.ones(3)
  )
  for pixel in (0, 7, 39):
    change = np.zeros_like(logits)
    change[:, pixel] = step
    above, below = (
      losses.summed_sigmoid_cross_entropy(images, logits + sign * change) for sign in (1, -1)
    )
    np.testing.assert_allclose(
      gradient[:, pixel], (above - below) / (2 * step), rtol=1e-4, atol=1e-7
    )


def test_images_get_no_gradient():
  labels = tf.constant(IMAGES.reshape(3, -1))
  with tf.GradientTape() as tape:
    tape.watch(labels)
    loss = losses.summed_sigmoid_cross_entropy(labels, OUTPUTS.reshape(3, -1))
  assert tape.gradient(loss, labels) is None


def test_extreme_logits():
  labels = np.float32([[0], [0], [1], [1], [0.25]])
  logits = np.float32([[100], [-100], [100], [-100], [100]])
  loss = losses.summed_sigmoid_cross_entropy(labels, logits)
  np.testing.assert_allclose(loss, [100, 0, 0, 100, 75], rtol=1e-6)
  gradient = gradients_of(
    lambda logits: losses.summed_sigmoid_cross_entropy(labels, logits),
    logits,
    np.ones(5, np.float32),
  )
  np.testing.assert_allclose(gradient, [[1], [0], [0], [-1], [0.75]], atol=1e-6)


@pytest.mark.parametrize("activation", ["logits", "tanh"])
@pytest.mark.parametrize("loss_fn", [losses.bernoulli_loss, losses.l2_loss])
def test_losses_of_extreme_outputs_are_finite_and_so_are_their_gradients(loss_fn, activation):
  outputs = np.where(OUTPUTS > 0, np.float32(100), np.float32(-100))
  assert np.all(np.isfinite(loss_fn(IMAGES, outputs, activation)))
  gradient = gradients_of(
    lambda outputs: loss_fn(IMAGES, outputs, activation), outputs, np.ones(3, np.float32)
  )
  assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize(
  "bindings, expected",
  [
    (["reconstruction_loss.loss_fn = @bernoulli_loss"], ("bernoulli_loss", "logits")),
    (
      ["reconstruction_loss.loss_fn = @l2_loss", 'reconstruction_loss.activation = "tanh"'],
      ("l2_loss", "tanh"),
    ),
    (
      [
        "reconstruction_loss.loss_fn = @bernoulli_loss",
        "bernoulli_loss.subtract_true_image_entropy = True",
      ],
      ("bernoulli_loss", "logits", True),
    ),
  ],
)
def test_configured_loss(bindings, expected):
  configs.parse([], bindings)
  name, *arguments = expected
  parts = gin_parts.reconstruction_loss()
  np.testing.assert_array_equal(
    parts["reconstruction_loss"](IMAGES, OUTPUTS, parts["activation"]),
    getattr(losses, name)(IMAGES, OUTPUTS, *arguments),
  )


def test_unknown_activation():
  message = 'reconstruction_loss.activation must be "logits", "tanh" or "linear", got \'sigmoid\''
  with pytest.raises(errors.ConfigError, match=message):
    losses.check_activation("sigmoid")


def test_losses_of_the_game_at_known_logits():
  found = losses.adversarial_losses(tf.constant([[0.0]] * 2), tf.constant([[0.0]] * 2))
  assert float(found["discriminator_loss"]) == pytest.approx(2 * np.log(2))
  assert float(found["generator_loss"]) == pytest.approx(np.log(2))
  found = losses.adversarial_losses(tf.constant([[50.0], [-1.0]]), tf.constant([[-50.0]] * 2))
  assert float(found["discriminator_loss"]) == pytest.approx(np.log1p(np.e) / 2)
  assert float(found["generator_loss"]) == pytest.approx(50)
  assert float(found["discriminator_accuracy_real"]) == 0.5
  assert float(found["discriminator_accuracy_fake"]) == 1
