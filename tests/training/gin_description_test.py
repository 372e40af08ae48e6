import dataclasses
import functools

import keras
import numpy as np
import pytest

import dl_condind as dl
from dl_condind.data import batches
from dl_condind.data.ground_truth import dummy_data
from dl_condind.posteriors import posterior
from dl_condind.training import gin_description
from dl_condind.training import trainer
from dl_condind.utils import errors

SETTINGS = trainer.Settings(training_steps=1, random_seed=0, batch_size=4)


def described(**parts):
  """Returns the configuration of a run with some parts."""
  data = batches.Images(dummy_data.IdentityObservationsData())
  return gin_description.describe(dl.BetaVAE(1.0, **parts), data, SETTINGS).values


def test_the_family_within_a_rotated_one_is_described():
  weak, strong = (
    described(posterior=dl.posteriors.Rotated(seed=0, family=dl.posteriors.Equicorrelated(c)))
    for c in (0.1, 0.9)
  )
  assert weak != strong
  assert strong["equicorrelated.correlation"] == "0.9"
  assert strong["rotated.family"] == "@Equicorrelated()"


class FreeBits(dl.posteriors.Independent):
  """A posterior of the user that differs from its base by more than its correlation."""


def test_a_posterior_of_the_users_own_is_not_its_base():
  base, own = described(posterior=dl.posteriors.Independent()), described(posterior=FreeBits())
  assert base["posterior.noise_correlation"] == "@independent"
  assert own["posterior.noise_correlation"] == "None"
  assert own["posterior.family"] == "@FreeBits"
  within = described(posterior=dl.posteriors.Rotated(seed=0, family=FreeBits()))
  assert within["rotated.family"] == "@FreeBits()"


def test_functions_made_in_functions_are_told_apart_by_what_they_close_over():
  def noise(correlation):
    def matrix(num_latent):
      return (1 - correlation) * np.eye(num_latent) + correlation

    return dl.posteriors.FixedCorrelation(matrix)

  def optimizer(rate):
    return lambda: keras.optimizers.Adam(rate)

  assert described(posterior=noise(0.1)) == described(posterior=noise(0.1))
  assert described(posterior=noise(0.1)) != described(posterior=noise(0.9))
  assert described(optimizer=optimizer(1e-3)) == described(optimizer=optimizer(1e-3))
  assert described(optimizer=optimizer(1e-3)) != described(optimizer=optimizer(1.0))
  first, second = (lambda: keras.optimizers.Adam(1e-3)), (lambda: keras.optimizers.Adam(1e-4))
  assert described(optimizer=first) != described(optimizer=second)


class Forgetful(posterior.Posterior):
  """A family that does not say what it was made with."""

  def __init__(self, width):
    self._width = width

  def check(self, num_latent):
    pass

  def scale_tril(self, z_logvar, extra=None):
    raise AssertionError


def test_a_part_that_does_not_say_what_it_was_made_with_is_refused():
  with pytest.raises(
    errors.ConfigError, match=r"Forgetful must keep its argument 'width' as the a"
  ):
    described(posterior=Forgetful(0.5))


def test_a_part_of_the_users_own_has_a_name():
  @dataclasses.dataclass(eq=False)
  class WithCritic(dl.BetaVAE):
    """A model with one more optimizer."""

    critic_optimizer: object = dataclasses.field(
      default=functools.partial(keras.optimizers.Adam, 0.5), kw_only=True
    )

  data = batches.Images(dummy_data.IdentityObservationsData())
  values = gin_description.describe(WithCritic(1.0), data, SETTINGS).values
  assert "0.5" in values["WithCritic.critic_optimizer"]


def test_optimizers_of_the_package_are_parts():
  optimizer = dl.optimizers.momentum_optimizer(0.01, 0.9)
  values = described(optimizer=optimizer)
  assert "'momentum': 0.9" in values["vae_optimizer.optimizer_fn"]
