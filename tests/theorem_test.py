"""The paper's lemmas and its theorem, in closed form and by the evaluator.

Model: x ~ N(0, I), z = W x + S noise, noise ~ N(0, R), S diagonal. So z ~ N(0, W W' + S R S), and
every information is a ratio of determinants: here of blocks of the joint covariance of (x, z), so
that no term of an identity is computed from the others.
"""

import itertools

import numpy as np
import pytest

from dl_condind.evaluation.densities import subset_information
from dl_condind.evaluation.metrics import information_gap
from dl_condind.posteriors import equicorrelated as equicorrelated_noise

NUM_MODELS = 20


class GaussianModel:
  """A linear Gaussian encoder, and what it is worth in nats.

  A set of variables is a list of indices: x are the first, z those after them.
  """

  def __init__(self, weights, stddev, noise_correlation):
    self.weights = weights
    self.stddev = stddev
    self.noise_correlation = noise_correlation
    self.num_latent, self.num_x = weights.shape
    noise = np.outer(stddev, stddev) * noise_correlation
    self.noise = noise
    self.joint = np.block([[np.eye(self.num_x), weights.T], [weights, weights @ weights.T + noise]])
    self.x = list(range(self.num_x))

  def z(self, subset):
    return [self.num_x + j for j in subset]

  def entropy(self, variables):
    """Entropy without 0.5 * log(2 pi e) per variable, which cancels in every information."""
    return 0.5 * np.linalg.slogdet(self.joint[np.ix_(variables, variables)])[1]

  def information(self, subset, given=()):
    """I(z_S; x | z_given), from four joint entropies."""
    s, g = self.z(subset), self.z(given)
    return (
      self.entropy(s + g) + self.entropy(self.x + g) - self.entropy(self.x + s + g)
    ) - self.entropy(g)

  def gap(self, subset):
    return self.information(subset) - sum(self.information([i]) for i in subset)

  def total_correlation(self, subset):
    return sum(self.entropy(self.z([i])) for i in subset) - self.entropy(self.z(subset))

  def conditional_total_correlation(self, subset):
    """KL(q(z_S|x) || prod q(z_i|x)): the covariance given x, conditioned from the joint."""
    n = self.num_x
    z_x = self.joint[n:, :n]
    given_x = self.joint[n:, n:] - z_x @ np.linalg.solve(self.joint[:n, :n], z_x.T)
    given_x = given_x[np.ix_(subset, subset)]
    return 0.5 * (np.sum(np.log(np.diag(given_x))) - np.linalg.slogdet(given_x)[1])

  def posteriors(self, num_posteriors, random_state):
    """Means, standard deviations and scales of the posteriors of a sample of x."""
    mean = random_state.standard_normal((num_posteriors, self.num_x)) @ self.weights.T
    scale_tril = self.stddev[:, None] * np.linalg.cholesky(self.noise_correlation)
    return (
      mean,
      np.broadcast_to(self.stddev, mean.shape),
      np.broadcast_to(scale_tril, (num_posteriors, *scale_tril.shape)),
    )


def equicorrelated(num_latent, correlation):
  return equicorrelated_noise.equicorrelated(num_latent, correlation)


def random_model(seed, num_latent=4, num_x=5):
  random_state = np.random.RandomState(seed)
  factors = random_state.standard_normal((num_latent, num_latent + 2))
  covariance = factors @ factors.T
  scale = np.sqrt(np.diag(covariance))
  return GaussianModel(
    random_state.standard_normal((num_latent, num_x)),
    np.exp(0.5 * random_state.standard_normal(num_latent)),
    covariance / np.outer(scale, scale),
  )


def independent_model(num_latent=4, stddev=0.4, correlation=0.0):
  """One x for each latent; with independent noise it satisfies all of the paper's assumptions."""
  return GaussianModel(
    np.eye(num_latent), np.full(num_latent, stddev), equicorrelated(num_latent, correlation)
  )


def marginally_independent_model(num_latent, stddev, correlation):
  """q(z) = N(0, I) although the noise is correlated: W W' = I - S R S."""
  noise = stddev**2 * equicorrelated(num_latent, correlation)
  return GaussianModel(
    np.linalg.cholesky(np.eye(num_latent) - noise),
    np.full(num_latent, stddev),
    equicorrelated(num_latent, correlation),
  )


def conditionally_independent_model(num_latent=3, stddev=0.6, correlation=0.7):
  """Independent noise, but means that depend on each other."""
  return GaussianModel(
    np.linalg.cholesky(equicorrelated(num_latent, correlation)),
    np.full(num_latent, stddev),
    np.eye(num_latent),
  )


def subsets_of(num_latent, smallest=1):
  for size in range(smallest, num_latent + 1):
    yield from (list(subset) for subset in itertools.combinations(range(num_latent), size))


def estimate(model, seed=0, num_posteriors=4000, num_samples=2000, mixture="in_sample"):
  random_state = np.random.RandomState(seed)
  left, right = (model.posteriors(num_posteriors, random_state) for _ in range(2))
  return information_gap.theorem_terms(left, right, num_samples, 5, random_state, mixture)


# Lemma 1.


@pytest.mark.parametrize("seed", range(NUM_MODELS))
def test_chain_rule(seed):
  # What the proof of Lemma 1 rests on, for every j and every set of others.
  model = random_model(seed)
  for subset in subsets_of(4, smallest=2):
    for j in subset:
      others = [i for i in subset if i != j]
      assert model.information([j], given=others) == pytest.approx(
        model.information(subset) - model.information(others), abs=1e-10
      )


def largest_violations(model):
  """How far a model is from Eq. 5 and from Eq. 6, over every j and every set of others."""
  invariance, additivity = [], []
  for subset in subsets_of(model.num_latent, smallest=2):
    for j in subset:
      others = [i for i in subset if i != j]
      alone = model.information([j])
      invariance.append(model.information([j], given=others) - alone)
      additivity.append(model.information(subset) - alone - model.information(others))
  return np.array(invariance), np.array(additivity)


@pytest.mark.parametrize("seed", range(NUM_MODELS))
def test_lemma_1_both_equations_fail_by_the_same_amount(seed):
  invariance, additivity = largest_violations(random_model(seed))
  np.testing.assert_allclose(invariance, additivity, atol=1e-10)
  assert np.max(np.abs(invariance)) > 0.01


def test_lemma_1_both_equations_hold_together():
  invariance, additivity = largest_violations(independent_model())
  np.testing.assert_allclose(invariance, 0, atol=1e-12)
  np.testing.assert_allclose(additivity, 0, atol=1e-12)
  model = independent_model()
  for subset in subsets_of(4):  # Eq. 7, to which Eq. 6 leads.
    assert model.gap(subset) == pytest.approx(0, abs=1e-12)


# Theorem 1.


@pytest.mark.parametrize("seed", range(NUM_MODELS))
def test_theorem_1_in_closed_form(seed):
  model = random_model(seed)
  for subset in subsets_of(4):
    right = model.conditional_total_correlation(subset) - model.total_correlation(subset)
    assert model.gap(subset) == pytest.approx(right, abs=1e-10)


@pytest.mark.parametrize("correlation", [-0.2, 0.3, 0.9])
def test_theorem_1_without_marginal_dependence(correlation):
  # q(z) is factorized, so that the gap is the total correlation of the noise, for every subset.
  model = marginally_independent_model(3, 0.3, correlation)
  for subset in subsets_of(3, smallest=2):
    assert model.total_correlation(subset) == pytest.approx(0, abs=1e-12)
    noise = -0.5 * np.linalg.slogdet(equicorrelated(len(subset), correlation))[1]
    assert model.gap(subset) == pytest.approx(noise, abs=1e-10)
    assert model.gap(subset) > 0


@pytest.mark.parametrize("correlation", [0.3, 0.9])
def test_theorem_1_without_conditional_dependence(correlation):
  # The noise is independent, so that the gap is minus the total correlation of q(z).
  model = conditionally_independent_model(correlation=correlation)
  for subset in subsets_of(3, smallest=2):
    assert model.conditional_total_correlation(subset) == pytest.approx(0, abs=1e-12)
    assert model.gap(subset) == pytest.approx(-model.total_correlation(subset), abs=1e-10)
    assert model.gap(subset) < 0


def test_dependences_can_cancel():
  # Means and noise of the same correlation leave Assumption 3 intact where Assumption 1 fails.
  root = np.linalg.cholesky(equicorrelated(3, 0.5))
  model = GaussianModel(root, np.full(3, 0.4), equicorrelated(3, 0.5))
  for subset in subsets_of(3, smallest=2):
    assert model.gap(subset) == pytest.approx(0, abs=1e-10)
    assert model.total_correlation(subset) > 0.1


MODELS = {
  "assumptions_hold": independent_model(3, 0.4),
  "weak": GaussianModel(0.3 * np.eye(3), np.ones(3), np.eye(3)),
  "correlated_noise": marginally_independent_model(3, 0.3, 0.9),
  "dependent_means": conditionally_independent_model(3, 0.6, 0.7),
  "both": random_model(0, num_latent=3),
  "negative": marginally_independent_model(3, 0.5, -0.4),
  "five_latents": random_model(1, num_latent=5),
}


SHORT = ("dependent_means",)  # The long checks have the others.


@pytest.fixture(
  scope="module",
  params=[
    pytest.param(name, marks=[] if name in SHORT else pytest.mark.slow, id=name) for name in MODELS
  ],
)
def estimated(request):
  model = MODELS[request.param]
  return model, estimate(model)


def assert_between(results, name, suffix, truth):
  """The truth is between the bounds, up to 4 of their standard errors."""
  for bound, sign in (("_lower", 1), ("_upper", -1)):
    value, error = (np.array(results[f"{name}{bound}{suffix}{end}"]) for end in ("", "_std_error"))
    assert np.all(sign * (truth - value) > -4 * error - 1e-12), f"{name}{bound}{suffix}"


def test_estimated_informations_bracket_the_closed_form(estimated):
  model, results = estimated
  everything = list(range(model.num_latent))
  assert_between(results, "mutual_information", "", model.information(everything))
  alone = np.array([model.information([j]) for j in everything])
  assert_between(results, "mutual_information", "_per_latent", alone)
  given = np.array(
    [model.information([j], given=[i for i in everything if i != j]) for j in everything]
  )
  assert_between(results, "conditional_mutual_information", "_per_latent", given)
  assert_between(results, "conditional_mutual_information_difference", "_per_latent", given - alone)


def test_estimated_gaps_bracket_the_closed_form(estimated):
  model, results = estimated
  num_latent = model.num_latent
  assert_between(results, "information_gap", "", model.gap(list(range(num_latent))))
  pairs = [
    [model.gap([i, j]) if i != j else 0.0 for j in range(num_latent)] for i in range(num_latent)
  ]
  assert_between(results, "information_gap", "_per_pair", np.array(pairs))
  per_subset = np.array([model.gap(subset) for subset in results["subsets"]])
  assert_between(results, "information_gap", "_per_subset", per_subset)
  assert results["subset_sizes"] == list(range(2, num_latent + 1))
  chosen = [*itertools.combinations(range(num_latent), 2), *results["subsets"]]
  per_size = [
    np.mean([model.gap(list(subset)) for subset in chosen if len(subset) == size])
    for size in results["subset_sizes"]
  ]
  assert_between(results, "information_gap", "_per_size", np.array(per_size))


def test_estimates_are_near_the_closed_form(estimated):
  # 4 standard errors and, for the bias of 4000 posteriors, as far as the bounds are apart.
  model, results = estimated
  everything = list(range(model.num_latent))
  for name, truth in (
    ("mutual_information", model.information(everything)),
    ("information_gap", model.gap(everything)),
    ("total_correlation", model.total_correlation(everything)),
  ):
    bounded = "information_gap" if name == "total_correlation" else name
    bias = results[f"{bounded}_upper"] - results[f"{bounded}_lower"]
    tolerance = 4 * results[f"{name}_std_error"] + bias
    assert results[name] == pytest.approx(truth, abs=tolerance)
    assert tolerance < 0.4


def test_conditional_total_correlation_is_exact(estimated):
  model, results = estimated
  num_latent = model.num_latent
  assert results["conditional_total_correlation"] == pytest.approx(
    model.conditional_total_correlation(list(range(num_latent))), abs=1e-10
  )
  for i, j in itertools.combinations(range(num_latent), 2):
    pair = results["conditional_total_correlation_per_pair"]
    assert pair[i][j] == pair[j][i]
    assert pair[i][j] == pytest.approx(model.conditional_total_correlation([i, j]), abs=1e-10)
  for subset, value in zip(
    results["subsets"], results["conditional_total_correlation_per_subset"], strict=True
  ):
    assert value == pytest.approx(model.conditional_total_correlation(subset), abs=1e-10)


def test_estimated_sides_of_theorem_1_agree(estimated):
  _, results = estimated
  for level in ("", "_per_pair", "_per_size", "_per_subset"):
    difference = np.array(results[f"theorem_difference{level}"])
    error = np.array(results[f"theorem_difference{level}_std_error"])
    assert np.all(np.abs(difference) <= 4 * error + 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("mixture", subset_information.MIXTURES)
def test_standard_error_of_the_difference_is_its_spread(mixture):
  # The mean square of 60 standardised differences is within 4 of its own standard errors of 1,
  # and their mean within 4 of 0: no bias, and mixtures of 300 posteriors add no visible noise.
  model = marginally_independent_model(3, 0.5, 0.6)
  scores = []
  for seed in range(60):
    results = estimate(model, seed, num_posteriors=300, num_samples=300, mixture=mixture)
    scores.append(results["theorem_difference"] / results["theorem_difference_std_error"])
  assert np.mean(np.square(scores)) == pytest.approx(1, abs=4 * np.sqrt(2 / 60))
  assert np.mean(scores) == pytest.approx(0, abs=4 / np.sqrt(60))


@pytest.mark.slow
def test_difference_tells_densities_that_are_not_those_of_z():
  # Scales that lose the noise's correlation on one side only.
  model = independent_model(3, 0.4, correlation=0.9)
  random_state = np.random.RandomState(0)
  left, (mean, stddev, _) = (model.posteriors(4000, random_state) for _ in range(2))
  wrong = (mean, stddev, stddev[:, :, None] * np.eye(3))
  results = information_gap.theorem_terms(left, wrong, 2000, 5, random_state)
  assert results["theorem_difference"] > 10 * results["theorem_difference_std_error"]


@pytest.mark.slow
def test_correlated_noise_alone_makes_a_gap():
  # c = 0.9 with q(z) = N(0, I): what the paper's Assumption 1 does not see.
  results = estimate(MODELS["correlated_noise"])
  noise = -0.5 * np.linalg.slogdet(equicorrelated(3, 0.9))[1]
  assert noise == pytest.approx(1.7878, abs=5e-5)
  assert results["information_gap_lower"] > 10 * results["information_gap_lower_std_error"]
  assert results["information_gap"] == pytest.approx(noise, abs=0.2)
  assert results["total_correlation"] == pytest.approx(0, abs=0.1)
  assert np.all(np.array(results["conditional_mutual_information_difference_per_latent"]) > 0.5)


@pytest.mark.slow
def test_dependent_means_alone_make_a_negative_gap():
  results = estimate(MODELS["dependent_means"])
  assert results["conditional_total_correlation"] == pytest.approx(0, abs=1e-12)
  assert results["information_gap_upper"] < -5 * results["information_gap_upper_std_error"]
  assert np.all(np.array(results["conditional_mutual_information_difference_per_latent"]) < 0)


# Lemma 2.


def conditional_total_correlation(noise_correlation, seed=0, num_posteriors=3):
  """Of noise with any standard deviations: they do not matter."""
  num_latent = len(noise_correlation)
  stddev = np.exp(2 * np.random.RandomState(seed).standard_normal((num_posteriors, num_latent)))
  scale_tril = stddev[:, :, None] * np.linalg.cholesky(noise_correlation)
  return subset_information.conditional_total_correlation(scale_tril, [range(num_latent)])


@pytest.mark.parametrize("num_latent", [1, 2, 10])
def test_lemma_2_independent_noise_makes_z_given_x_independent(num_latent):
  np.testing.assert_allclose(conditional_total_correlation(np.eye(num_latent)), 0, atol=1e-12)


@pytest.mark.parametrize("seed", range(NUM_MODELS))
def test_lemma_2_dependent_noise_makes_z_given_x_dependent(seed):
  # The total correlation is at least the information of any pair, -log(1 - correlation**2) / 2.
  correlation = random_model(seed).noise_correlation
  largest = np.max(np.abs(correlation - np.eye(4)))
  value = conditional_total_correlation(correlation, seed)
  assert np.all(value >= -0.5 * np.log(1 - largest**2) - 1e-10)
  assert largest > 0.1


@pytest.mark.parametrize(
  "num_latent, correlation, expected",
  [
    (2, 0.1, 0.0050),
    (2, 0.5, 0.1438),
    (2, 0.9, 0.8304),
    (2, 0.99, 1.9585),
    (10, 0.1, 0.1532),
    (10, 0.5, 2.2668),
    (10, 0.9, 9.2575),
    (10, 0.99, 19.5765),
    (20, 0.1, 0.4686),
    (20, 0.5, 5.4092),
    (20, 0.9, 20.4266),
    (20, 0.99, 42.2560),
  ],
)
def test_lemma_2_by_how_much(num_latent, correlation, expected):
  # -0.5 * log((1 - c)**(J - 1) * (1 + (J - 1) * c)), to the digits of the table.
  value = conditional_total_correlation(equicorrelated(num_latent, correlation))
  np.testing.assert_allclose(value, expected, atol=5e-5)
  closed = (1 - correlation) ** (num_latent - 1) * (1 + (num_latent - 1) * correlation)
  np.testing.assert_allclose(value, -0.5 * np.log(closed), atol=1e-10)


# Lemma 3.


def test_lemma_3_information_grows_without_bound_as_noise_vanishes():
  # Each factor of 10 in the noise of J latents is worth J * log(10) nats.
  steps = [independent_model(3, 10.0**-k).information([0, 1, 2]) for k in range(1, 6)]
  np.testing.assert_allclose(np.diff(steps), 3 * np.log(10), rtol=0.01)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_lemma_3_estimate_saturates_at_its_bound(correlation):
  settings = {"num_posteriors": 500, "num_samples": 400}
  results = estimate(independent_model(3, 1e-6, correlation), **settings)
  bound = np.log(500)
  assert results["mutual_information_bound"] == pytest.approx(bound)
  assert results["mutual_information"] <= bound + 1e-9
  assert results["mutual_information"] == pytest.approx(bound, abs=1e-6)
  truth = independent_model(3, 1e-6, correlation).information([0, 1, 2])
  assert truth > 6 * bound
  # Without the posterior that z was drawn from, nothing is near z: no bound, and far above.
  unbounded = estimate(independent_model(3, 1e-6, correlation), mixture="leave_one_out", **settings)
  assert unbounded["mutual_information_bound"] is None
  assert truth < unbounded["mutual_information"] < 1e20
