"""Own data, own network, own objective, own posterior, own metric, all in one file.

Run it, or open it as a notebook (each `# %%` starts a cell); it takes about a minute:

  python examples/own_parts.py
"""

# %% Data: images of one bright row and one bright column.
import dl_condind as dl  # noqa: I001  (First: it decides how TensorFlow starts.)
from dl_condind.evaluation import metric

import os

import keras
import numpy as np
import tensorflow as tf

STEPS = int(os.environ.get("STEPS", "500"))  # Fewer to try it out.
SIZE = 32


class Lines(dl.GroundTruthData):
  """Images of one bright row and one bright column, whose places are the factors."""

  def __init__(self):
    super().__init__("lines", ["row", "column"], [SIZE, SIZE], (SIZE, SIZE, 1))

  def sample_factors(self, num, random_state):
    """Returns rows and columns, `[num, 2]`."""
    return random_state.randint(SIZE, size=(num, 2))

  def sample_observations_from_factors(self, factors, random_state):
    """Returns images in [0, 1], `[num, SIZE, SIZE, 1]`."""
    images = np.zeros((len(factors), SIZE, SIZE, 1), np.float32)
    images[np.arange(len(factors)), factors[:, 0]] = 1
    images[np.arange(len(factors)), :, factors[:, 1]] = 1
    return images


# %% Network: a function, whose weights depend on its seed alone. A Keras model would do, too.
def small_encoder(observation_shape, num_latent, seed):
  """Returns a Keras model from images to means and log variances, `[batch, num_latent]` each."""
  glorot = [
    keras.initializers.GlorotUniform(int(word))
    for word in np.random.SeedSequence(seed).generate_state(3) >> 1
  ]
  images = keras.Input(observation_shape)
  hidden = keras.layers.Flatten()(images)
  hidden = keras.layers.Dense(256, "relu", kernel_initializer=glorot[0])(hidden)
  means = keras.layers.Dense(num_latent, kernel_initializer=glorot[1], name="means")(hidden)
  log_var = keras.layers.Dense(num_latent, kernel_initializer=glorot[2], name="log_var")(hidden)
  return keras.Model(images, [means, log_var])


# %% Objective: the regularizer is all that a VAE's objective defines.
class SparseVAE(dl.BaseVAE):
  """KL plus the mean absolute value of each latent's mean, summed over latents."""

  def __init__(self, weight):
    self.weight = weight

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    """Returns what is added to the reconstruction loss, a scalar."""
    return kl_loss + self.weight * tf.reduce_mean(tf.reduce_sum(tf.abs(z_mean), axis=1))


# %% Posterior: a structure of the noise is a function from the number of latents to its matrix.
def neighbors(num_latent):
  """Returns a correlation of 0.5 between neighbors, 0.25 between their neighbors, ..."""
  index = np.arange(num_latent)
  return 0.5 ** np.abs(index[:, None] - index)


# %% Train.
model = SparseVAE(weight=0.1)
model.num_latent = 4
model.posterior = dl.posteriors.FixedCorrelation(neighbors)
model.encoder = small_encoder
model.decoder = dl.networks.fc_decoder
data = Lines()
run = dl.train(model, data, f"output/own_parts_{STEPS}_steps", steps=STEPS, eval_steps=10)


# %% Metric: a function from points to numbers.
@dl.metric("largest_variance", draw=metric.points)
def largest_variance(codes, factors):
  """Returns the variance of the latent that varies most."""
  return {"largest_variance": float(np.var(codes, axis=0).max())}


scores = dl.evaluate(run, data, ["mig", largest_variance], settings={"mig.num_train": 1000})
print(f"MIG {scores['mig']['discrete_mig']:.3f}")
print(f"Largest variance {scores['largest_variance']['largest_variance']:.2f}")
