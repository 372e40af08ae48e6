import json

import gin
import numpy as np
import pytest
from scipy import stats
from sklearn import linear_model
from sklearn import preprocessing

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation.metrics import udr
from dl_condind.utils import errors

INFORMATIVE = np.ones(3)


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


def codes(num_models=3, num_points=300, num_latent=3):
  """Returns permuted and sign-flipped copies of the same latents."""
  random_state = np.random.RandomState(0)
  z = random_state.standard_normal((num_points, num_latent))
  models = []
  for _ in range(num_models):
    signs = random_state.choice([-1, 1], size=num_latent)
    models.append(5 + 3 * signs * z[:, random_state.permutation(num_latent)])
  return models


def mixed(num_models=3, num_latent=3):
  """Returns rotations of the same latents."""
  random_state = np.random.RandomState(1)
  z = random_state.standard_normal((300, num_latent))
  return [
    z @ np.linalg.qr(random_state.standard_normal((num_latent, num_latent)))[0]
    for _ in range(num_models)
  ]


@pytest.mark.parametrize("measure", ["lasso", "spearman"])
def test_models_with_the_same_latents_agree(measure):
  same = udr.ranking(codes(), [INFORMATIVE] * 3, measure)
  different = udr.ranking(mixed(), [INFORMATIVE] * 3, measure)
  assert min(same["model_scores"]) >= 0.8
  assert max(different["model_scores"]) <= min(same["model_scores"]) - 0.2


def test_odd_model_ranks_last():
  models = [*codes(), mixed(1)[0]]
  scores = udr.ranking(models, [INFORMATIVE] * 4)["model_scores"]
  assert np.argmin(scores) == 3


@pytest.mark.parametrize("measure", ["lasso", "spearman"])
@pytest.mark.parametrize("filter_low_kl", [True, False])
def test_results_are_those_of_a_literal_recomputation(measure, filter_low_kl):
  models = [
    m + 0.3 * np.random.RandomState(9).standard_normal(m.shape) for m in mixed(num_latent=4)
  ]
  kl = [np.array([1.0, 0.001, 2.0, 3.0]), np.array([1.0, 1.0, 0.02, 3.0]), np.ones(4)]
  results = udr.ranking(models, kl, measure, filter_low_kl)
  scaled = [preprocessing.scale(m) * (nats > 0.01) for m, nats in zip(models, kl, strict=True)]
  scores = np.zeros((3, 3))
  for i in range(3):
    for j in range(3):
      if i == j:
        continue
      if measure == "lasso":
        matrix = np.abs(linear_model.Lasso(alpha=0.1).fit(scaled[i], scaled[j]).coef_.T)
      else:
        matrix = np.zeros((4, 4))
        for a in np.flatnonzero(kl[i] > 0.01):
          for b in np.flatnonzero(kl[j] > 0.01):
            matrix[a, b] = abs(stats.spearmanr(scaled[i][:, a], scaled[j][:, b])[0])
      np.testing.assert_allclose(results["raw_correlations"][i][j], matrix, atol=1e-12)
      if filter_low_kl:
        matrix = matrix[kl[i] > 0.01][:, kl[j] > 0.01]
      parts = []
      for columns in (matrix, matrix.T):
        values = [max(c) ** 2 / sum(c) if sum(c) else 0.0 for c in columns.T]
        parts.append(np.mean(values))
      scores[i, j] = np.mean(parts)
  np.testing.assert_allclose(
    np.array(results["pairwise_disentanglement_scores"])[:, :, 0], scores, atol=1e-12
  )
  medians = [np.median(np.delete(scores[:, i], i)) for i in range(3)]
  np.testing.assert_allclose(results["model_scores"], medians, atol=1e-12)


def test_strength_in_closed_form():
  assert udr.relative_strength(np.eye(4)) == 1
  assert udr.relative_strength(np.ones((2, 2))) == 0.5
  assert udr.relative_strength(np.array([[1.0, 0.0], [0.0, 0.0]])) == 0.5
  assert udr.relative_strength(np.zeros((3, 3))) == 0
  assert udr.relative_strength(np.zeros((0, 3))) == 0


def test_models_without_informative_or_varying_latents_score_zero():
  models = codes()
  models[1] = np.ones_like(models[1])
  for measure in ("lasso", "spearman"):
    results = udr.ranking(models, [INFORMATIVE] * 3, measure, filter_low_kl=False)
    assert results["model_scores"][1] == 0
    results = udr.ranking(codes(), [INFORMATIVE, np.zeros(3), INFORMATIVE], measure)
    assert results["model_scores"][1] == 0
    json.dumps(results, allow_nan=False)


def test_one_latent():
  results = udr.ranking(codes(num_latent=1), [np.ones(1)] * 3)
  assert min(results["model_scores"]) >= 0.8


@pytest.mark.parametrize(
  ("models", "kl", "error", "message"),
  [
    (codes(1), [INFORMATIVE], errors.ConfigError, "udr compares models, got 1"),
    ([np.ones((9, 3)), np.ones((9, 2))], [INFORMATIVE] * 2, errors.ConfigError, "got 3, 2"),
    ([np.ones((9, 3)), np.ones((8, 3))], [INFORMATIVE] * 2, ValueError, "must be"),
    ([np.ones((0, 3))] * 2, [INFORMATIVE] * 2, ValueError, r"must be .* got \[\(0, 3\)"),
    ([np.ones((9, 0))] * 2, [np.ones(0)] * 2, ValueError, r"must be .* got \[\(9, 0\)"),
    ([np.ones(3)] * 2, [np.ones(())] * 2, ValueError, r"must be .* got \[\(3,\)"),
    (np.multiply(codes(2), 1e200), [INFORMATIVE] * 2, errors.ConfigError, "not finite in float64"),
    (codes(2), [INFORMATIVE, np.ones(2)], ValueError, r"kl \[num_latent\] of each model"),
    ([np.full((9, 3), np.nan)] * 2, [INFORMATIVE] * 2, errors.ConfigError, "of model 0 has 27"),
    (codes(2), [INFORMATIVE, np.full(3, np.inf)], errors.ConfigError, "The KL of model 1"),
  ],
)
def test_models_that_do_not_compare_are_refused(models, kl, error, message):
  with pytest.raises(error, match=message):
    udr.ranking(models, kl)


def compute(**options):
  options = {"batch_size": 10, "num_data_points": 50, **options}
  functions = [lambda x: (x, np.full(10, 2.0)), lambda x: (-x[:, ::-1], np.full(10, 0.02))]
  data = dummy_data.IdentityObservationsData()
  return udr.compute_udr_sklearn(data, functions, np.random.RandomState(0), **options)


def test_protocol_draws_batch_by_batch():
  results = compute(num_data_points=30)
  random_state, data = np.random.RandomState(0), dummy_data.IdentityObservationsData()
  x = np.concatenate([data.sample_observations(10, random_state) for _ in range(3)])
  assert results == udr.ranking([x, -x[:, ::-1]], [np.full(10, 2.0), np.full(10, 0.02)])


def test_gin_binds_the_settings():
  gin.parse_config(
    "udr_sklearn.correlation_matrix = 'spearman'\nudr_sklearn.include_raw_correlations = False\n"
    "udr_sklearn.kl_filter_threshold = 0.1"
  )
  results = compute()
  assert results.keys() == {"pairwise_disentanglement_scores", "model_scores"}
  assert results["model_scores"] == [0, 0]


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"batch_size": 0}, r"udr_sklearn\.batch_size must be"),
    ({"num_data_points": 25}, "must be a multiple of batch_size, got 25 and 10"),
    ({"correlation_matrix": "pearson"}, 'must be "lasso" or "spearman", got \'pearson\''),
  ],
)
def test_settings_are_checked(options, message):
  with pytest.raises(errors.ConfigError, match=message):
    compute(**options)
