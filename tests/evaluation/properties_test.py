"""What every metric promises on any input: ranges, symmetries, and what may change without effect.

Where a metric does not promise what one might expect of it, a test states what is true instead.
"""

from collections.abc import Callable
import functools
import json
from typing import Any
from typing import NamedTuple

import gin
import hypothesis
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
import numpy as np
import pytest
from sklearn import ensemble
from sklearn import tree

from dl_condind.evaluation import code_table
from dl_condind.evaluation import metric
from dl_condind.evaluation.information import discrete_information
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import aligned_mig
from dl_condind.evaluation.metrics import beta_vae
from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.metrics import dci_es
from dl_condind.evaluation.metrics import decoder_geometry
from dl_condind.evaluation.metrics import downstream_task
from dl_condind.evaluation.metrics import factor_vae
from dl_condind.evaluation.metrics import fairness
from dl_condind.evaluation.metrics import info_mec
from dl_condind.evaluation.metrics import information_estimators
from dl_condind.evaluation.metrics import information_gap
from dl_condind.evaluation.metrics import irs
from dl_condind.evaluation.metrics import local_alignment
from dl_condind.evaluation.metrics import matrix_scores
from dl_condind.evaluation.metrics import med
from dl_condind.evaluation.metrics import mig
from dl_condind.evaluation.metrics import modularity_explicitness
from dl_condind.evaluation.metrics import posterior_family_cost
from dl_condind.evaluation.metrics import reduced_downstream_task
from dl_condind.evaluation.metrics import relabelled_mig
from dl_condind.evaluation.metrics import rotated_mig
from dl_condind.evaluation.metrics import sap_score
from dl_condind.evaluation.metrics import strong_downstream_task
from dl_condind.evaluation.metrics import total_correlation
from dl_condind.evaluation.metrics import udr
from dl_condind.evaluation.metrics import unified_scores
from dl_condind.evaluation.metrics import unsupervised_metrics
from dl_condind.evaluation.metrics import vae_terms


def examples(number):
  """Settings that give the same examples at every run."""
  return hypothesis.settings(
    max_examples=number,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
  )


class Splits(NamedTuple):
  """Representations and factors of points to fit and to test on."""

  x_train: np.ndarray
  y_train: np.ndarray
  x_test: np.ndarray
  y_test: np.ndarray


@st.composite
def splits(draw):
  """Codes with noise of a complete grid of factors, twice, at least 8 points of each value.

  scikit-learn measures distances between fewer (2 * num_neighbors) in a way that loses half of the
  digits, so that nearest neighbours may change places.
  """
  num_values = draw(st.sampled_from([(2, 3), (4, 3), (5, 2), (3, 2, 2)]))
  num_latent = draw(st.integers(2, 4))
  num_copies = draw(st.integers(4, 6))
  random_state = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
  factors = np.stack(np.meshgrid(*map(np.arange, num_values), indexing="ij"), axis=-1)
  factors = np.tile(factors.reshape(-1, len(num_values)), (num_copies, 1))
  weights = random_state.standard_normal((len(num_values), num_latent))
  codes = [factors @ weights + 0.7 * random_state.standard_normal((len(factors), num_latent))]
  codes.append(factors @ weights + 0.7 * random_state.standard_normal(codes[0].shape))
  return Splits(codes[0], factors, codes[1], factors[:, :])


def on_codes(change, before):
  return before._replace(x_train=change(before.x_train), x_test=change(before.x_test))


def on_factors(change, before):
  return before._replace(y_train=change(before.y_train), y_test=change(before.y_test))


def permute_latents(before, random_state):
  order = random_state.permutation(before.x_train.shape[1])
  return on_codes(lambda x: x[:, order], before)


def permute_factors(before, random_state):
  order = random_state.permutation(before.y_train.shape[1])
  return on_factors(lambda y: y[:, order], before)


def rename(before, random_state, in_order=False):
  names = [random_state.choice(90, size=9, replace=False) - 30 for _ in before.y_train.T]
  names = [np.sort(name) if in_order else name for name in names]
  return on_factors(
    lambda y: np.stack([name[column] for name, column in zip(names, y.T, strict=True)], axis=1),
    before,
  )


def scale(before, random_state, signs=(1,), shift=1.0):
  """Scales each latent by a number of its own."""
  num_latent = before.x_train.shape[1]
  factor = np.exp(random_state.uniform(-3, 3, size=num_latent))
  factor *= random_state.choice(signs, size=num_latent)
  offset = shift * random_state.uniform(-9, 9, size=num_latent)
  return on_codes(lambda x: x * factor + offset, before)


def scale_all(before, random_state):
  """Scales all latents by one number."""
  factor = np.exp(random_state.uniform(-3, 3)) * random_state.choice([-1, 1])
  return on_codes(lambda x: x * factor, before)


def double(before, random_state):
  """Scales each latent by a power of 2, which is exact."""
  factor = 2.0 ** random_state.randint(-9, 10, size=before.x_train.shape[1])
  return on_codes(lambda x: x * factor, before)


def flip(before, random_state):
  signs = random_state.choice([-1.0, 1.0], size=before.x_train.shape[1])
  return on_codes(lambda x: x * signs, before)


def copy_points(before, random_state):
  del random_state
  return Splits(*(np.concatenate([values, values]) for values in before))


def shuffle_points(before, random_state):
  train, test = (random_state.permutation(len(x)) for x in (before.x_train, before.x_test))
  return Splits(before.x_train[train], before.y_train[train], *(v[test] for v in before[2:]))


CHANGES = {
  "order_of_latents": permute_latents,
  "order_of_factors": permute_factors,
  "order_of_points": shuffle_points,
  "names_of_values": rename,
  "names_in_order": functools.partial(rename, in_order=True),
  "affine_rising": scale,
  "affine": functools.partial(scale, signs=(-1, 1)),
  "scale_of_all": scale_all,
  "power_of_2": double,
  "signs": flip,
  "copies": copy_points,
}
INFORMATION = (
  "order_of_latents order_of_factors order_of_points names_of_values affine_rising affine copies"
)


class Metric(NamedTuple):
  """A metric and its promises.

  Attributes:
    score: Splits -> results.
    ignores: Names of the changes that leave the scores as they are, up to rounding.
    ranges: The scores and the range of each.
    tolerance: How far scores may change: rounding, or where a solver stops.
  """

  score: Callable[[Splits], dict[str, Any]]
  ignores: str
  ranges: dict[str, tuple[float, float]]
  tolerance: float = 1e-9


def on_points(function, **settings):
  return lambda s: function(s.x_train, s.y_train, **settings)


def on_splits(function, **settings):
  return lambda s: function(*s, **settings)


def on_grid(compute, **settings):
  def score(s):
    data = code_table.CodeTable(s.x_train, s.y_train)
    return compute(data, np.asarray, np.random.RandomState(0), **settings)

  return score


def unsupervised(s):
  codes = discretization.histogram_discretizer(s.x_train, 20)
  return unsupervised_metrics.latent_dependence(s.x_train, codes)


def ranking(s, **settings):
  kl = np.ones(s.x_train.shape[1])
  results = udr.ranking([s.x_train, s.x_test], [kl, kl], **settings)
  return {"score": results["model_scores"][0]}


def total_correlation_of(s, density="factorized"):
  """Of posteriors that the two arrays are the means and the z of."""
  stddev = np.full(s.x_train.shape, 0.5) * np.std(s.x_train, axis=0)
  scale_tril = stddev[:, :, None] * np.eye(stddev.shape[1])
  value = total_correlation.mixture_total_correlation(
    s.x_test, s.x_train, stddev, scale_tril, density
  )
  return {"score": value}


def posteriors_of(s):
  """Posteriors of correlated noise, with the training codes as means: mean, stddev, scale_tril."""
  mean = s.x_train
  num_points, num_latent = mean.shape
  # In units of the means and the same for each pair of latents, so that it follows every change.
  stddev = np.full(mean.shape, 0.5) * np.std(mean, axis=0)
  noise_correlation = 0.5 * np.eye(num_latent) + 0.5
  scale_tril = stddev[:, :, None] * np.linalg.cholesky(noise_correlation)
  return mean, stddev, np.broadcast_to(scale_tril, (num_points, num_latent, num_latent))


def theorem(s):
  posteriors = posteriors_of(s)
  return information_gap.theorem_terms(posteriors, posteriors, 20, 1, np.random.RandomState(0))


def every_estimate(s):
  return information_estimators.estimate(
    *posteriors_of(s),
    np.random.RandomState(0),
    num_points=20,
    num_ratio_points=12,
    minibatch_size=6,
    num_samples=2,
    num_minibatches=2,
    num_resamples=4,
  )


def aligned(s):
  _, _, scale_tril = posteriors_of(s)
  noise_covariance = scale_tril[0] @ scale_tril[0].T
  return aligned_mig.aligned_mutual_information_gap(
    s.x_train, s.y_train, noise_covariance, num_nulls=1
  )


def geometry(s):
  """Of Jacobians whose column of a latent has the latent at three points."""
  mean, _, scale_tril = posteriors_of(s)
  jacobian = np.stack([np.roll(s.x_test, shift, axis=0) for shift in range(3)], axis=2)
  noise_covariance = scale_tril @ np.swapaxes(scale_tril, 1, 2)
  return decoder_geometry.jacobian_geometry(
    decoder_geometry.gram(jacobian), mean, noise_covariance, 3, np.random.RandomState(0)
  )


def family_costs(s):
  """Of decoders whose derivatives with respect to a latent are the latent at three points."""
  jacobian = np.stack([np.roll(s.x_test, shift, axis=0) for shift in range(3)], axis=2)
  num_latent = jacobian.shape[1]
  families = posterior_family_cost.families_of(num_latent, {}, {})
  covariance = np.broadcast_to(0.5 * np.eye(num_latent), (len(jacobian), num_latent, num_latent))
  return posterior_family_cost.costs(decoder_geometry.gram(jacobian), covariance, families)


def alignment(s):
  jacobian = np.stack([np.roll(s.x_test, shift, axis=0) for shift in range(3)], axis=2)
  grams = decoder_geometry.gram(jacobian)
  noise = np.broadcast_to(np.diag(1.0 + np.arange(grams.shape[1])), grams.shape)
  return local_alignment.local_alignment(grams, noise, np.random.RandomState(0))


def small_boosting():
  return ensemble.GradientBoostingClassifier(n_estimators=3)


UNIT = (0.0, 1.0)
FEW_VOTES = {"batch_size": 4, "num_train": 40, "num_eval": 20}
ACCURACIES = {"train_accuracy": UNIT, "eval_accuracy": UNIT}
MATRICES = [unified_scores.mutual_information_matrix, unified_scores.accuracy_svm_matrix]
MODULARITY = modularity_explicitness.modularity_explicitness_scores

# An entry for each metric, and more with a colon. NB: a missing change is one that the metric does
# not promise to ignore:
# - Metrics on a grid draw other points if factors, their values or copies of points are numbered
#   in another way. Values are numbered by their rank.
# - A logistic regression or a support vector machine is regularized, so it depends on scales.
# - Trees choose by chance among latents that separate the points equally well, in float32, so they
#   depend on the order of latents and on how a scale rounds. A class is known by its rank.
# - The latents of z drawn from correlated noise share draws, which another order shares otherwise.
METRICS = {
  # Axes of a covariance turn with the unit of a latent.
  "aligned_mig": Metric(
    aligned,
    "order_of_latents order_of_factors order_of_points names_of_values scale_of_all copies",
    dict.fromkeys(["discrete_mig", "noise_eigenbasis.mig", "pca.mig"], UNIT),
  ),
  "beta_vae_sklearn": Metric(
    on_grid(beta_vae.compute_beta_vae_sklearn, **FEW_VOTES),
    "order_of_latents names_in_order signs",
    ACCURACIES,
  ),
  "dci": Metric(
    on_splits(dci.dci_scores, predictor_fn=small_boosting),
    "order_of_factors names_in_order power_of_2",
    dict.fromkeys(
      ["disentanglement", "completeness", "informativeness_train", "informativeness_test"], UNIT
    ),
  ),
  "dci_es": Metric(
    on_splits(dci_es.dci_es_scores, depths=(1, 2), num_trees=2),
    "order_of_factors names_in_order power_of_2",
    {
      **dict.fromkeys(["disentanglement", "completeness", "informativeness_test"], UNIT),
      "explicitness": (-np.inf, 1),
      "size": (0, np.inf),
    },
  ),
  # A column's length is in the unit of its latent, and tells the singular vectors apart.
  "decoder_geometry": Metric(
    geometry,
    "order_of_latents signs scale_of_all",
    {"distance_to_orthogonality": (0, np.sqrt(8)), "mean_abs_cosine": UNIT},
  ),
  "decoder_geometry:cosine": Metric(geometry, "power_of_2", {"mean_abs_cosine": UNIT}),
  "downstream_task": Metric(
    on_splits(downstream_task.downstream_scores, predictor_fn=tree.DecisionTreeClassifier),
    "order_of_factors names_in_order power_of_2",
    dict.fromkeys(["mean_train_accuracy", "mean_test_accuracy", "min_test_accuracy"], UNIT),
  ),
  # Without the density ratio, whose classifier is regularized.
  "information_estimators": Metric(
    every_estimate,
    "affine_rising",
    {
      f"{quantity}.{name}": (-np.inf, np.inf)
      for quantity in information_estimators.QUANTITIES
      for name in information_estimators.ESTIMATORS
      if name != "density_ratio"
    },
  ),
  "factor_vae_score": Metric(
    on_grid(factor_vae.compute_factor_vae, num_variance_estimate=50, **FEW_VOTES),
    "order_of_latents names_in_order affine",
    ACCURACIES,
  ),
  "fairness": Metric(
    on_grid(fairness.compute_fairness, num_train=40, num_test_points_per_class=5),
    "names_in_order power_of_2",
    dict.fromkeys(["mean_fairness:mean_pred:mean_sens", "max_fairness:max_pred:max_sens"], UNIT),
  ),
  # With all latents: which of them are active depends on their units.
  "info_mec": Metric(
    on_points(info_mec.info_mec_scores, min_relative_range=0),
    INFORMATION,
    {"info_m": UNIT, "info_c": UNIT},
  ),
  # Logistic regression stops early.
  "info_mec:explicitness": Metric(
    on_points(info_mec.info_mec_scores, min_relative_range=0),
    INFORMATION,
    {"info_e": UNIT},
    tolerance=0.02,
  ),
  "information_gap": Metric(
    theorem,
    "affine_rising",
    {
      **dict.fromkeys(["mutual_information", "information_gap"], (-np.inf, np.inf)),
      **dict.fromkeys(["total_correlation", "theorem_difference"], (-np.inf, np.inf)),
      "conditional_total_correlation": (0, np.inf),
    },
  ),
  # Without its quantile. Latents are weighted by how far they reach, so by their scale.
  "irs": Metric(
    on_points(irs.interventional_robustness, diff_quantile=1.0),
    "order_of_latents order_of_factors order_of_points names_of_values scale_of_all copies",
    {"IRS": (-np.inf, 1)},
  ),
  "local_alignment": Metric(
    alignment, "signs", dict.fromkeys(["global_angle", "latents_angle"], (0, 90))
  ),
  "med": Metric(on_points(med.med_scores), INFORMATION, {"med": UNIT}),
  "mig": Metric(on_points(mig.mutual_information_gap), INFORMATION, {"discrete_mig": UNIT}),
  "mig:neighbors": Metric(
    on_points(mig.mutual_information_gap, estimator="nearest_neighbors"),
    INFORMATION,
    {"nearest_neighbor_mig": UNIT},
  ),
  # Logistic regression stops early. Its order of points is kept, but not where it stops.
  "modularity_explicitness": Metric(
    on_splits(MODULARITY),
    INFORMATION,
    dict.fromkeys(
      ["modularity_score", "explicitness_score_train", "explicitness_score_test"], UNIT
    ),
    tolerance=0.02,
  ),
  "modularity_explicitness:neighbors": Metric(
    on_splits(MODULARITY, estimator="nearest_neighbors"), INFORMATION, {"modularity_score": UNIT}
  ),
  "reduced_downstream_task": Metric(
    on_splits(
      functools.partial(
        reduced_downstream_task.reduced_accuracies,
        num_to_remove=1,
        remove_fn=lambda x, *_, seed: 0,
      ),
      predictor_fn=tree.DecisionTreeClassifier,
    ),
    "order_of_factors names_in_order power_of_2",
    dict.fromkeys(["mean_test_accuracy_reduced_factor", "mean_test_accuracy_other_factors"], UNIT),
  ),
  "posterior_family_cost": Metric(
    family_costs,
    "order_of_latents signs",
    dict.fromkeys(["cost.independent", "cost.isotropic", "own_cost"], (0, np.inf)),
  ),
  # The first two factors are the pair, whose values are added.
  "relabelled_mig": Metric(
    on_points(relabelled_mig.relabelled_mutual_information_gap),
    "order_of_latents order_of_points affine_rising affine copies",
    dict.fromkeys(["pair_mig", "sum_difference_mig"], UNIT),
  ),
  # The halves depend on the order of points, the sweeps on the order of latents.
  "rotated_mig": Metric(
    on_points(rotated_mig.rotated_mutual_information_gap, num_nulls=1, num_rotations=1),
    "order_of_factors names_of_values",
    dict.fromkeys(["rotated_mig", "rotated_mig_fit", "rotated_mig_null", "latents.mig"], UNIT),
  ),
  "sap_score": Metric(
    on_splits(sap_score.sap_scores),
    "order_of_latents order_of_factors names_in_order signs",
    {"SAP_score": UNIT},
  ),
  # A correlation knows how far values are apart, so their names matter.
  "sap_score:continuous": Metric(
    on_splits(sap_score.sap_scores, continuous_factors=True),
    "order_of_latents order_of_factors order_of_points affine copies",
    {"SAP_score": UNIT},
  ),
  "strong_downstream_task": Metric(
    on_grid(
      strong_downstream_task.compute_strong_downstream_task,
      num_train=[30],
      num_test=10,
      n_experiment=1,
    ),
    "names_in_order power_of_2",
    dict.fromkeys(["30:mean_test_accuracy", "30:mean_strong_test_accuracy"], UNIT),
  ),
  "total_correlation:factorized": Metric(
    total_correlation_of, "order_of_latents affine", {"score": (-np.inf, np.inf)}
  ),
  "total_correlation:full": Metric(
    functools.partial(total_correlation_of, density="full"),
    "order_of_latents affine",
    {"score": (-np.inf, np.inf)},
  ),
  "udr_sklearn:lasso": Metric(
    ranking, "order_of_latents affine copies", {"score": (0, np.inf)}, tolerance=1e-3
  ),
  "udr_sklearn:spearman": Metric(
    functools.partial(ranking, correlation_matrix="spearman"),
    "order_of_latents affine copies",
    {"score": UNIT},
  ),
  "unified_scores": Metric(
    on_splits(unified_scores.unified_scores, matrix_fns=MATRICES),
    "order_of_latents order_of_factors names_in_order signs",
    {
      f"{matrix_fn.__name__}.{score}": (0, np.inf) if score == "mig" else UNIT
      for matrix_fn in MATRICES
      for score in ("dci_disentanglement", "dci_completeness", "mig", "modularity")
    },
  ),
  "unsupervised_metrics": Metric(
    unsupervised, "order_of_latents order_of_points affine copies", {"mutual_info_score": (0, 3)}
  ),
  # The Wasserstein distance is in the unit of the latents, and of a covariance by n - 1.
  "unsupervised_metrics:gaussian": Metric(
    unsupervised,
    "order_of_latents order_of_points affine copies",
    {"gaussian_total_correlation": (0, np.inf)},
  ),
  "unsupervised_metrics:wasserstein": Metric(
    unsupervised,
    "order_of_latents order_of_points scale_of_all copies",
    {"gaussian_wasserstein_correlation_norm": UNIT},
  ),
}
PROMISES = [
  (name, change) for name, promised in METRICS.items() for change in promised.ignores.split()
]


@pytest.fixture(autouse=True)
def configuration():
  gin.parse_config("discretizer.discretizer_fn = @histogram_discretizer\ndiscretizer.num_bins = 20")
  with gin.unlock_config():
    gin.bind_parameter("predictor.predictor_fn", tree.DecisionTreeClassifier)
  yield
  gin.clear_config()


def test_every_metric_has_its_promises():
  known = {
    name
    for name, compute in metric.load_all().items()
    if compute.__module__.startswith("dl_condind.")
  }
  # Averages of a model's own terms, an InfoGAN's codes, and other metrics on a fixed set.
  assert {name.partition(":")[0] for name in METRICS} == {
    *(known - {"vae_terms", "infogan_disentanglement", "fixed_data"}),
    "udr_sklearn",
  }


@pytest.mark.parametrize("name, change", PROMISES)
@examples(5)
@hypothesis.given(before=splits(), seed=st.integers(0, 2**32 - 1))
def test_metric_ignores(name, change, before, seed):
  score, _, ranges, tolerance = METRICS[name]
  expected = score(before)
  found = score(CHANGES[change](before, np.random.RandomState(seed)))
  for key in ranges:
    assert found[key] == pytest.approx(expected[key], abs=tolerance), key


@pytest.mark.parametrize("name", METRICS)
@examples(8)
@hypothesis.given(before=splits())
def test_scores_are_in_their_range_and_repeatable(name, before):
  score, _, ranges, _ = METRICS[name]
  results = score(before)
  for key, (low, high) in ranges.items():
    assert low <= results[key] <= high, key
  json.dumps(results, allow_nan=False)
  assert score(before) == results


def arrays_of_labels(num_points, num_columns):
  return hnp.arrays(np.int64, (num_points, num_columns), elements=st.integers(-2, 3))


@examples(40)
@hypothesis.given(st.integers(1, 12).flatmap(lambda num: arrays_of_labels(num, 3)))
def test_discrete_information_is_symmetric_and_at_most_the_entropy(labels):
  information = discrete_information.discrete_mutual_info(labels, labels)
  entropy = discrete_information.discrete_entropy(labels)
  np.testing.assert_allclose(information, information.T, atol=1e-12)
  np.testing.assert_allclose(np.diagonal(information), entropy, atol=1e-12)
  assert information.min() >= 0
  assert (information <= np.minimum.outer(entropy, entropy) + 1e-12).all()
  renamed = discrete_information.discrete_mutual_info(
    np.array([5, -9, 0, 2, 7, 1])[labels + 2], labels
  )
  np.testing.assert_allclose(renamed, information, atol=1e-12)
  copies = discrete_information.discrete_mutual_info(
    np.tile(labels, (3, 1)), np.tile(labels, (3, 1))
  )
  np.testing.assert_allclose(copies, information, atol=1e-12)
  # What is made of a code knows no more than the code.
  assert (
    discrete_information.discrete_mutual_info(labels // 2, labels) <= information + 1e-12
  ).all()


# Far enough from the largest and the smallest float32 that a power of 2 does not round.
FLOATS = st.floats(-(2.0**90), 2.0**90, width=32).map(lambda x: x if abs(x) > 2.0**-90 else 0.0)


@examples(60)
@hypothesis.given(
  hnp.arrays(np.float32, st.tuples(st.integers(1, 9), st.just(1)), elements=FLOATS),
  st.integers(1, 30),
)
def test_bins_rise_with_the_values_and_do_not_depend_on_powers_of_2(values, num_bins):
  labels = discretization.histogram_discretizer(values, num_bins)
  assert labels.min() >= 1
  assert labels.max() <= num_bins
  order = np.argsort(values[:, 0], kind="stable")
  assert (np.diff(labels[order, 0]) >= 0).all()
  if np.ptp(values) > 0:
    assert labels[order[-1], 0] == num_bins
  np.testing.assert_array_equal(
    discretization.histogram_discretizer(values * 2.0**20, num_bins), labels
  )
  np.testing.assert_array_equal(
    discretization.histogram_discretizer(np.tile(values, (2, 1)), num_bins), np.tile(labels, (2, 1))
  )


def test_bins_are_half_open_so_a_mirrored_latent_on_their_edges_scores_otherwise():
  """A bin has its lower edge: 0, 1 and 2 are cut at 1, which goes up, mirrored or not."""
  codes = np.array([[0.0], [1.0], [2.0]])
  assert discretization.histogram_discretizer(codes, 2).ravel().tolist() == [1, 2, 2]
  assert discretization.histogram_discretizer(-codes, 2).ravel().tolist() == [2, 2, 1]
  factors = np.array([[0], [1], [1]])
  both = np.concatenate([codes, np.zeros((3, 1))], axis=1)
  assert mig.mutual_information_gap(both, factors, num_bins=2)["discrete_mig"] == pytest.approx(1)
  assert mig.mutual_information_gap(-both, factors, num_bins=2)["discrete_mig"] < 0.5
  # Nearest neighbours have no edges; see "affine" above.


def matrices(low=0):
  shapes = st.tuples(st.integers(2, 4), st.integers(2, 4))
  return shapes.flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.sampled_from([low, 0.1, 0.5, 2.0, 3.0]))
  )


@examples(40)
@hypothesis.given(matrices(), st.integers(0, 2**32 - 1))
def test_summaries_of_a_matrix_do_not_depend_on_the_order_of_its_rows_and_columns(matrix, seed):
  random_state = np.random.RandomState(seed)
  rows, columns = (random_state.permutation(size) for size in matrix.shape)
  entropy = random_state.uniform(3, 4, size=matrix.shape[1])
  before = matrix_scores.matrix_scores(matrix, entropy)
  after = matrix_scores.matrix_scores(matrix[rows][:, columns], entropy[columns])
  for key in ("dci", "dci_completeness", "mig", "sap", "modularity", "area_precision"):
    assert after[key] == pytest.approx(before[key], abs=1e-9)
    assert (
      0 <= before[key] <= (1 if key in ("dci", "dci_completeness", "mig", "modularity") else 12)
    )
  assert after["max_precision"] == before["max_precision"] <= min(matrix.shape)
  for i, row in enumerate(rows):
    assert after[f"modularity.code_{i}"] == pytest.approx(
      before[f"modularity.code_{row}"], abs=1e-9
    )
  for i, column in enumerate(columns):
    assert after[f"sap.factor_{i}"] == pytest.approx(before[f"sap.factor_{column}"], abs=1e-9)
  json.dumps(before, allow_nan=False)


@examples(40)
@hypothesis.given(matrices(), st.sampled_from([0.25, 7.0]))
def test_importances_have_no_unit(matrix, unit):
  for key, value in dci.importance_scores(matrix).items():
    # dci adds 1e-11 to an importance, for its logarithm.
    assert dci.importance_scores(unit * matrix)[key] == pytest.approx(value, abs=1e-7)
  modularity = modularity_explicitness.modularity_per_code(matrix)
  scaled = modularity_explicitness.modularity_per_code(unit * matrix)
  np.testing.assert_allclose(scaled, modularity, atol=1e-12)


@examples(30)
@hypothesis.given(before=splits(), seed=st.integers(0, 2**32 - 1))
def test_robustness_of_one_latent_does_not_depend_on_its_unit(before, seed):
  """But the mean over latents does, whose weights are how far they reach."""
  after = scale(before, np.random.RandomState(seed), signs=(-1, 1))
  results, moved = (irs.interventional_robustness(s.x_train, s.y_train) for s in (before, after))
  np.testing.assert_allclose(moved["robustness_matrix"], results["robustness_matrix"], atol=1e-9)
  scores = [value for key, value in results.items() if key.startswith("IRS.code_")]
  assert min(scores) - 1e-9 <= results["IRS"] <= max(scores) + 1e-9


def test_regularized_classifiers_depend_on_the_unit_of_latents():
  """A small latent cannot outweigh the penalty, so its factor is not found: SAP and beta-VAE."""
  factors = np.tile(np.stack(np.meshgrid(np.arange(2), np.arange(2)), -1).reshape(-1, 2), (20, 1))
  codes = factors + np.random.RandomState(0).normal(scale=0.1, size=factors.shape)
  before = Splits(codes, factors, codes, factors)
  after = on_codes(lambda x: x * [1e-6, 1.0], before)
  for name, key in (("sap_score", "SAP_score"), ("beta_vae_sklearn", "eval_accuracy")):
    score = METRICS[name].score
    assert score(before)[key] > score(after)[key]


@examples(10)
@hypothesis.given(before=splits())
def test_wasserstein_distance_has_the_squared_unit_of_the_latents(before):
  key = "gaussian_wasserstein_correlation"
  distance = unsupervised(before)[key]
  assert distance >= 0
  tripled = unsupervised(on_codes(lambda x: -3 * x, before))[key]
  assert tripled == pytest.approx(9 * distance, abs=1e-9)


def test_quantile_of_robustness_knows_how_often_a_point_was_drawn():
  """Only the largest deviation, which the paper takes, is the same with copies of the points."""
  factors = np.repeat(np.arange(2), 10)[:, None]
  codes = np.random.RandomState(0).standard_normal((20, 2))
  copies = np.tile(codes, (2, 1)), np.tile(factors, (2, 1))
  for quantile, same in ((0.85, False), (1.0, True)):
    once = irs.interventional_robustness(codes, factors, diff_quantile=quantile)["IRS"]
    twice = irs.interventional_robustness(*copies, diff_quantile=quantile)["IRS"]
    assert (twice == pytest.approx(once, abs=1e-12)) == same


def test_robustness_is_weighted_by_the_unit_of_latents():
  factors = np.repeat(np.arange(4), 10)[:, None]
  noise = np.random.RandomState(0).standard_normal((40, 1))
  robust = np.concatenate([factors, 1e-3 * noise], axis=1)
  assert irs.interventional_robustness(robust, factors)["IRS"] > 0.99
  assert irs.interventional_robustness(robust * [1e-6, 1e6], factors)["IRS"] < 0.5


@examples(30)
@hypothesis.given(
  st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: hnp.arrays(np.int64, shape, elements=st.integers(0, 5))
  ),
  st.integers(0, 2**32 - 1),
)
def test_unfairness_ignores_the_order_of_labels_and_groups(counts, seed):
  hypothesis.assume(counts.sum(axis=0).all())
  random_state = np.random.RandomState(seed)
  mean, largest = fairness.group_distances(counts)
  assert 0 <= mean <= largest + 1e-12
  assert largest <= 1
  rows, columns = (random_state.permutation(size) for size in counts.shape)
  for other in (counts[rows][:, columns], 3 * counts, np.concatenate([counts, counts], axis=1)):
    assert fairness.group_distances(other) == pytest.approx((mean, largest), abs=1e-12)


@examples(15)
@hypothesis.given(before=splits(), seed=st.integers(0, 2**32 - 1))
def test_total_correlation_of_a_mixture(before, seed):
  """It knows neither the order of posteriors nor that of z, and has the bound it is reported with.

  Of correlated noise too, latents may be in any order and any unit.
  """
  random_state = np.random.RandomState(seed)
  z, mean = before.x_test, before.x_train
  num_posteriors, num_latent = mean.shape
  roots = random_state.standard_normal((num_posteriors, num_latent, num_latent))
  covariance = roots @ np.swapaxes(roots, 1, 2) + 0.1 * np.eye(num_latent)

  def estimate(z, mean, covariance, density):
    stddev = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    scale_tril = np.linalg.cholesky(covariance)
    return total_correlation.mixture_total_correlation(z, mean, stddev, scale_tril, density)

  posteriors, points = random_state.permutation(num_posteriors), random_state.permutation(len(z))
  latents = random_state.permutation(num_latent)
  unit = np.exp(random_state.uniform(-2, 2, size=num_latent)) * random_state.choice([-1, 1])
  for density in ("factorized", "full"):
    value = estimate(z, mean, covariance, density)
    others = [
      estimate(z[points], mean[posteriors], covariance[posteriors], density),
      estimate(z[:, latents], mean[:, latents], covariance[:, latents][:, :, latents], density),
      estimate(z * unit + 5, mean * unit + 5, covariance * np.outer(unit, unit), density),
      estimate(np.tile(z, (2, 1)), np.tile(mean, (2, 1)), np.tile(covariance, (2, 1, 1)), density),
    ]
    assert others == pytest.approx([value] * 4, abs=1e-7)
  factorized = estimate(z, mean, covariance, "factorized")
  assert factorized <= (num_latent - 1) * np.log(num_posteriors) + 1e-9


@examples(20)
@hypothesis.given(before=splits(), seed=st.integers(0, 2**32 - 1))
def test_terms_of_a_vae(before, seed):
  random_state = np.random.RandomState(seed)
  mean, logvar = before.x_train, 0.3 * before.x_test
  kl = 0.5 * np.sum(mean**2 + np.exp(logvar) - logvar - 1, axis=1)
  points, latents = random_state.permutation(len(mean)), random_state.permutation(mean.shape[1])
  results = vae_terms.summarize(kl + 1, kl, kl + 2, mean, logvar)
  assert min(results["kl_loss_per_latent"]) >= 0
  assert sum(results["kl_loss_per_latent"]) == pytest.approx(results["kl_loss"], abs=1e-9)
  assert results["elbo"] >= results["elbo_full"]
  assert 0 <= results["active_units"] <= mean.shape[1]
  moved = vae_terms.summarize(
    kl[points] + 1,
    kl[points],
    kl[points] + 2,
    -mean[points][:, latents],
    logvar[points][:, latents],
  )
  expected = [results["kl_loss_per_latent"][j] for j in latents]
  assert moved.pop("kl_loss_per_latent") == pytest.approx(expected, abs=1e-9)
  del results["kl_loss_per_latent"]
  assert moved == pytest.approx(results, abs=1e-9)


@examples(20)
@hypothesis.given(before=splits(), seed=st.integers(0, 2**32 - 1))
def test_rank_correlation_of_models_is_symmetric_and_their_order_has_no_effect(before, seed):
  random_state = np.random.RandomState(seed)
  one, other = before.x_train, before.x_test
  correlation = udr.spearman_correlation(one, other)
  np.testing.assert_allclose(correlation, udr.spearman_correlation(other, one).T, atol=1e-12)
  assert correlation.min() >= 0
  assert correlation.max() <= 1 + 1e-12
  # Ranks do not change if every value is replaced by a rising function of it.
  np.testing.assert_allclose(udr.spearman_correlation(np.exp(one), other), correlation, atol=1e-12)
  np.testing.assert_allclose(
    udr.relative_strength(correlation), udr.relative_strength(correlation.T), atol=1e-12
  )
  models = [one, other, random_state.standard_normal(one.shape)]
  order, kl = random_state.permutation(3), [np.ones(one.shape[1])] * 3
  for measure in ("spearman", "lasso"):
    scores = udr.ranking(models, kl, measure)["model_scores"]
    permuted = udr.ranking([models[i] for i in order], kl, measure)["model_scores"]
    assert permuted == pytest.approx([scores[i] for i in order], abs=1e-9)


@examples(20)
@hypothesis.given(before=splits(), seed=st.integers(0, 2**32 - 1))
def test_matrices_follow_the_order_of_latents_and_factors(before, seed):
  """Not only the means over latents and factors, but each part stays with its own."""
  random_state = np.random.RandomState(seed)
  x, y = before.x_train, before.y_train
  latents, factors = random_state.permutation(x.shape[1]), random_state.permutation(y.shape[1])
  for function, key in (
    (mig.mutual_information_gap, "mutual_information_matrix"),
    (functools.partial(mig.mutual_information_gap, estimator="nearest_neighbors"), None),
    (irs.interventional_robustness, "robustness_matrix"),
  ):
    key = key or "mutual_information_matrix"
    matrix = np.array(function(x, y)[key])
    permuted = np.array(function(x[:, latents], y[:, factors])[key])
    np.testing.assert_allclose(permuted, matrix[latents][:, factors], atol=1e-9)
