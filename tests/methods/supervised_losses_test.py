"""Values of disentanglement_lib's losses, and the same recomputed row by row."""

import numpy as np
import pytest
from scipy import special
import tensorflow as tf

from dl_condind.methods import supervised_losses
from dl_condind.utils import errors

Z = np.array([[0.3, -1.2, 2.0], [1.0, 0.5, -0.7]])
LABELS = np.array([[1.0, 4.0], [2.0, 0.0]])
SIZES = [3, 6]
EMBEDDINGS = {"embedding_0": np.array([-1.0, 0.0, 1.0]), "embedding_1": np.linspace(-2.5, 2.5, 6)}


def value(loss, z=Z, labels=LABELS, sizes=SIZES, weights=None):
  weights = {name: tf.constant(found, tf.float64) for name, found in (weights or {}).items()}
  return float(loss.value(tf.constant(z), tf.constant(labels), sizes, weights))


@pytest.mark.parametrize(
  "loss, weights, expected",
  [
    (supervised_losses.CrossEntropy(), {}, 3.438309716838221),
    (supervised_losses.SquaredError(), {"scale": 1.0}, 28.78),
    (supervised_losses.SquaredError(learn_scale=False), {}, 0.6391271739814506),
    (supervised_losses.SquaredError(False, every_pair=True), {}, 0.8613529029073022),
    (supervised_losses.Covariance(), {}, 8.41625),
    (supervised_losses.Embedding(1), EMBEDDINGS, 9.192779050966518),
    (
      supervised_losses.Embedding("learn"),
      {**EMBEDDINGS, "sigma_0": 1.0, "sigma_1": 1.0},
      9.192779050966518,
    ),
    (
      supervised_losses.Embedding(1, use_order=True),
      {"slope_0": 1.0, "bias_0": -1.0, "slope_1": 1.0, "bias_1": -2.5},
      9.192779050966518,
    ),
  ],
)
def test_values_are_those_of_disentanglement_lib(loss, weights, expected):
  assert value(loss, weights=weights) == pytest.approx(expected, rel=0, abs=1e-10)


def test_cross_entropy_at_known_values():
  loss = supervised_losses.CrossEntropy()
  zeros = value(loss, np.zeros([64, 10]), np.zeros([64, 5]), [1] * 5)
  assert zeros == pytest.approx(320 * np.log(2), abs=1e-10)
  assert zeros == pytest.approx(221.8070977791825, abs=1e-10)
  ones = value(loss, np.ones([64, 10]), np.zeros([64, 10]), [1] * 10)
  assert ones == pytest.approx(840.4874800116626, abs=1e-10)


@pytest.fixture
def batch():
  generator = np.random.default_rng(0)
  sizes = [3, 6, 4]
  labels = np.stack([generator.integers(size, size=7) for size in sizes], axis=1)
  return generator.normal(size=(7, 5)), labels.astype(np.float64), sizes


def test_cross_entropy_and_squared_error_row_by_row(batch):
  z, labels, sizes = batch
  entropy = squares = scaled = pairs = 0.0
  for b in range(7):
    for k, size in enumerate(sizes):
      probability, target = special.expit(z[b, k]), labels[b, k] / size
      entropy -= target * np.log(probability) + (1 - target) * np.log(1 - probability)
      squares += (probability - target) ** 2
      scaled += (1.7 * z[b, k] - labels[b, k]) ** 2
      pairs += sum((probability - labels[other, k] / size) ** 2 for other in range(7))
  every = supervised_losses.SquaredError
  assert value(supervised_losses.CrossEntropy(), *batch) == pytest.approx(entropy, rel=1e-12)
  assert value(every(False), *batch) == pytest.approx(squares, rel=1e-12)
  assert value(every(False, True), *batch) == pytest.approx(pairs, rel=1e-12)
  assert value(every(), *batch, {"scale": 1.7}) == pytest.approx(scaled, rel=1e-12)


@pytest.mark.parametrize("num_latent", [2, 3, 5])
def test_covariance_takes_any_number_of_latents(batch, num_latent):
  z, labels, sizes = batch[0][:, :num_latent], *batch[1:]
  covariance = np.cov(z.T, labels.T, bias=True)[:num_latent, num_latent:]
  expected = sum(covariance[j, k] ** 2 for j in range(num_latent) for k in range(3) if j != k)
  found = value(supervised_losses.Covariance(), z, labels, sizes)
  assert found == pytest.approx(expected, rel=1e-12)


def test_covariance_of_two_swapped_labels():
  swapped = value(supervised_losses.Covariance(), np.eye(2), np.eye(2)[::-1], [2, 2])
  assert swapped == pytest.approx(0.125, abs=1e-12)


@pytest.mark.parametrize("use_order", [False, True])
@pytest.mark.parametrize("sigma", [0.5, "learn"])
def test_embedding_row_by_row(batch, sigma, use_order):
  z, labels, sizes = batch
  loss = supervised_losses.Embedding(sigma, use_order)
  weights = loss.initial_weights(sizes, np.random.default_rng(1))
  if sigma == "learn":
    assert all(weights[f"sigma_{k}"] == 1 for k in range(3))
    weights |= {f"sigma_{k}": np.array(0.5) for k in range(3)}
  expected = 0.0
  for k, size in enumerate(sizes):
    numbers = weights.get(f"embedding_{k}")
    if use_order:
      numbers = weights[f"slope_{k}"] * np.arange(size) + weights[f"bias_{k}"]
    assert np.abs(weights.get(f"embedding_{k}", 0)).max() <= np.sqrt(3 / size)
    for b in range(7):
      log_softmax = special.log_softmax(-(((z[b, k] - numbers) * 0.5) ** 2))
      expected -= log_softmax[int(labels[b, k])] / 7
  assert value(loss, *batch, weights) == pytest.approx(expected, rel=1e-12)


def test_embeddings_are_drawn_from_the_generator_alone():
  loss = supervised_losses.Embedding(1.0)
  one, again, other = (loss.initial_weights([4], np.random.default_rng(i)) for i in (0, 0, 1))
  np.testing.assert_array_equal(one["embedding_0"], again["embedding_0"])
  assert not np.array_equal(one["embedding_0"], other["embedding_0"])


@pytest.mark.parametrize("sigma", [0, -1.0, "learned", True, float("inf"), None])
def test_a_sigma_that_is_no_temperature_is_one_line(sigma):
  with pytest.raises(errors.ConfigError, match=r'^embed\.sigma must be a positive number or "lea'):
    supervised_losses.Embedding(sigma)


def test_every_pair_with_a_learned_scale_is_one_line():
  with pytest.raises(errors.ConfigError, match=r"^l2\.every_pair is disentanglement_lib's loss"):
    supervised_losses.SquaredError(every_pair=True)
