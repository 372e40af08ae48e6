"""The protocol of the evaluator; tests/theorem_test.py holds its values against closed forms."""

import json

import gin
import numpy as np
import pytest
from scipy import stats

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation import representation
from dl_condind.evaluation.metrics import information_gap
from dl_condind.utils import errors

LEVELS = ("", "_per_pair", "_per_size", "_per_subset")
SMALL = {"num_posteriors": 300, "num_samples": 200, "num_subsets": 2}


class GaussianData(ground_truth_data.GroundTruthData):
  """Observations are standard normal vectors."""

  def __init__(self, size):
    super().__init__("gaussian", ["sign"], [2], (size,))

  def sample_factors(self, num, random_state):
    return random_state.randint(2, size=(num, 1))

  def sample_observations_from_factors(self, factors, random_state):
    return random_state.standard_normal((len(factors), *self.observation_shape))


def toy_representation(num_latent, stddev=0.5, correlation=0.0):
  """z is the observation with noise, so that q(z) has unit variances."""
  root = np.linalg.cholesky((1 - correlation) * np.eye(num_latent) + correlation)

  def gaussian_encoder(observations):
    mean = np.sqrt(1 - stddev**2) * observations
    return {
      "mean": mean,
      "logvar": np.full(mean.shape, 2 * np.log(stddev)),
      "scale_tril": np.broadcast_to(stddev * root, (len(mean), num_latent, num_latent)),
    }

  return representation.Representation(
    lambda x: gaussian_encoder(x)["mean"], gaussian_encoder=gaussian_encoder
  )


def evaluate(num_latent=4, seed=0, stddev=0.5, correlation=0.0, **settings):
  return information_gap.compute_information_gap(
    GaussianData(num_latent),
    toy_representation(num_latent, stddev, correlation),
    np.random.RandomState(seed),
    **{**SMALL, **settings},
  )


def expected_keys():
  estimates = ["mutual_information_shuffled", "total_correlation_null", "mutual_information"]
  estimates += ["mutual_information_lower", "mutual_information_upper"]
  for bound in ("", "_lower", "_upper"):
    estimates += [
      f"mutual_information{bound}_per_latent",
      f"conditional_mutual_information{bound}_per_latent",
      f"conditional_mutual_information_difference{bound}_per_latent",
    ]
  for level in LEVELS:
    estimates += [
      f"{name}{level}"
      for name in (
        "information_gap",
        "information_gap_lower",
        "information_gap_upper",
        "conditional_total_correlation",
        "total_correlation",
        "theorem_difference",
      )
    ]
  return {
    "information_gap_mixture",
    "mutual_information_bound",
    "subset_sizes",
    "subsets",
    *estimates,
    *(f"{name}_std_error" for name in estimates),
  }


def shape_of(value):
  return np.array(value).shape


@pytest.mark.parametrize("num_latent", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("mixture", ["in_sample", "leave_one_out"])
def test_results_are_plain_named_and_shaped(num_latent, mixture):
  results = evaluate(num_latent, mixture=mixture, correlation=0.5)
  assert set(results) == expected_keys()
  assert json.loads(json.dumps(results, allow_nan=False)) == results
  assert results["information_gap_mixture"] == mixture
  assert results["subset_sizes"] == list(range(2, num_latent + 1))
  shapes = {
    "": (),
    "_per_pair": (num_latent, num_latent),
    "_per_size": (max(0, num_latent - 1),),
    "_per_subset": (len(results["subsets"]),),
  }
  for level, shape in shapes.items():
    for name in ("information_gap", "information_gap_lower", "theorem_difference"):
      assert shape_of(results[f"{name}{level}"]) == shape
      assert shape_of(results[f"{name}{level}_std_error"]) == shape
  for name in ("mutual_information", "conditional_mutual_information_difference"):
    assert shape_of(results[f"{name}_per_latent"]) == (num_latent,)
  assert all(np.min(v) >= 0 for k, v in results.items() if k.endswith("error") and np.size(v))


def test_levels_are_of_the_same_values():
  results = evaluate(4, correlation=0.5)
  assert results["subsets"] == [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3], [0, 1, 2, 3]]
  for name in ("information_gap", "total_correlation", "theorem_difference"):
    per_subset = results[f"{name}_per_subset"]
    pairs = np.array(results[f"{name}_per_pair"])
    np.testing.assert_array_equal(pairs, pairs.T)
    np.testing.assert_array_equal(np.diag(pairs), 0)
    per_size = [np.mean(pairs[np.triu_indices(4, k=1)]), np.mean(per_subset[:4]), per_subset[4]]
    np.testing.assert_allclose(results[f"{name}_per_size"], per_size, atol=1e-12)
    assert results[name] == pytest.approx(per_subset[4], abs=1e-12)


def test_terms_fit_together():
  results = evaluate(4, correlation=0.5)
  per_latent = np.array(results["mutual_information_per_latent"])
  total = results["mutual_information"]
  assert results["information_gap"] == pytest.approx(total - np.sum(per_latent), abs=1e-10)
  for level in LEVELS:
    gap, conditional, total_correlation, difference = (
      np.array(results[f"{name}{level}"])
      for name in (
        "information_gap",
        "conditional_total_correlation",
        "total_correlation",
        "theorem_difference",
      )
    )
    np.testing.assert_allclose(difference, gap - conditional + total_correlation, atol=1e-12)
    assert np.all(np.array(results[f"information_gap_lower{level}"]) <= gap)
    assert np.all(gap <= np.array(results[f"information_gap_upper{level}"]))
  # I(z_j; x | z_-j) = I(z; x) - I(z_-j; x), and that of z_-j is its gap and its latents'.
  gap_without = np.array(results["information_gap_per_subset"])[3::-1]  # Without 0, 1, 2, 3.
  without = gap_without + np.sum(per_latent) - per_latent
  conditional = np.array(results["conditional_mutual_information_per_latent"])
  np.testing.assert_allclose(conditional, total - without, atol=1e-10)
  np.testing.assert_allclose(
    results["conditional_mutual_information_difference_per_latent"],
    conditional - per_latent,
    atol=1e-10,
  )


def test_latents_keep_their_places():
  # Latent 0 is shared with latent 2 only; latent 1 is on its own.
  random_state = np.random.RandomState(0)
  mean = random_state.standard_normal((2, 1000, 3))
  mean[:, :, 2] = mean[:, :, 0]
  stddev = np.broadcast_to([0.5, 0.2, 1.0], mean.shape[1:])
  scale_tril = stddev[:, :, None] * np.eye(3)
  left, right = ((m, stddev, scale_tril) for m in mean)
  results = information_gap.theorem_terms(left, right, 800, 5, random_state)
  information = 0.5 * np.log(1 + 1 / np.array([0.5, 0.2, 1.0]) ** 2)
  np.testing.assert_allclose(results["mutual_information_per_latent"], information, atol=0.15)
  pairs = np.array(results["information_gap_per_pair"])
  assert pairs[0, 2] < -0.2
  assert np.all(np.abs([pairs[0, 1], pairs[1, 2]]) < 0.1)
  differences = results["conditional_mutual_information_difference_per_latent"]
  assert differences[1] == pytest.approx(0, abs=0.1)
  assert differences[0] < -0.2 and differences[2] < -0.2


def test_one_latent_has_no_gap():
  results = evaluate(1)
  assert results["information_gap"] == results["total_correlation"] == 0
  assert results["theorem_difference"] == results["theorem_difference_std_error"] == 0
  assert results["conditional_total_correlation"] == 0
  assert results["information_gap_per_pair"] == [[0.0]]
  assert results["information_gap_per_size"] == results["subsets"] == []
  (information,) = results["mutual_information_per_latent"]
  assert results["conditional_mutual_information_per_latent"] == [information]
  assert results["conditional_mutual_information_difference_per_latent"] == [0.0]
  assert information == results["mutual_information"] == pytest.approx(np.log(2), abs=0.2)


def test_collapsed_posteriors_say_nothing():
  # Every posterior is the prior, so the mixture is too, with correlated noise or not.
  results = evaluate(4, stddev=1.0, correlation=0.0)
  for name in ("mutual_information", "information_gap", "total_correlation"):
    assert results[name] == pytest.approx(0, abs=1e-10)
  correlated = evaluate(4, stddev=1.0, correlation=0.9, num_samples=300)
  assert correlated["mutual_information"] == pytest.approx(0, abs=1e-10)
  # z has the noise's total correlation, which says nothing about x: the sides agree at 0.
  noise = correlated["conditional_total_correlation"]
  assert noise == pytest.approx(-0.5 * np.log(0.1**3 * 3.7), abs=1e-10)
  assert correlated["total_correlation"] == pytest.approx(
    noise, abs=4 * correlated["total_correlation_std_error"]
  )


@pytest.mark.parametrize(
  "num_latent, stddev", [(2, 0.1), (2, 0.3), pytest.param(5, 0.6, marks=pytest.mark.slow)]
)
def test_in_sample_is_nearer_to_the_truth(num_latent, stddev):
  # The reason for the default: with correlated noise, both are biased, leave_one_out the more.
  correlation = 0.9
  noise = stddev**2 * ((1 - correlation) * np.eye(num_latent) + correlation)
  covariance = (1 - stddev**2) * np.eye(num_latent) + noise
  truth = 0.5 * (np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(noise)[1])
  results = [
    evaluate(num_latent, seed, stddev, correlation, num_posteriors=1000, num_samples=1000)
    for seed in range(4)
  ]
  low, high = (
    np.mean([result[f"mutual_information_{bound}"] for result in results])
    for bound in ("lower", "upper")
  )
  # 3 standard errors of 4000 z, whose log density ratios have a variance of about num_latent.
  noise = 3 * np.sqrt(num_latent / 4000)
  assert low - noise < truth < high + noise
  assert truth - low < high - truth + noise


@pytest.mark.slow
def test_nulls():
  # Shuffled pairs: E[log q(z|x') - log q(z)] of Gaussians. Shuffled latents: no total correlation.
  results = evaluate(3, stddev=0.7, correlation=0.6, num_posteriors=4000, num_samples=2000)
  noise = 0.49 * (0.4 * np.eye(3) + 0.6)
  covariance = 0.51 * np.eye(3) + noise
  ratio = np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(noise)[1]
  # z - mean(x') has the covariances of z and of the means.
  spread = np.trace(np.linalg.solve(noise, covariance + 0.51 * np.eye(3)))
  expected = 0.5 * (ratio - spread + 3)
  assert results["mutual_information_shuffled"] == pytest.approx(
    expected, abs=4 * results["mutual_information_shuffled_std_error"]
  )
  assert expected < -1
  bias = results["information_gap_upper"] - results["information_gap_lower"]
  null, error = results["total_correlation_null"], results["total_correlation_null_std_error"]
  assert null == pytest.approx(0, abs=4 * error + bias)
  assert results["total_correlation"] > null + 0.02


def test_the_sides_have_observations_and_z_of_their_own():
  # Neither side changes when the other one's posteriors do.
  random_state = np.random.RandomState(0)
  stddev = np.full((200, 3), 0.5)
  scale_tril = stddev[:, :, None] * np.eye(3)
  means = random_state.standard_normal((3, 200, 3))
  first, other_left, other_right = (
    information_gap.theorem_terms(
      *((means[i], stddev, scale_tril) for i in pair), 100, 5, np.random.RandomState(1)
    )
    for pair in ((0, 1), (2, 1), (0, 2))
  )
  for name in ("information_gap", "mutual_information"):
    assert first[name] == other_right[name] != other_left[name]
  assert first["total_correlation"] == other_left["total_correlation"]
  assert first["total_correlation"] != other_right["total_correlation"]


def test_estimates_of_the_sides_are_not_correlated():
  # From one sample the difference would be 0 to rounding, and tell nothing.
  gaps, others = [], []
  for seed in range(40):
    results = evaluate(2, seed, correlation=0.5, num_posteriors=100, num_samples=100)
    gaps.append(results["information_gap"])
    others.append(results["conditional_total_correlation"] - results["total_correlation"])
    assert abs(results["theorem_difference"]) > 1e-6
  assert stats.pearsonr(gaps, others).pvalue > 1e-3


def test_results_follow_the_random_state():
  assert evaluate(4, seed=3) == evaluate(4, seed=3)
  assert evaluate(4, seed=3)["information_gap"] != evaluate(4, seed=4)["information_gap"]


@pytest.mark.parametrize(
  "settings, message",
  [
    ({"num_samples": 1}, "information_gap.num_samples must be a whole number of at least 2, got 1"),
    ({"num_samples": 2.0}, "information_gap.num_samples must be a whole number"),
    (
      {"num_posteriors": 199},
      "information_gap.num_posteriors must be a whole number of at least 200, got 199",
    ),
    ({"num_subsets": 0}, "information_gap.num_subsets must be a whole number of at least 1"),
    (
      {"mixture": "all"},
      "information_gap.mixture must be one of in_sample, leave_one_out, got 'all'",
    ),
  ],
)
def test_settings_are_checked(settings, message):
  with pytest.raises(errors.ConfigError, match=message):
    evaluate(**settings)


@pytest.mark.parametrize("side", [0, 1])
def test_each_side_needs_a_posterior_for_each_z(side):
  sizes = [3, 3]
  sizes[side] = 2
  left, right = ((np.zeros((n, 2)), np.ones((n, 2)), np.tile(np.eye(2), (n, 1, 1))) for n in sizes)
  with pytest.raises(errors.ConfigError, match="number of posteriors must be .* at least 3, got 2"):
    information_gap.theorem_terms(left, right, 3, 5, np.random.RandomState(0))


def test_arrays_are_checked():
  posteriors = (np.zeros((4, 2)), np.ones((4, 2)), np.tile(np.eye(2), (4, 1, 1)))
  random_state = np.random.RandomState(0)
  with pytest.raises(errors.ConfigError, match="must be one of in_sample, leave_one_out"):
    information_gap.theorem_terms(posteriors, posteriors, 3, 5, random_state, "other")
  misshapen = (posteriors[0], np.ones((3, 2)), posteriors[2])
  with pytest.raises(errors.ConfigError, match="mean and stddev"):
    information_gap.theorem_terms(misshapen, posteriors, 4, 5, random_state)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
  "which, value, message",
  [
    (0, np.nan, "mean has 1 of 8 values that are not finite"),
    (1, 0.0, "stddev has 1 of 8 values that are not positive"),
  ],
)
def test_posteriors_of_each_side_are_checked(side, which, value, message):
  posteriors = {
    name: (np.zeros((4, 2)), np.ones((4, 2)), np.tile(np.eye(2), (4, 1, 1)))
    for name in ("left", "right")
  }
  posteriors[side][which][3, 1] = value
  with pytest.raises(errors.ConfigError, match=f"^The {side} side's {message}"):
    information_gap.theorem_terms(**posteriors, num_samples=3, num_subsets=5, random_state=None)


def test_plain_function_is_refused():
  with pytest.raises(errors.ConfigError, match="information_gap needs the model's gaussian_enc"):
    information_gap.compute_information_gap(
      GaussianData(2), lambda observations: observations, np.random.RandomState(0), **SMALL
    )


def test_diverged_posterior_is_refused():
  def gaussian_encoder(observations):
    shape = observations.shape
    scale_tril = np.broadcast_to(np.eye(2), (len(observations), 2, 2))
    return {"mean": np.full(shape, np.nan), "logvar": np.zeros(shape), "scale_tril": scale_tril}

  diverged = representation.Representation(lambda x: x, gaussian_encoder=gaussian_encoder)
  with pytest.raises(errors.ConfigError, match="posterior's mean has .* not finite"):
    information_gap.compute_information_gap(
      GaussianData(2), diverged, np.random.RandomState(0), **SMALL
    )


def test_gin_binds_the_settings():
  gin.parse_config(
    "information_gap.num_posteriors = 50\n"
    "information_gap.num_samples = 20\n"
    "information_gap.num_subsets = 1\n"
    'information_gap.mixture = "leave_one_out"'
  )
  results = information_gap.compute_information_gap(
    GaussianData(5), toy_representation(5), np.random.RandomState(0)
  )
  assert results["information_gap_mixture"] == "leave_one_out"
  assert results["mutual_information_bound"] is None
  assert [len(subset) for subset in results["subsets"]] == [3, 4, 4, 4, 4, 4, 5]
