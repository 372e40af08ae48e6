import gin
import numpy as np
import pytest

from dl_condind import posteriors
from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation import evaluate
from dl_condind.evaluation import representation
from dl_condind.evaluation.densities import family_cost
from dl_condind.evaluation.metrics import posterior_family_cost
from dl_condind.posteriors import equicorrelated
from dl_condind.posteriors import rotations
from dl_condind.utils import errors
from dl_condind.utils import results as records

NUM_LATENT = 10
CORRELATION = equicorrelated.equicorrelated(NUM_LATENT, 0.9)


def model(gram, covariance, **functions):
  """Posterior means are the factors; decoder and noise are the same everywhere."""
  root = np.linalg.cholesky(covariance)

  def gaussian_encoder(observations):
    mean = np.asarray(observations, np.float64)
    logvar = np.broadcast_to(np.log(np.diag(covariance)), mean.shape)
    scale_tril = np.broadcast_to(root, (len(mean), *root.shape))
    return {"mean": mean, "logvar": logvar, "scale_tril": scale_tril}

  def fisher_gram(z):
    return np.broadcast_to(gram, (len(z), *gram.shape))

  return representation.Representation(
    lambda x: gaussian_encoder(x)["mean"],
    **{"gaussian_encoder": gaussian_encoder, "fisher_gram": fisher_gram, **functions},
  )


def compute(represent, **settings):
  return posterior_family_cost.compute_posterior_family_cost(
    dummy_data.IdentityObservationsData(),
    represent,
    np.random.RandomState(0),
    **{
      "num_points": 20,
      "correlations": {"strong": lambda num: equicorrelated.equicorrelated(num, 0.9)},
      "rotations": {"rotated": lambda num: rotations.random_rotation(num, 0)},
      **settings,
    },
  )


def test_orthogonal_columns_cost_what_the_correlation_is_worth():
  squares = np.geomspace(1, 100, NUM_LATENT)
  optimum = np.diag(1 / (1 + squares / 4))  # M^-1 for beta = 4
  found = compute(model(np.diag(squares), optimum), beta=4.0)
  assert found["cost.independent"] == pytest.approx(0, abs=1e-9)
  assert found["cost.strong"] == pytest.approx(-0.5 * np.linalg.slogdet(CORRELATION)[1])
  assert found["cost.isotropic"] > 1 and found["cost.rotated"] > 1
  assert found["own_cost"] == pytest.approx(0, abs=1e-9)
  assert found["fisher_trace"] == pytest.approx(squares.sum())


def test_rotated_columns_cost_rotated_noise_nothing():
  axes = rotations.random_rotation(NUM_LATENT, 0)
  gram = axes @ np.diag(np.geomspace(1, 100, NUM_LATENT)) @ axes.T
  found = compute(model(gram, np.eye(NUM_LATENT)))
  assert found["cost.rotated"] == pytest.approx(0, abs=1e-9)
  assert found["cost.independent"] > 1
  expected = family_cost.gaussian_kl(np.eye(NUM_LATENT), np.eye(NUM_LATENT) + gram)
  assert found["own_cost"] == pytest.approx(float(expected[0]))


def test_settings_are_checked():
  represent = model(np.eye(NUM_LATENT), np.eye(NUM_LATENT))
  for settings, message in (
    ({"beta": 0.0}, r"posterior_family_cost\.beta must be positive, got 0\.0"),
    ({"num_points": 0}, "num_points must be a whole number of at least 1"),
    ({"rotations": {"twice": lambda num: 2 * np.eye(num)}}, "must be orthogonal"),
    ({"correlations": {"small": lambda num: np.eye(3)}}, r"must be \[10, 10\]"),
  ):
    with pytest.raises(errors.ConfigError, match=message):
      compute(represent, **settings)
  broken = model(np.full((NUM_LATENT, NUM_LATENT), np.nan), np.eye(NUM_LATENT))
  with pytest.raises(errors.ConfigError, match="Fisher information has .* not finite"):
    compute(broken)
  with pytest.raises(errors.ConfigError, match="needs the model's fisher_gram"):
    compute(model(np.eye(NUM_LATENT), np.eye(NUM_LATENT), fisher_gram=None))


def test_stored_model_from_file_to_record(trained_run, tmp_path):
  gin.clear_config()
  evaluate.evaluate_with_gin(
    trained_run / "postprocessed" / "mean",
    tmp_path,
    False,
    ["metrics/posterior_family_cost.gin"],
    ["posterior_family_cost.num_points = 30"],
  )
  found = records.read_results(tmp_path, "evaluation")
  # The decoder has hardly learned: M is near I, where R costs -1/2 log det R.
  strong = posteriors.Equicorrelated(0.9).matrix(4)
  assert found["cost.equicorrelated_0.9"] == pytest.approx(
    -0.5 * np.linalg.slogdet(strong)[1], rel=0.5
  )
  names = ("independent", "isotropic", "equicorrelated_0.5", "random_correlation", "rotated")
  assert all(np.isfinite(found[f"cost.{name}"]) for name in names)
  assert found["own_cost"] > 0
