"""The smallest InfoGAN that can be stored."""

import numpy as np
import tensorflow as tf

from dl_condind.saved_models import saved_model

SIZES = {"categorical": 10, "continuous": 2, "noise": 3}


class Blocks(tf.Module):
  """Four pixels: code 0, code 1, the category and the noise."""

  def __init__(self, sizes):
    super().__init__()
    self.scale = tf.Variable(0.25)
    codes = {name: tf.TensorSpec([None, size], tf.float32, name) for name, size in sizes.items()}
    images = tf.TensorSpec([None, 2, 2, 1], tf.float32, "images")

    def generator(codes):
      continuous = 0.5 + self.scale * codes["continuous"]
      category = tf.zeros_like(continuous[:, 0])
      if "categorical" in codes:
        values = tf.constant(np.arange(sizes["categorical"]) / 10, tf.float32)
        category = tf.reduce_sum(codes["categorical"] * values, axis=1)
      pixels = [continuous[:, 0], continuous[:, -1], category, 0.5 + 0.1 * codes["noise"][:, 0]]
      return {"images": tf.reshape(tf.stack(pixels, axis=1), [-1, 2, 2, 1])}

    self.generator = tf.function(generator, [codes])
    self.recognition_network = tf.function(
      lambda images: {"mean": images + 0 * self.scale}, [images]
    )


def write(folder, sizes=None):
  """Writes the model into the folder of a run's model."""
  module = Blocks(sizes or SIZES)
  functions = {
    "generator": module.generator,
    "recognition_network": module.recognition_network,
  }
  saved_model.save(module, functions, folder / "saved_model")
