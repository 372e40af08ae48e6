import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from dl_condind import posteriors
from dl_condind.posteriors import replaced_marginals

FAMILIES = {
  "independent": posteriors.Independent(),
  "equicorrelated": posteriors.Equicorrelated(0.8),
  "isotropic": posteriors.Isotropic(),
  "rotated": posteriors.Rotated(seed=3),
  "rotated_correlation": posteriors.Rotated(seed=3, family=posteriors.Autoregressive(0.6)),
  "full": posteriors.Full(),
  "learned": posteriors.LearnedCorrelation([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]),
}
each_family = pytest.mark.parametrize("family", list(FAMILIES.values()), ids=list(FAMILIES))


def encoded_and_replaced(family, num=4):
  """Returns parameters of posteriors of three latents, and other marginals, float64."""
  rng = np.random.default_rng(0)
  z_mean, z_logvar, mean, logvar = tf.unstack(tf.constant(rng.normal(size=(4, num, 3))))
  extra = None
  if family.num_extra(3):
    extra = tf.constant(rng.normal(size=(num, family.num_extra(3))))
  encoded = posteriors.Encoded(z_mean, z_logvar, extra)
  return encoded, replaced_marginals.Marginals(mean, logvar)


def expected_covariances(family, encoded, replaced):
  """Returns D' R D' of each posterior, R being the correlation of its own covariance."""
  scale = family.scale_tril(*encoded[1:]).numpy()
  covariance = scale @ scale.transpose(0, 2, 1)
  stddev = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
  correlation = covariance / (stddev[:, :, None] * stddev[:, None])
  new = np.exp(0.5 * replaced.logvar.numpy())
  return new[:, :, None] * correlation * new[:, None]


@each_family
def test_samples_have_the_new_marginals_and_the_old_correlation(family):
  (encoded, replaced), num = encoded_and_replaced(family), 100_000
  many = posteriors.Encoded(
    *(None if part is None else tf.repeat(part[:1], num, axis=0) for part in encoded)
  )
  wanted = replaced_marginals.Marginals(*(tf.repeat(part[:1], num, axis=0) for part in replaced))
  own = replaced_marginals.marginals(family, many)
  z = replaced_marginals.sample(family, many, own, wanted, seed=tf.constant([1, 2])).numpy()
  expected = expected_covariances(family, encoded, replaced)[0]
  scale = np.sqrt(np.diag(expected))
  np.testing.assert_allclose((z.mean(axis=0) - replaced.mean[0]) / scale, 0, atol=0.02)
  np.testing.assert_allclose(
    np.cov(z.T) / np.outer(scale, scale), expected / np.outer(scale, scale), atol=0.02
  )


@each_family
def test_kl_is_that_of_the_distribution(family):
  encoded, replaced = encoded_and_replaced(family)
  covariances = expected_covariances(family, encoded, replaced)
  if family.kl_kind == "factorized":
    covariances = covariances * np.eye(3)
  found = tfp.distributions.MultivariateNormalTriL(replaced.mean, np.linalg.cholesky(covariances))
  prior = tfp.distributions.MultivariateNormalDiag(tf.zeros(3, tf.float64))
  np.testing.assert_allclose(
    replaced_marginals.kl_loss(family, encoded, replaced),
    found.kl_divergence(prior),
    rtol=1e-10,
  )


@each_family
def test_own_marginals_change_nothing(family):
  encoded, _ = encoded_and_replaced(family)
  own = replaced_marginals.marginals(family, encoded)
  seed = tf.constant([1, 2])
  np.testing.assert_allclose(
    replaced_marginals.sample(family, encoded, own, own, seed), family.sample(*encoded, seed=seed)
  )
  kl_loss = replaced_marginals.kl_loss(family, encoded, own)
  np.testing.assert_allclose(kl_loss, family.kl_loss(*encoded))
