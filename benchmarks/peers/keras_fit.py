"""Times a training step of a VAE trained with Keras 3 `fit` on TensorFlow.

Written as in the Keras guides: a model with its own `train_step`, a `tf.data` pipeline from
memory, one step per call. Networks, objective and optimizer are those of disentanglement_lib.

Usage: python benchmarks/peers/keras_fit.py --threads=2
"""

# ruff: noqa: E402 (a package that is missing has to end in one line, before the imports)

import os
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import step_timing

step_timing.require("absl", "keras", "tensorflow")

from absl import app
from absl import flags
import keras
from keras import layers
import tensorflow as tf

_JIT_COMPILE = flags.DEFINE_bool(
  "jit_compile", False, "Compile the step with XLA: what Keras chooses by itself, but slower."
)


def _conv_encoder() -> keras.Model:
  """Returns conv_encoder: [batch, 64, 64, 1] -> z_mean and z_logvar, [batch, num_latent]."""
  x = observations = keras.Input((64, 64, 1))
  for filters, kernel_size in [(32, 4), (32, 4), (64, 2), (64, 2)]:
    x = layers.Conv2D(filters, kernel_size, strides=2, padding="same", activation="relu")(x)
  x = layers.Dense(256, activation="relu")(layers.Flatten()(x))
  heads = [layers.Dense(step_timing.NUM_LATENT, name=name)(x) for name in ("z_mean", "z_logvar")]
  return keras.Model(observations, heads)


def _deconv_decoder() -> keras.Model:
  """Returns deconv_decoder: [batch, num_latent] -> logits, [batch, 64, 64, 1]."""
  x = z = keras.Input((step_timing.NUM_LATENT,))
  x = layers.Dense(256, activation="relu")(x)
  x = layers.Dense(1024, activation="relu")(x)
  x = layers.Reshape((4, 4, 64))(x)
  for filters in (64, 32, 32):
    x = layers.Conv2DTranspose(filters, 4, strides=2, padding="same", activation="relu")(x)
  return keras.Model(z, layers.Conv2DTranspose(1, 4, strides=2, padding="same")(x))


class _Vae(keras.Model):
  """VAE with a training step of its own and the mean loss as its metric."""

  def __init__(self):
    super().__init__()
    self.encoder = _conv_encoder()
    self.decoder = _deconv_decoder()
    self.seed_generator = keras.random.SeedGenerator(0)
    self.loss_tracker = keras.metrics.Mean(name="loss")

  @property
  def metrics(self) -> list[keras.Metric]:
    return [self.loss_tracker]

  def train_step(self, observations: tf.Tensor) -> dict[str, tf.Tensor]:
    with tf.GradientTape() as tape:
      z_mean, z_logvar = self.encoder(observations, training=True)
      noise = keras.random.normal(tf.shape(z_mean), seed=self.seed_generator)
      logits = self.decoder(z_mean + tf.exp(z_logvar / 2) * noise, training=True)
      cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=observations, logits=logits)
      reconstruction_loss = tf.reduce_mean(tf.reduce_sum(cross_entropy, axis=[1, 2, 3]))
      kl = 0.5 * tf.reduce_sum(z_mean**2 + tf.exp(z_logvar) - z_logvar - 1, axis=1)
      loss = reconstruction_loss + tf.reduce_mean(kl)
    gradients = tape.gradient(loss, self.trainable_weights)
    self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
    self.loss_tracker.update_state(loss)
    return {"loss": self.loss_tracker.result()}


class _Clock(keras.callbacks.Callback):
  """Notes when each step ended."""

  def __init__(self):
    super().__init__()
    self.ends = []

  def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
    self.ends.append(time.perf_counter())


def _dataset() -> tf.data.Dataset:
  images = step_timing.binary_images()[..., None]
  return (
    tf.data.Dataset.from_tensor_slices(images)
    .shuffle(len(images))
    .repeat()
    .batch(step_timing.BATCH_SIZE, drop_remainder=True)
    .map(lambda x: tf.cast(x, tf.float32), num_parallel_calls=tf.data.AUTOTUNE)
    .prefetch(tf.data.AUTOTUNE)
  )


def main(argv: list[str]) -> None:
  """Times the step and prints the result."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  tf.config.threading.set_intra_op_parallelism_threads(step_timing.threads())
  tf.config.threading.set_inter_op_parallelism_threads(step_timing.threads())
  keras.utils.set_random_seed(0)
  model = _Vae()
  model.compile(
    optimizer=keras.optimizers.Adam(1e-4, epsilon=1e-8),
    jit_compile="auto" if _JIT_COMPILE.value else False,
  )
  clock = _Clock()
  history = model.fit(
    _dataset(),
    steps_per_epoch=step_timing.num_steps(),
    shuffle=False,  # The data set shuffles.
    verbose=0,
    callbacks=[clock],
  )
  step_timing.report(
    peer="Keras fit, XLA" if _JIT_COMPILE.value else "Keras fit",
    model="vae",
    milliseconds=step_timing.step_milliseconds(clock.ends),
    loss=history.history["loss"][-1],
    packages=["keras", "tensorflow", "numpy"],
  )


if __name__ == "__main__":
  app.run(main)
