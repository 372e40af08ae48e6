"""Times a VAE's training step written by hand in TensorFlow, without this package or Keras.

What this package's abstractions are measured against: the same networks, objective, noise and
optimizer as one function of plain variables, in the fastest formulation known for a CPU. Images are
packed bits gathered in the graph; encoder and decoder work on as many slices of the batch as there
are threads, each op on one thread; a compiled loop runs the steps. Ops need not be deterministic.

Usage: python benchmarks/peers/bare_tensorflow_step.py --threads=2
"""

# ruff: noqa: E402 (a package that is missing has to end in one line, before the imports)

from collections.abc import Callable
import math
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import step_timing

step_timing.require("absl", "tensorflow")

from absl import app
import numpy as np
import tensorflow as tf

BATCH_SIZE = step_timing.BATCH_SIZE
NUM_LATENT = step_timing.NUM_LATENT
CORRELATION = 0.9  # of the noise of any two latents
LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-4, 0.9, 0.999, 1e-8

# Shapes of the kernels; those of deconvolutions end with [out_channels, in_channels].
ENCODER = [
  *((4, 4, 1, 32), (4, 4, 32, 32), (2, 2, 32, 64), (2, 2, 64, 64)),
  *((1024, 256), (256, 2 * NUM_LATENT)),
]
DECODER = [
  *((NUM_LATENT, 256), (256, 1024)),
  *((4, 4, 64, 64), (4, 4, 32, 64), (4, 4, 32, 32), (4, 4, 1, 32)),
]


def _weights(shapes: list[tuple[int, ...]], num_deconvolutions: int) -> list[list[tf.Variable]]:
  """Returns Glorot-uniform kernels and zero biases, a pair for each shape."""
  initializer = tf.initializers.GlorotUniform(seed=0)
  pairs = []
  for index, shape in enumerate(shapes):
    num_outputs = shape[-2] if index >= len(shapes) - num_deconvolutions else shape[-1]
    pairs.append([tf.Variable(initializer(shape)), tf.Variable(tf.zeros(num_outputs))])
  return pairs


def _encode(weights: list[list[tf.Variable]], x: tf.Tensor) -> tf.Tensor:
  """Returns means and log variances, [batch, 2 * num_latent]."""
  for kernel, bias in weights[:4]:
    x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 2, "SAME"), bias))
  (kernel, bias), (head_kernel, head_bias) = weights[4:]
  x = tf.nn.relu(tf.matmul(tf.reshape(x, [-1, 1024]), kernel) + bias)
  return tf.matmul(x, head_kernel) + head_bias


def _decode(weights: list[list[tf.Variable]], x: tf.Tensor) -> tf.Tensor:
  """Returns logits, [batch, 64, 64]."""
  for kernel, bias in weights[:2]:
    x = tf.nn.relu(tf.matmul(x, kernel) + bias)
  x = tf.reshape(x, [-1, 4, 4, 64])
  for kernel, bias in weights[2:5]:
    batch, size, _, _ = x.shape
    shape = [batch, 2 * size, 2 * size, kernel.shape[2]]
    x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d_transpose(x, kernel, shape, 2), bias))
  kernel, bias = weights[5]
  return _deconvolve_to_one_channel(x, kernel) + bias


def _deconvolve_to_one_channel(x: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
  """Returns the deconvolution with stride 2 as one matrix product, whose blocks are added up.

  Input row i adds to output rows 2 * i - 1 to 2 * i + 2: in pairs, to the pairs i and i + 1 of an
  image that is one row larger at both ends. Columns alike.

  Args:
    x: [batch, size, size, channels].
    kernel: [4, 4, 1, channels].

  Returns:
    [batch, 2 * size, 2 * size].
  """
  batch, size, _, channels = x.shape
  products = tf.matmul(
    tf.reshape(x, [-1, channels]), tf.reshape(kernel, [16, channels]), transpose_b=True
  )
  # Indexed [image, i, j, pair of rows, row, pair of columns, column].
  blocks = tf.reshape(products, [batch, size, size, 2, 2, 2, 2])
  pairs = tf.add_n(
    [
      tf.pad(blocks[:, :, :, a, :, b], [[0, 0], [a, 1 - a], [b, 1 - b], [0, 0], [0, 0]])
      for a in range(2)
      for b in range(2)
    ]
  )
  image = tf.reshape(tf.transpose(pairs, [0, 1, 3, 2, 4]), [batch, 2 * size + 2, 2 * size + 2])
  return image[:, 1:-1, 1:-1]


@tf.custom_gradient
def _reconstruction_loss(labels: tf.Tensor, logits: tf.Tensor):
  """Returns the Bernoulli cross-entropy, summed over pixels, averaged over the batch."""
  losses = tf.maximum(logits, 0) - labels * logits + tf.math.log1p(tf.exp(-tf.abs(logits)))

  def gradient(upstream: tf.Tensor):
    return None, (tf.sigmoid(logits) - labels) * (upstream / BATCH_SIZE)

  return tf.reduce_sum(losses) / BATCH_SIZE, gradient


def _noise(seed: tf.Tensor) -> tf.Tensor:
  """Returns equicorrelated noise: a part of each latent's own and one that all share."""
  noise = tf.random.stateless_normal([BATCH_SIZE, NUM_LATENT + 1], seed)
  return math.sqrt(1 - CORRELATION) * noise[:, :NUM_LATENT] + math.sqrt(CORRELATION) * noise[:, -1:]


class _Adam:
  """Adam by TensorFlow's fused kernel."""

  def __init__(self, variables: list[tf.Variable]):
    self._variables = variables
    self._slots = [[tf.Variable(tf.zeros_like(v)) for _ in range(2)] for v in variables]

  def apply(self, gradients: list[tf.Tensor], step: tf.Tensor) -> None:
    """Updates the variables in step, counted from 0."""
    power = tf.cast(step + 1, tf.float32)
    for variable, (m, v), grad in zip(self._variables, self._slots, gradients, strict=True):
      tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=m.handle,
        v=v.handle,
        beta1_power=tf.pow(BETA1, power),
        beta2_power=tf.pow(BETA2, power),
        lr=LEARNING_RATE,
        beta1=BETA1,
        beta2=BETA2,
        epsilon=EPSILON,
        grad=grad,
      )


def make_run_call(num_slices: int) -> Callable[[int], tf.Tensor]:
  """Returns a function that runs the steps of one call and returns the loss of the last one."""
  images = step_timing.binary_images().reshape(step_timing.NUM_IMAGES, -1)
  table = tf.constant(np.packbits(images, axis=1))
  bits = tf.constant(np.arange(7, -1, -1), tf.uint8)
  encoder, decoder = _weights(ENCODER, 0), _weights(DECODER, 4)
  variables = [variable for pair in encoder + decoder for variable in pair]
  adam = _Adam(variables)

  def in_slices(network, weights, x):
    return tf.concat([network(weights, part) for part in tf.split(x, num_slices)], axis=0)

  def batch(seed: tf.Tensor) -> tf.Tensor:
    rows = tf.random.stateless_uniform([BATCH_SIZE], seed, maxval=len(images), dtype=tf.int32)
    packed = tf.gather(table, rows)
    pixels = tf.bitwise.right_shift(packed[..., None], bits) & 1
    size = step_timing.IMAGE_SIZE
    return tf.reshape(tf.cast(pixels, tf.float32), [BATCH_SIZE, size, size])

  def run_step(step: tf.Tensor) -> tf.Tensor:
    x = batch(tf.stack([0, step]))
    with tf.GradientTape() as tape:
      z_mean, z_logvar = tf.split(in_slices(_encode, encoder, x[..., None]), 2, axis=1)
      z = z_mean + tf.exp(z_logvar / 2) * _noise(tf.stack([1, step]))
      kl = tf.reduce_sum(tf.square(z_mean) + tf.exp(z_logvar) - z_logvar - 1) / (2 * BATCH_SIZE)
      loss = _reconstruction_loss(x, in_slices(_decode, decoder, z)) + kl
    adam.apply(tape.gradient(loss, variables), step)
    return loss

  @tf.function(autograph=False)
  def run_steps(start: tf.Tensor) -> tf.Tensor:
    _, loss = tf.while_loop(
      lambda step, loss: step < start + step_timing.STEPS_PER_CALL,
      lambda step, loss: (step + 1, run_step(step)),
      (start, 0.0),
      parallel_iterations=1,
    )
    return loss

  return lambda start: run_steps(tf.constant(start)).numpy()


def main(argv: list[str]) -> None:
  """Times the step and prints the result."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  num_threads = step_timing.threads()
  if BATCH_SIZE % num_threads:
    raise app.UsageError(f"--threads must divide {BATCH_SIZE}, got {num_threads}.")
  tf.config.threading.set_intra_op_parallelism_threads(1)
  tf.config.threading.set_inter_op_parallelism_threads(num_threads)
  milliseconds, loss = step_timing.time_calls(make_run_call(num_threads))
  step_timing.report(
    peer="bare TensorFlow",
    model="vae",
    milliseconds=milliseconds,
    loss=loss,
    packages=["tensorflow", "numpy"],
  )


if __name__ == "__main__":
  app.run(main)
