"""Every metric on every awkward input: a finite result, or an error that says what is wrong."""

import functools
import json
import re
from typing import NamedTuple

import gin
import numpy as np
import pytest
from sklearn import neighbors
from sklearn import tree

from dl_condind.evaluation import code_table
from dl_condind.evaluation import metric
from dl_condind.evaluation import representation
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import aligned_mig
from dl_condind.evaluation.metrics import beta_vae
from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.metrics import dci_es
from dl_condind.evaluation.metrics import downstream_task
from dl_condind.evaluation.metrics import factor_vae
from dl_condind.evaluation.metrics import fairness
from dl_condind.evaluation.metrics import info_mec
from dl_condind.evaluation.metrics import information_gap
from dl_condind.evaluation.metrics import irs
from dl_condind.evaluation.metrics import med
from dl_condind.evaluation.metrics import mig
from dl_condind.evaluation.metrics import modularity_explicitness
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
from dl_condind.evaluation.probes import predictors


class Splits(NamedTuple):
  """Representations and factors of points to fit and to test on."""

  x_train: np.ndarray
  y_train: np.ndarray
  x_test: np.ndarray
  y_test: np.ndarray


def on_points(function, **settings):
  return lambda splits: function(splits.x_train, splits.y_train, **settings)


def on_splits(function, **settings):
  return lambda splits: function(*splits, **settings)


def on_grid(compute, **settings):
  def score(splits):
    data = code_table.CodeTable(splits.x_train, splits.y_train)
    return compute(data, np.asarray, np.random.RandomState(0), **settings)

  return score


def on_vae(compute, **settings):
  """A metric of a model whose posterior means are the representations, in float32 as of models."""

  def gaussian_encoder(observations):
    with np.errstate(over="ignore"):
      observations = observations.astype(np.float32)
    eye = np.broadcast_to(
      np.eye(observations.shape[1]), (*observations.shape, observations.shape[1])
    )
    return {"mean": observations, "logvar": np.zeros(observations.shape), "scale_tril": eye}

  def elbo_terms(observations):
    terms = np.ones(len(observations), np.float32)
    return {"reconstruction_loss": terms, "kl_loss": terms, "kl_loss_full": terms}

  def score(splits):
    data = code_table.CodeTable(splits.x_train, splits.y_train)
    model = representation.Representation(np.asarray, gaussian_encoder, elbo_terms)
    return compute(data, model, np.random.RandomState(0), **settings)

  return score


def unsupervised(splits):
  codes = discretization.histogram_discretizer(splits.x_train, 20)
  return unsupervised_metrics.latent_dependence(splits.x_train, codes)


def ranking(splits, **settings):
  kl = np.ones(np.shape(splits.x_train)[-1:])
  return udr.ranking([splits.x_train, splits.x_test], [kl, kl], **settings)


FEW_VOTES = {"batch_size": 4, "num_train": 30, "num_eval": 10}
LOGISTIC = {"predictor_fn": predictors.logistic_regression_cv}
TREE = {"predictor_fn": tree.DecisionTreeClassifier}
MATRICES = [unified_scores.mutual_information_matrix, unified_scores.accuracy_svm_matrix]

# One line for each metric: from splits to its results.
METRICS = {
  "aligned_mig": on_points(aligned_mig.aligned_mutual_information_gap, num_nulls=2),
  "beta_vae_sklearn": on_grid(beta_vae.compute_beta_vae_sklearn, **FEW_VOTES),
  "dci": on_splits(dci.dci_scores, **TREE),
  "dci:by_permutation": on_splits(dci.dci_scores, predictor_fn=neighbors.KNeighborsClassifier),
  "dci_es": on_splits(dci_es.dci_es_scores, depths=[1, 2], num_trees=2),
  "downstream_task": on_splits(downstream_task.downstream_scores, **TREE),
  "downstream_task:logistic": on_splits(downstream_task.downstream_scores, **LOGISTIC),
  "factor_vae_score": on_grid(factor_vae.compute_factor_vae, num_variance_estimate=30, **FEW_VOTES),
  "fairness": on_grid(fairness.compute_fairness, num_train=30, num_test_points_per_class=5),
  "info_mec": on_points(info_mec.info_mec_scores),
  "information_gap": on_vae(
    information_gap.compute_information_gap, num_posteriors=64, num_samples=16, num_subsets=1
  ),
  "irs": on_points(irs.interventional_robustness),
  "med": on_points(med.med_scores),
  "mig": on_points(mig.mutual_information_gap),
  "mig:neighbors": on_points(mig.mutual_information_gap, estimator="nearest_neighbors"),
  "modularity_explicitness": on_splits(modularity_explicitness.modularity_explicitness_scores),
  "modularity_explicitness:neighbors": on_splits(
    modularity_explicitness.modularity_explicitness_scores, estimator="nearest_neighbors"
  ),
  "reduced_downstream_task": on_splits(
    functools.partial(
      reduced_downstream_task.reduced_accuracies,
      remove_fn=lambda x, *_, seed: x.shape[1] - 1,
      num_to_remove=1,
    ),
    **TREE,
  ),
  "relabelled_mig": on_points(relabelled_mig.relabelled_mutual_information_gap),
  "rotated_mig": on_points(
    rotated_mig.rotated_mutual_information_gap, num_nulls=1, num_rotations=1
  ),
  "sap_score": on_splits(sap_score.sap_scores),
  "sap_score:continuous": on_splits(sap_score.sap_scores, continuous_factors=True),
  "strong_downstream_task": on_grid(
    strong_downstream_task.compute_strong_downstream_task,
    num_train=[30],
    num_test=10,
    n_experiment=1,
  ),
  "total_correlation": on_vae(
    total_correlation.compute_total_correlation, num_posteriors=64, num_samples=2, num_repeats=2
  ),
  "udr_sklearn:lasso": ranking,
  "udr_sklearn:spearman": functools.partial(ranking, correlation_matrix="spearman"),
  "unified_scores": on_splits(unified_scores.unified_scores, matrix_fns=MATRICES),
  "unsupervised_metrics": unsupervised,
  "vae_terms": on_vae(vae_terms.compute_vae_terms, num_points=100),
}


def grid(num_values=(3, 4), num_latent=3, seed=0):
  """Returns codes of a complete grid of factors, and its factors."""
  factors = np.stack(np.meshgrid(*map(np.arange, num_values), indexing="ij"), axis=-1)
  factors = factors.reshape(-1, len(num_values))
  random_state = np.random.RandomState(seed)
  codes = factors @ random_state.standard_normal((len(num_values), num_latent))
  return codes + random_state.standard_normal(codes.shape), factors


def same(codes, factors):
  return Splits(codes, factors, codes.copy(), factors.copy())


def changed(codes=None, factors=None, num_values=(3, 4), num_latent=3):
  """Returns splits whose codes or factors, train and test, went through a function."""
  x, y = grid(num_values, num_latent)
  return same(x if codes is None else codes(x), y if factors is None else factors(y))


def with_value(value):
  """Returns a function that sets one entry of an array."""

  def change(values):
    values = values.astype(np.float64)
    values[2, 0] = value
    return values

  return change


def kept(train=None, test=None):
  """Returns splits of the points for which functions of the factors are true."""
  x, y = grid()
  rows = [np.ones(len(y), bool) if keep is None else keep(y) for keep in (train, test)]
  return Splits(x[rows[0]], y[rows[0]], x[rows[1]], y[rows[1]])


# What it is: (splits, whether every metric that looks at it has to refuse it).
INPUTS = {
  "constant_latents": changed(codes=lambda x: np.full_like(x, 0.7)),
  "one_constant_latent": changed(codes=lambda x: x * [1, 0, 1]),
  "equal_latents": changed(codes=lambda x: x[:, [0, 0, 0]]),
  "one_latent": changed(num_latent=1),
  "more_latents_than_factors": changed(num_latent=7),
  "fewer_latents_than_factors": changed(num_values=(2, 3, 2, 2), num_latent=2),
  "one_factor": changed(num_values=(4,)),
  "factor_with_one_value": changed(num_values=(3, 1, 4)),
  "only_factors_with_one_value": changed(factors=np.zeros_like),
  "negative_and_large_factors": changed(factors=lambda y: y * 1000 - 2000),
  "continuous_factors": changed(factors=lambda y: y + 0.5),
  "continuous_factor_beside_a_discrete_one": changed(factors=lambda y: y + np.array([0.25, 0])),
  "fewer_points_than_bins": changed(num_values=(2, 3)),
  "each_point_many_times": changed(
    codes=lambda x: np.tile(x, (9, 1)), factors=lambda y: np.tile(y, (9, 1))
  ),
  "integer_codes": changed(codes=lambda x: np.round(x).astype(np.int64)),
  "float32_codes": changed(codes=lambda x: x.astype(np.float32)),
  "far_from_zero": changed(codes=lambda x: x + 1e9),
  "large_codes": changed(codes=lambda x: x * 1e30),
  "large_float32_codes": changed(codes=lambda x: np.float32(1e25) * x.astype(np.float32)),
  "huge_codes": changed(codes=lambda x: x * 1e300),
  "tiny_codes": changed(codes=lambda x: x * 1e-300),
  "outlier": changed(codes=with_value(1e12)),
  "class_missing_in_test": kept(test=lambda y: y[:, 0] != 2),
  "class_missing_in_train": kept(train=lambda y: y[:, 0] != 2),
  "one_class_in_test": kept(test=lambda y: y[:, 0] == 2),
  "one_class_in_train": kept(train=lambda y: y[:, 0] == 2),
  "no_class_in_both": kept(lambda y: y[:, 0] == 1, lambda y: y[:, 0] == 2),
  "one_test_point": kept(test=lambda y: np.arange(len(y)) == 5),
  "one_point": changed(codes=lambda x: x[:1], factors=lambda y: y[:1]),
  "two_points": changed(codes=lambda x: x[:2], factors=lambda y: y[:2]),
}
FINITE = r"not (finite|a number)"
SHAPE = r"must (both )?be \[num_points|\d+ and \d+ rows|rows? for each|the representation has 0"
BAD_INPUTS = {
  "nan_codes": (changed(codes=with_value(np.nan)), FINITE),
  "infinite_codes": (changed(codes=with_value(-np.inf)), FINITE),
  "nan_factors": (changed(factors=with_value(np.nan)), f"{FINITE}|complete grid"),
  "infinite_factors": (changed(factors=with_value(np.inf)), f"{FINITE}|complete grid"),
  "fewer_codes_than_factors": (changed(codes=lambda x: x[:-2]), SHAPE),
  "more_codes_than_factors": (changed(factors=lambda y: y[:-2]), SHAPE),
  "no_points": (changed(codes=lambda x: x[:0], factors=lambda y: y[:0]), SHAPE),
  "no_latents": (changed(codes=lambda x: x[:, :0]), SHAPE),
  "no_factors": (changed(factors=lambda y: y[:, :0]), SHAPE),
  "vector_of_codes": (changed(codes=lambda x: x[:, 0]), SHAPE),
  "vector_of_factors": (changed(factors=lambda y: y[:, 0]), SHAPE),
}
# These do not look at factors.
WITHOUT_FACTORS = {"udr_sklearn:lasso", "udr_sklearn:spearman", "unsupervised_metrics"}
ABOUT_FACTORS = {name for name in BAD_INPUTS if "factors" in name}

# What an error may say: the array or setting that is wrong, and what about it.
REASONS = "|".join(
  [
    r"representations?\b.* has \d",
    r"needs? at least \d+ points",
    r"none of the \d+ factors varies",
    r"factors? .*(continuous|varies|whole number)",
    r"complete grid",
    r"tells factors apart",
    r"two factors that vary",
    r"single value in the \d+ test points",
    r"not finite in float",
    r"has \d+ of \d+ values that are not finite",
    r"which have no neighbors",
    r"number of distinct points",
    r"distinct points all differ",
    r"at least \d+ points",
    r"must (have|be) .*got",
    r"be less than the \d+ latents",
  ]
)


@pytest.fixture(autouse=True)
def configuration():
  gin.parse_config(
    """
    discretizer.discretizer_fn = @histogram_discretizer
    discretizer.num_bins = 20
    """
  )
  with gin.unlock_config():
    gin.bind_parameter("predictor.predictor_fn", tree.DecisionTreeClassifier)
  yield
  gin.clear_config()


def test_every_metric_is_tried():
  known = {
    name
    for name, compute in metric.load_all().items()
    if compute.__module__.startswith("dl_condind.")
  }
  # These take what has other tests: decoders, posteriors, an InfoGAN, metrics on a fixed set.
  elsewhere = {
    "decoder_geometry",
    "information_estimators",
    "infogan_disentanglement",
    "fixed_data",
    "local_alignment",
    "posterior_family_cost",
  }
  assert {name.partition(":")[0] for name in METRICS} == {*(known - elsewhere), "udr_sklearn"}


EACH = [  # Cross-validation takes seconds for each of the inputs.
  pytest.param(name, marks=pytest.mark.slow if name.endswith(":logistic") else [])
  for name in METRICS
]


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("of", EACH)
def test_result_is_finite_or_the_error_says_why(of, name):
  before = [array.copy() for array in INPUTS[name]]
  try:
    results = METRICS[of](INPUTS[name])
  except ValueError as error:
    assert re.search(REASONS, str(error)), f"{type(error).__name__}: {error}"
  else:
    json.dumps(results, allow_nan=False)
  for array, kept_array in zip(INPUTS[name], before, strict=True):
    np.testing.assert_array_equal(array, kept_array)


@pytest.mark.parametrize("name", BAD_INPUTS)
@pytest.mark.parametrize("of", EACH)
def test_bad_input_is_an_error(of, name):
  if of in WITHOUT_FACTORS and name in ABOUT_FACTORS:
    pytest.skip("does not look at factors")
  splits, match = BAD_INPUTS[name]
  with pytest.raises(ValueError, match=match):
    METRICS[of](splits)
