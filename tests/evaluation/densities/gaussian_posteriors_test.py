import numpy as np
import pytest

from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.utils import errors


def make_posteriors(num_posteriors=5, num_latent=3):
  random_state = np.random.RandomState(0)
  mean = random_state.standard_normal((num_posteriors, num_latent))
  stddev = np.exp(random_state.standard_normal(mean.shape))
  root = np.linalg.cholesky(0.3 * np.eye(num_latent) + 0.7)
  return mean, stddev, stddev[:, :, None] * root


def test_posteriors_with_a_density_pass():
  mean, stddev, scale_tril = make_posteriors()
  gaussian_posteriors.check_posteriors(mean, stddev, scale_tril)
  gaussian_posteriors.check_posteriors(mean, stddev, scale_tril.astype(np.float32))
  gaussian_posteriors.check_posteriors(mean, stddev)


@pytest.mark.parametrize(
  "which, index, value, message",
  [
    (0, (1, 2), np.nan, "^The posterior's mean has 1 of 15 values that are not finite"),
    (1, (1, 2), np.inf, "^The posterior's stddev has 1 of 15 values that are not finite"),
    (2, (1, 2, 0), np.nan, "^The posterior's scale_tril has 1 of 45 values that are not finite"),
    (1, (1, 2), 0.0, "stddev has 1 of 15 values that are not positive, so q.* has no density"),
    (1, (slice(None), 2), -1.0, "stddev has 5 of 15 values that are not positive"),
    (2, (1, 2, 2), 0.0, "scale_tril's diagonal has 1 of 15 values that are not positive"),
    (2, (1, 2, 2), -0.1, "scale_tril's diagonal has 1 of 15 values that are not positive"),
    (2, (4, 0, 1), 0.1, "scale_tril must be lower triangular"),
  ],
)
def test_posteriors_without_a_density_are_refused(which, index, value, message):
  posteriors = make_posteriors()
  posteriors[which][index] = value
  with pytest.raises(errors.ConfigError, match=message):
    gaussian_posteriors.check_posteriors(*posteriors)


@pytest.mark.parametrize(
  "which, shape, shapes",
  [
    (0, (5,), r"\(5,\), \(5, 3\), \(5, 3, 3\)"),
    (1, (4, 3), r"\(5, 3\), \(4, 3\), \(5, 3, 3\)"),
    (2, (5, 3), r"\(5, 3\), \(5, 3\), \(5, 3\)"),
    (2, (5, 3, 2), r"\(5, 3\), \(5, 3\), \(5, 3, 2\)"),
  ],
)
def test_shapes_are_checked(which, shape, shapes):
  posteriors = list(make_posteriors())
  posteriors[which] = np.ones(shape)
  message = rf"^Its mean and stddev must be \[num_posteriors, num_latent\] .* got {shapes}\.$"
  with pytest.raises(errors.ConfigError, match=message):
    gaussian_posteriors.check_posteriors(*posteriors, whose="Its")


def test_independent_scales_are_the_standard_deviations():
  scale_tril = gaussian_posteriors.independent_scales(np.array([[1.0, 2.0], [3.0, 4.0]]))
  np.testing.assert_array_equal(scale_tril, [np.diag([1.0, 2.0]), np.diag([3.0, 4.0])])


def test_samples_have_the_posteriors_moments():
  mean = np.array([[1.0, -2.0], [30.0, 40.0]])
  scale_tril = np.array([[[0.5, 0.0], [1.0, 2.0]], [[3.0, 0.0], [-2.0, 0.1]]])
  z = gaussian_posteriors.sample_mixture(mean, scale_tril, 50000, np.random.RandomState(0))
  for i in range(2):
    draws = z[50000 * i : 50000 * (i + 1)]
    np.testing.assert_allclose(draws.mean(axis=0), mean[i], atol=0.06)
    np.testing.assert_allclose(
      np.cov(draws, rowvar=False), scale_tril[i] @ scale_tril[i].T, rtol=0.03, atol=0.02
    )


def test_shuffle_keeps_each_latents_pairs_together():
  mean, stddev, _ = make_posteriors(num_posteriors=50)
  shuffled = gaussian_posteriors.shuffle_latents(mean, stddev, np.random.RandomState(0))
  orders = []
  for j in range(3):
    order = [int(np.flatnonzero(mean[:, j] == value)[0]) for value in shuffled[0][:, j]]
    assert sorted(order) == list(range(50))
    np.testing.assert_array_equal(shuffled[1][:, j], stddev[order, j])
    orders.append(tuple(order))
  assert len(set(orders)) == 3
