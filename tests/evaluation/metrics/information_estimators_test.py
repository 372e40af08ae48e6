import json
from typing import NamedTuple

import gin
import numpy as np
import pytest
from scipy import integrate
from scipy import stats

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation import posterior_samples
from dl_condind.evaluation import representation
from dl_condind.evaluation.densities import marginals
from dl_condind.evaluation.densities import mixtures
from dl_condind.evaluation.metrics import information_estimators
from dl_condind.utils import errors

SETTINGS = {
  "num_points": 50,
  "num_ratio_points": 50,
  "minibatch_size": 8,
  "num_samples": 2,
  "num_minibatches": 3,
  "num_resamples": 20,
}


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


class SmallTable(ground_truth_data.TableData):
  """60 images of 2 x 1 pixels."""

  def __init__(self):
    super().__init__(
      name="small_table",
      factor_names=["a", "b"],
      factor_sizes=[12, 5],
      latent_factor_indices=[0, 1],
      observation_shape=(2, 1, 1),
      packed=False,
    )

  def read_table(self, folder):
    table = np.random.RandomState(0).randint(256, size=(60, 2, 1, 1), dtype=np.uint8)
    return table, {"source": "synthetic", "sha256": "none"}


def gaussian_encoder(observations):
  mean = 4 * observations.reshape(len(observations), -1)[:, :2]
  root = np.linalg.cholesky([[1.0, 0.9], [0.9, 1.0]])
  return {
    "mean": mean,
    "logvar": np.full(mean.shape, 2 * np.log(0.5), np.float32),
    "scale_tril": np.broadcast_to(0.5 * root, (len(mean), 2, 2)).astype(np.float32),
  }


def evaluate(data, encoder=gaussian_encoder, **settings):
  return information_estimators.compute_information_estimators(
    data,
    representation.Representation(lambda x: encoder(x)["mean"], gaussian_encoder=encoder),
    np.random.RandomState(0),
    **(SETTINGS | settings),
  )


def test_every_row_of_a_table_is_in_the_mixture():
  data = SmallTable()
  results = evaluate(data)
  assert results["all_rows"] is True
  assert results["num_posteriors"] == 60
  posteriors = posterior_samples.row_posteriors(data, gaussian_encoder)
  assert results == {
    "all_rows": True,
    **information_estimators.estimate(*posteriors, np.random.RandomState(0), **SETTINGS),
  }
  assert json.loads(json.dumps(results, allow_nan=False)) == results


@pytest.mark.parametrize("data", [SmallTable(), dummy_data.IdentityObservationsData()])
def test_posteriors_can_be_sampled(data):
  results = evaluate(data, num_posteriors=40)
  assert results["all_rows"] is False
  assert results["num_posteriors"] == 40


def test_other_data_is_sampled_by_itself(monkeypatch):
  monkeypatch.setattr(information_estimators, "_NUM_SAMPLED_POSTERIORS", 30)
  results = evaluate(dummy_data.IdentityObservationsData())
  assert results["all_rows"] is False
  assert results["num_posteriors"] == 30


@pytest.mark.parametrize(
  "settings, message",
  [
    ({"num_posteriors": 5}, "num_posteriors must be a whole number of at least 6, got 5"),
    ({"density": "diagonal"}, "density must be one of factorized, full, got 'diagonal'"),
  ],
)
def test_settings_are_checked(settings, message):
  with pytest.raises(errors.ConfigError, match=message):
    evaluate(SmallTable(), **settings)


def test_posteriors_without_density_are_refused():
  def encoder(observations):
    return gaussian_encoder(observations) | {"logvar": np.full((len(observations), 2), -np.inf)}

  with pytest.raises(errors.ConfigError, match="logvar has 120 of 120 values that are not finite"):
    evaluate(SmallTable(), encoder)


def test_plain_function_is_refused():
  with pytest.raises(errors.ConfigError, match="needs the model's gaussian_encoder"):
    information_estimators.compute_information_estimators(
      SmallTable(), gaussian_encoder, np.random.RandomState(0)
    )


def test_gin_binds_the_settings():
  gin.parse_config(
    "\n".join(f"information_estimators.{name} = {value}" for name, value in SETTINGS.items())
    + '\ninformation_estimators.density = "factorized"\ninformation_estimators.num_posteriors = 20'
  )
  model = representation.Representation(lambda x: x, gaussian_encoder=gaussian_encoder)
  results = information_estimators.compute_information_estimators(
    SmallTable(), model, np.random.RandomState(0)
  )
  assert results == evaluate(SmallTable(), num_posteriors=20, density="factorized")


# Small enough for seconds; the biases below are those of these sizes.
SIZES = {
  "num_points": 1000,
  "num_ratio_points": 2000,
  "minibatch_size": 32,
  "num_samples": 5,
  "num_minibatches": 20,
  "num_resamples": 200,
}


class Model(NamedTuple):
  """x ~ N(0, I), mean = W x, fixed stddev and noise correlation: everything has a closed form."""

  mean: np.ndarray
  stddev: np.ndarray
  scale_tril: np.ndarray
  mixing: np.ndarray
  noise: np.ndarray

  @property
  def covariance(self):
    return self.mixing @ self.mixing.T + self.noise

  @property
  def total_correlation(self):
    deviation = np.sqrt(np.diagonal(self.covariance))
    return np.sum(np.log(deviation)) - 0.5 * np.linalg.slogdet(self.covariance)[1]

  @property
  def mutual_information(self):
    return 0.5 * (np.linalg.slogdet(self.covariance)[1] - np.linalg.slogdet(self.noise)[1])

  def estimate(self, seed=1, **settings):
    posteriors = (self.mean, self.stddev, self.scale_tril)
    return information_estimators.estimate(
      *posteriors, np.random.RandomState(seed), **(SIZES | settings)
    )


def make_model(num_latent, stddev, correlation=0.0, dependence=0.0, num_posteriors=2000, seed=0):
  """Returns a model whose q(z) has unit variances.

  correlation is that of the noise, dependence that of the means.
  """
  random_state = np.random.RandomState(seed)
  equal = np.ones((num_latent, num_latent))
  noise = (1 - correlation) * np.eye(num_latent) + correlation * equal
  of_means = (1 - dependence) * np.eye(num_latent) + dependence * equal
  mixing = np.sqrt(1 - stddev**2) * np.linalg.cholesky(of_means)
  mean = random_state.standard_normal((num_posteriors, num_latent)) @ mixing.T
  scales = np.broadcast_to(
    stddev * np.linalg.cholesky(noise), (num_posteriors, num_latent, num_latent)
  )
  return Model(mean, np.full(mean.shape, stddev), scales, mixing, stddev**2 * noise)


def half_width(results, key):
  return 0.5 * (results[f"{key}_high"] - results[f"{key}_low"])


@pytest.mark.parametrize(
  "correlation, dependence", [(0.0, 0.0), (0.9, 0.0), (0.0, 0.8), (0.9, 0.8)]
)
@pytest.mark.parametrize("num_latent, stddev", [(1, 0.5), (2, 0.7), (3, 0.8)])
def test_wide_posteriors_have_their_closed_forms(num_latent, stddev, correlation, dependence):
  # 2000 posteriors fill so few dimensions: bias is small beside sampling variation, and the two
  # mixtures, biased in opposite directions, differ by at most the allowance.
  model = make_model(num_latent, stddev, correlation, dependence)
  results = model.estimate()
  for quantity, truth in (
    ("total_correlation", model.total_correlation),
    ("mutual_information", model.mutual_information),
  ):
    for name in ("all_data", "leave_one_out", "gaussian", "density_ratio"):
      key = f"{quantity}.{name}"
      # Twice the 95 % half width is about 4 standard errors.
      assert results[key] == pytest.approx(truth, abs=2 * half_width(results, key) + 0.08), key


@pytest.mark.parametrize(
  "num_latent, stddev, correlation",
  [
    (2, 0.1, 0.0),
    (5, 0.3, 0.9),
    pytest.param(10, 0.3, 0.0, marks=pytest.mark.slow),
    pytest.param(10, 0.6, 0.9, marks=pytest.mark.slow),
  ],
)
def test_biases_have_their_signs(num_latent, stddev, correlation):
  model = make_model(num_latent, stddev, correlation)
  results = model.estimate()
  truth = model.total_correlation
  # A mixture with the posterior z was drawn from overstates q(z), more in more dimensions, and one
  # without it understates it. Where latents depend little on each other, the total correlation is
  # too high and too low.
  assert results["total_correlation.leave_one_out"] < truth < results["total_correlation.all_data"]
  # A smaller mixture is biased more; the constants of the weighted estimate make it worse.
  order = [results[f"total_correlation.{name}"] for name in ("all_data", "minibatch")]
  order.append(results["total_correlation.minibatch_weighted"])
  assert order == sorted(order)
  # The mutual information has minus log q(z): a lower and an upper bound, and upper bounds too
  # where the logarithm of an unbiased estimate is taken, as in the stratified one. But that one has
  # the posterior itself, so it does not exceed log(num_posteriors).
  truth = model.mutual_information
  slack = 2 * half_width(results, "mutual_information.gaussian")
  information = {
    name: results[f"mutual_information.{name}"] for name in information_estimators.ESTIMATORS
  }
  assert information["minibatch"] < information["all_data"] < truth + slack
  assert information["leave_one_out"] > truth - slack
  assert information["minibatch_stratified"] > information["minibatch"]
  assert information["gaussian"] == pytest.approx(truth, abs=slack + 0.02)


def biases_with_one_mean(stddev, num_posteriors):
  """Returns by estimator the errors of the total correlation in 200 data sets of 10 latents.

  mean = x * ones with x ~ N(0, 1). Densities are compared with the true ones at the same z, so that
  what varies in the total correlation itself drops out.
  """
  covariance = np.ones((10, 10)) + stddev**2 * np.eye(10)
  own = np.repeat(np.arange(num_posteriors), 4)
  biases = {"all_data": [], "leave_one_out": []}
  for seed in range(200):
    random_state = np.random.RandomState(seed)
    mean = np.repeat(random_state.standard_normal((num_posteriors, 1)), 10, axis=1)
    z = mean[own] + stddev * random_state.standard_normal((len(own), 10))
    true_ratio = stats.multivariate_normal(cov=covariance).logpdf(z)
    true_ratio -= np.sum(stats.norm(0, np.sqrt(1 + stddev**2)).logpdf(z), axis=1)
    for name, log_q in marginals.of_all_data(z, own, mean, np.full(mean.shape, stddev)).items():
      biases[name].append(np.mean(log_q[0] - np.sum(log_q[1:], axis=0) - true_ratio))
  return biases


@pytest.mark.parametrize(
  "stddev, num_posteriors, leave_one_out_sign",
  [pytest.param(0.3, 100, 1, marks=pytest.mark.slow), (0.1, 64, -1)],
)
def test_bias_of_total_correlation_turns_where_latents_depend_strongly(
  stddev, num_posteriors, leave_one_out_sign
):
  # The joint density is one-dimensional too and overstated little more than each of the ten that
  # are subtracted. Without the own posterior, the errors nearly cancel: no bracket of the truth.
  biases = biases_with_one_mean(stddev, num_posteriors)
  for name, sign in (("all_data", -1), ("leave_one_out", leave_one_out_sign)):
    standard_error = np.std(biases[name], ddof=1) / np.sqrt(200)
    assert sign * np.mean(biases[name]) > 4 * standard_error, name


@pytest.mark.parametrize("density", ["full", "factorized"])
def test_mutual_information_is_at_most_the_log_of_the_number_of_posteriors(density):
  # With 1000 and 32 narrow posteriors in 10 dimensions the bounds are reached.
  model = make_model(10, 0.05, num_posteriors=1000)
  results = model.estimate(density=density)
  assert model.mutual_information > 25
  assert results["mutual_information.all_data_bound"] == pytest.approx(np.log(1000))
  assert results["mutual_information.minibatch_bound"] == pytest.approx(np.log(32))
  for name in ("all_data", "minibatch"):
    bound = results[f"mutual_information.{name}_bound"]
    estimate = results[f"mutual_information.{name}"]
    assert estimate <= bound + 1e-9
    assert estimate == pytest.approx(bound, abs=1e-3)
  stratified = results["mutual_information.minibatch_stratified"]
  assert stratified <= np.log(1000) + 1e-9
  assert stratified == pytest.approx(np.log(1000), abs=1e-3)


def test_weighted_estimate_is_the_minibatchs_with_its_constant():
  results = make_model(4, 0.5, 0.9).estimate()
  constant = np.log(2000)  # of each density estimate
  for end in ("", "_null", "_low", "_high"):
    assert results[f"total_correlation.minibatch_weighted{end}"] == pytest.approx(
      results[f"total_correlation.minibatch{end}"] + 3 * constant, abs=1e-9
    )
    assert results[f"mutual_information.minibatch_weighted{end}"] == pytest.approx(
      results[f"mutual_information.minibatch{end}"] + constant, abs=1e-9
    )


def total_correlation_by_quadrature(model):
  """Returns the total correlation of the mixture of the model's own two-dimensional posteriors."""
  grid = np.linspace(-4, 4, 161)
  z = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
  joint, first, second = mixtures.log_mixture_density(z, *model[:3], subsets=[(0, 1), (0,), (1,)])
  integrand = (np.exp(joint) * (joint - first - second)).reshape(161, 161)
  return integrate.simpson(integrate.simpson(integrand, x=grid), x=grid)


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_all_data_is_exact_for_a_finite_data_set(correlation):
  # 100 observations are all there are: q(z) is their mixture, which is no Gaussian.
  model = make_model(2, 0.15, correlation, num_posteriors=100)
  truth = total_correlation_by_quadrature(model)
  assert truth > 0.2
  repeats = [
    model.estimate(seed, num_points=100, num_minibatches=2)["total_correlation.all_data"]
    for seed in range(20)
  ]
  standard_error = np.std(repeats, ddof=1) / np.sqrt(20)
  assert standard_error < 0.02
  assert np.mean(repeats) == pytest.approx(truth, abs=4 * standard_error)


@pytest.mark.slow
def test_null_of_total_correlation_is_the_bias_of_an_independent_encoder():
  # Means depend on each other, the noise too; the null's do not. So it is the estimate of an
  # independent encoder, but for sampling variation.
  dependent = make_model(5, 0.4, 0.9, 0.9).estimate()
  independent = make_model(5, 0.4).estimate()
  for name in information_estimators.ESTIMATORS:
    key = f"total_correlation.{name}"
    tolerance = 3 * half_width(independent, key) + 0.05
    assert dependent[f"{key}_null"] == pytest.approx(independent[key], abs=tolerance), name
  for name in ("gaussian", "density_ratio"):
    assert dependent[f"total_correlation.{name}_null"] == pytest.approx(0, abs=0.02)
    assert dependent[f"total_correlation.{name}"] > 1


def test_null_of_mutual_information_believes_the_density_or_learns_better():
  model = make_model(2, 0.5, 0.5)
  results = model.estimate(num_points=2000)
  # E[log q(z|x) - log q(z)] for independent z ~ N(0, covariance) and x.
  between = np.trace(np.linalg.solve(model.noise, model.covariance + model.mixing @ model.mixing.T))
  log_conditional = -0.5 * (np.linalg.slogdet(model.noise)[1] + between)
  log_marginal = -0.5 * (np.linalg.slogdet(model.covariance)[1] + 2)
  expected = log_conditional - log_marginal
  assert expected < -3
  for name in ("all_data", "leave_one_out", "gaussian"):
    null = results[f"mutual_information.{name}_null"]
    assert null == pytest.approx(expected, abs=0.8), name  # 4 standard errors
  assert results["mutual_information.density_ratio_null"] == pytest.approx(0, abs=0.02)


def test_factorized_density_ignores_what_the_noise_shares():
  # log q(z|x) of the factorized density lacks the total correlation of z given x.
  model = make_model(3, 0.6, 0.9)
  full, factorized = (model.estimate(density=density) for density in ("full", "factorized"))
  conditional = -0.5 * np.linalg.slogdet(model.noise / 0.36)[1]
  difference = full["mutual_information.gaussian"] - factorized["mutual_information.gaussian"]
  assert difference == pytest.approx(conditional, abs=0.2)  # 4 standard errors
  assert full["density"] == "full"
  assert factorized["density"] == "factorized"
  for name in ("gaussian", "density_ratio"):  # They use no density.
    assert full[f"total_correlation.{name}"] == factorized[f"total_correlation.{name}"]
  # The mixture of diagonal densities at correlated z is another mixture than q(z).
  assert factorized["total_correlation.all_data"] < full["total_correlation.all_data"]


def test_one_latent_has_no_total_correlation():
  results = make_model(1, 0.5, num_posteriors=300).estimate()
  for name in set(information_estimators.ESTIMATORS) - {"density_ratio"}:
    assert results[f"total_correlation.{name}"] == pytest.approx(0, abs=1e-12)
  assert results["total_correlation.density_ratio"] == pytest.approx(0, abs=0.02)


def test_results_are_plain_complete_and_repeatable():
  model = make_model(2, 0.5, 0.9, num_posteriors=100)
  results = model.estimate(minibatch_size=50)
  assert results == model.estimate(minibatch_size=50)
  assert results != model.estimate(seed=2, minibatch_size=50)
  assert json.loads(json.dumps(results, allow_nan=False)) == results
  assert set(results) == {
    "density",
    "num_posteriors",
    "mutual_information.all_data_bound",
    "mutual_information.minibatch_bound",
    *(
      f"{quantity}.{name}{end}"
      for quantity in ("total_correlation", "mutual_information")
      for name in information_estimators.ESTIMATORS
      for end in ("", "_null", "_low", "_high")
    ),
  }
  for key in results:
    if f"{key}_low" in results:
      assert results[f"{key}_low"] <= results[key] <= results[f"{key}_high"]


def test_minibatches_of_all_posteriors_have_no_interval():
  # Their values say nothing about other observations.
  results = make_model(2, 0.5, num_posteriors=40).estimate(minibatch_size=40)
  none = {key for key, value in results.items() if value is None}
  assert none == {
    f"{quantity}.{name}_{end}"
    for quantity in information_estimators.QUANTITIES
    for name in ("minibatch", "minibatch_weighted", "minibatch_stratified")
    for end in ("low", "high")
  }


def test_few_posteriors_leave_no_gaussian():
  results = make_model(6, 0.5, num_posteriors=6).estimate(minibatch_size=2)
  assert results["num_posteriors"] == 6
  none = {key for key, value in results.items() if value is None}
  assert none == {
    f"{quantity}.gaussian{end}"
    for quantity in ("total_correlation", "mutual_information")
    for end in ("", "_null", "_low", "_high")
  }
  json.dumps(results, allow_nan=False)


@pytest.mark.slow
def test_intervals_cover_what_other_draws_say():
  # Each of 40 encoders has its own observations. The mean of the estimates is the estimator's own.
  # Bias is small for the Gaussian and for the mixture of wide posteriors: theirs have the truth.
  repeats = []
  for seed in range(40):
    model = make_model(2, 0.8, 0.9, num_posteriors=400, seed=seed)
    repeats.append(model.estimate(seed, num_points=400, num_ratio_points=400, num_samples=2))
  covered = {}
  for quantity in information_estimators.QUANTITIES:
    for name in information_estimators.ESTIMATORS:
      ends = (f"{quantity}.{name}{end}" for end in ("", "_low", "_high"))
      value, low, high = np.array([[results[key] for results in repeats] for key in ends])
      of_mean = (low <= np.mean(value)) & (np.mean(value) <= high)
      covered[quantity, name, "own mean"] = np.sum(of_mean)
      if name in ("all_data", "gaussian"):
        truth = getattr(model, quantity)
        covered[quantity, name, "truth"] = np.sum((low <= truth) & (truth <= high))
  # 38 are expected; the binomial probability of fewer than 33 is 0.3 %. Bias costs a few.
  assert min(covered.values()) >= 32, covered


@pytest.mark.parametrize(
  "settings, message",
  [
    ({"num_points": 1}, "information_estimators.num_points must be a whole number of at least 2"),
    ({"num_ratio_points": 5}, "num_ratio_points must be a whole number of at least 6, got 5"),
    ({"minibatch_size": 1}, "minibatch_size must be a whole number of at least 2, got 1"),
    ({"num_samples": 0}, "num_samples must be a whole number of at least 1, got 0"),
    ({"num_minibatches": 2.5}, "num_minibatches must be a whole number of at least 2, got 2.5"),
    ({"num_minibatches": 1}, "num_minibatches must be a whole number of at least 2, got 1"),
    ({"num_resamples": 0}, "num_resamples must be a whole number of at least 1, got 0"),
    ({"density": "diagonal"}, "density must be one of factorized, full, got 'diagonal'"),
    ({"minibatch_size": 51}, "minibatch_size must be at most 50, the number of posteriors, got 51"),
  ],
)
def test_settings_of_estimates_are_checked(settings, message):
  with pytest.raises(errors.ConfigError, match=message):
    make_model(2, 0.5, num_posteriors=50).estimate(**settings)


@pytest.mark.parametrize(
  "which, value, message",
  [
    (0, np.nan, "The posterior's mean has 1 of 100 values that are not finite"),
    (1, 0.0, "The posterior's stddev has 1 of 100 values that are not positive"),
  ],
)
@pytest.mark.parametrize("density", ["full", "factorized"])
def test_posteriors_are_checked(which, value, message, density):
  posteriors = [array.copy() for array in make_model(2, 0.5, num_posteriors=50)[:3]]
  posteriors[which][3, 1] = value
  with pytest.raises(errors.ConfigError, match=message):
    information_estimators.estimate(*posteriors, np.random.RandomState(0), **SIZES, density=density)


def test_too_few_posteriors_are_refused():
  with pytest.raises(errors.ConfigError, match="number of posteriors must be .* at least 6, got 5"):
    make_model(2, 0.5, num_posteriors=5).estimate(minibatch_size=2)


def test_full_density_needs_scales():
  mean, stddev = make_model(2, 0.5, num_posteriors=50)[:2]
  with pytest.raises(errors.ConfigError, match="density 'full' needs scale_tril"):
    information_estimators.estimate(mean, stddev, None, np.random.RandomState(0), **SIZES)


def test_no_scales_stand_for_independent_noise():
  mean, stddev, scale_tril = make_model(2, 0.5, num_posteriors=50)[:3]
  settings = SIZES | {"density": "factorized"}
  with_scales, without = (
    information_estimators.estimate(mean, stddev, scales, np.random.RandomState(0), **settings)
    for scales in (scale_tril, None)
  )
  assert with_scales == without
