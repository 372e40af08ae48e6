"""Losses of latents whose factors are known, for the semi-supervised methods.

From Locatello et al. (2020), arXiv:1905.01258, as disentanglement_lib has them: some are summed
over the batch, others averaged, so that a weight means something else for each. All but
`Covariance` tie label k to latent k.
"""

import abc
from collections.abc import Mapping
from collections.abc import Sequence
from typing import ClassVar
from typing import Literal

import gin
import numpy as np
import tensorflow as tf

from dl_condind.utils import errors

Weights = Mapping[str, tf.Tensor | tf.Variable]


class SupervisedLoss(abc.ABC):
  """A loss of the means of q(z|x), given labels.

  Its objects hold settings only. Weights that are trained with the networks are arguments.

  Attributes:
    ties_latents: Whether label k is tied to latent k, so that each label needs a latent.
    needs_classes: Whether labels have to be whole numbers from 0 to one less than `num_values`.
  """

  ties_latents: ClassVar[bool] = True
  needs_classes: ClassVar[bool] = False

  def initial_weights(
    self, num_values: Sequence[int], generator: np.random.Generator
  ) -> dict[str, np.ndarray]:
    """Returns the weights before the training, by name; none unless overridden.

    Args:
      num_values: Number of values of each label.
      generator: What random numbers come from.
    """
    del num_values, generator
    return {}

  @abc.abstractmethod
  def value(
    self, z_mean: tf.Tensor, labels: tf.Tensor, num_values: Sequence[int], weights: Weights
  ) -> tf.Tensor:
    """Returns the loss of a batch, a scalar.

    Args:
      z_mean: Means of the posteriors, [batch, num_latent].
      labels: [batch, num_labels].
      num_values: Number of values of each label, [num_labels].
      weights: Those that `initial_weights` names.
    """


def _tied(z_mean: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
  """Returns the latents that labels are tied to, the first ones, [batch, num_labels]."""
  return z_mean[:, : labels.shape[1]]


def _normalized(labels: tf.Tensor, num_values: Sequence[int]) -> tf.Tensor:
  """Returns labels divided by their number of values: 0, 1/n, ..., (n - 1)/n, but never 1."""
  return labels / tf.constant(num_values, labels.dtype)


@gin.register("xent")
class CrossEntropy(SupervisedLoss):
  """Cross-entropy of sigmoid(z_k) and the label over its number of values, summed over the batch.

  loss = sum_b,k CE(y_bk / n_k, sigmoid(z_bk))
  """

  def value(self, z_mean, labels, num_values, weights):
    """Returns the loss, nats, summed over batch and labels."""
    del weights
    return tf.reduce_sum(
      tf.nn.sigmoid_cross_entropy_with_logits(
        labels=_normalized(labels, num_values), logits=_tied(z_mean, labels)
      )
    )


@gin.register("l2")
class SquaredError(SupervisedLoss):
  """Squared distance of latents to labels, summed over the batch.

    learned scale:  loss = sum_b,k (scale * z_bk - y_bk)^2, one trained scale for all latents
    otherwise:      loss = sum_b,k (sigmoid(z_bk) - y_bk / n_k)^2

  Without a learned scale, disentanglement_lib compares the latents of each image with the labels of
  every image of the batch, by mistake; `every_pair` does, too.

  Attributes:
    learn_scale: Whether the scale is learned.
    every_pair: Whether to sum over all pairs of an image and labels, as disentanglement_lib.
  """

  def __init__(self, learn_scale: bool = True, every_pair: bool = False):
    """Chooses the variant; arguments as the attributes.

    Raises:
      ConfigError: If every_pair is combined with a learned scale.
    """
    if learn_scale and every_pair:
      raise errors.ConfigError(
        "l2.every_pair is disentanglement_lib's loss without a learned scale: set l2.learn_scale "
        "to False, or leave l2.every_pair at False."
      )
    self.learn_scale = learn_scale
    self.every_pair = every_pair

  def initial_weights(self, num_values, generator):
    """Returns the scale, 1, if it is learned."""
    del num_values, generator
    return {"scale": np.ones([])} if self.learn_scale else {}

  def value(self, z_mean, labels, num_values, weights):
    """Returns the squared distance, summed over batch and labels."""
    tied = _tied(z_mean, labels)
    if self.learn_scale:
      return tf.reduce_sum(tf.square(weights["scale"] * tied - labels))
    targets = _normalized(labels, num_values)
    if self.every_pair:
      tied = tied[:, None]  # [batch of images, batch of labels, num_labels]
    return tf.reduce_sum(tf.square(tf.sigmoid(tied) - targets))


@gin.register("cov")
class Covariance(SupervisedLoss):
  """Squares of the covariances between latents and labels that do not belong together.

    C_jk = mean_b (z_bj - mean z_j) (y_bk - mean y_k),  loss = sum_(j != k) C_jk^2

  It rewards no latent for its own label. Latents beyond the labels are kept from all of them.
  """

  ties_latents = False

  def value(self, z_mean, labels, num_values, weights):
    """Returns the sum of squares off the diagonal."""
    del num_values, weights
    centred = (values - tf.reduce_mean(values, axis=0) for values in (z_mean, labels))
    # [num_latent, num_labels]
    covariance = tf.matmul(*centred, transpose_a=True) / tf.cast(tf.shape(labels)[0], labels.dtype)
    belongs = tf.eye(*covariance.shape, dtype=labels.dtype)
    return tf.reduce_sum(tf.square(covariance * (1 - belongs)))


@gin.register("embed")
class Embedding(SupervisedLoss):
  """Each value of label k is a number e, to which latent k is close: cross-entropy of a softmax.

    loss = sum_k mean_b CE(y_bk, softmax_i(-((z_bk - e_ki) * sigma)^2))

  Unlike the others it is averaged over the batch, so the same weight counts less.

  Attributes:
    sigma: How sharply the softmax falls with the distance, or "learn": one for each label, which is
      trained from 1 on (in disentanglement_lib, from a random number that may be close to 0).
    use_order: Whether the numbers are a line, e_ki = slope_k * i + bias_k, instead of any.
  """

  needs_classes = True

  def __init__(self, sigma: float | Literal["learn"], use_order: bool = False):
    """Chooses the variant; arguments as the attributes.

    Raises:
      ConfigError: If sigma is neither a positive number nor "learn".
    """
    is_number = isinstance(sigma, int | float) and not isinstance(sigma, bool)
    if sigma != "learn" and not (is_number and 0 < sigma < float("inf")):
      raise errors.ConfigError(f'embed.sigma must be a positive number or "learn", got {sigma!r}.')
    self.sigma = sigma
    self.use_order = use_order

  def initial_weights(self, num_values, generator):
    """Returns embeddings, or slopes and biases, drawn from Glorot's uniform distribution."""
    weights = {}
    for k, size in enumerate(num_values):
      names = {f"slope_{k}": (), f"bias_{k}": ()} if self.use_order else {f"embedding_{k}": (size,)}
      for name, shape in names.items():
        bound = np.sqrt(3 / (shape[0] if shape else 1))
        weights[name] = generator.uniform(-bound, bound, shape)
      if self.sigma == "learn":
        weights[f"sigma_{k}"] = np.ones([])
    return weights

  def value(self, z_mean, labels, num_values, weights):
    """Returns the cross-entropy, nats, averaged over the batch and summed over labels."""
    losses = []
    for k, size in enumerate(num_values):
      if self.use_order:
        steps = tf.range(size, dtype=z_mean.dtype)
        embedding = weights[f"slope_{k}"] * steps + weights[f"bias_{k}"]
      else:
        embedding = weights[f"embedding_{k}"]
      sigma = weights[f"sigma_{k}"] if self.sigma == "learn" else self.sigma
      logits = -tf.square((z_mean[:, k, None] - embedding) * sigma)  # [batch, size]
      one_hot = tf.one_hot(tf.cast(labels[:, k], tf.int32), size, dtype=z_mean.dtype)
      losses.append(tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(one_hot, logits)))
    return tf.add_n(losses)
