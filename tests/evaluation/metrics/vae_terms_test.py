import json

import gin
import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation import representation
from dl_condind.evaluation.metrics import vae_terms
from dl_condind.utils import errors


@pytest.fixture(autouse=True)
def clear_gin():
  yield
  gin.clear_config()


CONSTANT = 9.2575  # -0.5 * log(det(R)), the same for every observation


def gaussian_encoder(observations):
  """Three latents: informative, barely moving, and the prior."""
  x = observations[:, :1].astype(np.float64)
  zero = np.zeros_like(x)
  return {
    "mean": np.hstack([x, 0.03 * x, zero]).astype(np.float32),
    "logvar": np.hstack([zero - 2, zero - 0.1, zero]).astype(np.float32),
  }


def elbo_terms(observations):
  posterior = {name: x.astype(np.float64) for name, x in gaussian_encoder(observations).items()}
  mean, logvar = posterior["mean"], posterior["logvar"]
  kl = 0.5 * np.sum(mean**2 + np.exp(logvar) - logvar - 1, axis=1)
  return {
    "reconstruction_loss": observations.sum(axis=1).astype(np.float32),
    "kl_loss": kl,
    "kl_loss_full": kl + CONSTANT,
  }


def model(**functions):
  functions = {"gaussian_encoder": gaussian_encoder, "elbo_terms": elbo_terms, **functions}
  return representation.Representation(lambda x: gaussian_encoder(x)["mean"], **functions)


def evaluate(representation_function, **settings):
  return vae_terms.compute_vae_terms(
    dummy_data.IdentityObservationsData(),
    representation_function,
    np.random.RandomState(0),
    **settings,
  )


def test_terms_are_averages_over_the_observations():
  results = evaluate(model(), num_points=1500)
  random_state = np.random.RandomState(0)
  data = dummy_data.IdentityObservationsData()
  observations = np.concatenate([data.sample_observations(n, random_state) for n in (1000, 500)])
  x = observations[:, 0]
  kl = [
    np.mean(0.5 * (scale**2 * x**2 + np.exp(logvar) - logvar - 1))
    for scale, logvar in ((1, -2), (0.03, -0.1), (0, 0))
  ]
  assert results["reconstruction_loss"] == pytest.approx(observations.sum(axis=1).mean())
  assert results["kl_loss_per_latent"] == pytest.approx(kl, rel=1e-5)
  assert results["kl_loss"] == pytest.approx(sum(kl), rel=1e-5)
  assert results["kl_loss"] == pytest.approx(sum(results["kl_loss_per_latent"]), rel=1e-9)
  assert results["conditional_total_correlation"] == pytest.approx(CONSTANT, abs=1e-9)
  assert results["kl_loss_full"] == pytest.approx(results["kl_loss"] + CONSTANT)
  reconstruction_loss = results["reconstruction_loss"]
  assert results["elbo"] == pytest.approx(-(reconstruction_loss + sum(kl)), rel=1e-6)
  assert results["elbo_full"] == pytest.approx(results["elbo"] - CONSTANT)


@pytest.mark.parametrize("threshold, active", [(0.01, 1), (0.005, 2), (100.0, 0)])
def test_active_units_move_with_the_observation(threshold, active):
  # A uniform draw from 1..10 has variance 8.25, so the means have 8.25, 0.0074 and 0.
  assert evaluate(model(), num_points=2000, active_variance=threshold)["active_units"] == active


def test_results_are_plain():
  results = evaluate(model(), num_points=20)
  assert json.loads(json.dumps(results, allow_nan=False)) == results
  assert type(results["active_units"]) is int
  assert type(results["elbo"]) is float


@pytest.mark.parametrize("missing", ["gaussian_encoder", "elbo_terms"])
def test_model_without_a_function_is_refused(missing):
  with pytest.raises(errors.ConfigError, match=f"vae_terms needs the model's {missing}"):
    evaluate(model(**{missing: None}))


def test_non_finite_term_is_refused():
  def diverged(observations):
    return {**elbo_terms(observations), "kl_loss": np.full(len(observations), np.inf)}

  with pytest.raises(errors.ConfigError, match="kl_loss has 5 of 5 values that are not finite"):
    evaluate(model(elbo_terms=diverged), num_points=5)


def test_gin_binds_the_number_of_points():
  gin.parse_config("vae_terms.num_points = 0")
  with pytest.raises(errors.ConfigError, match=r"vae_terms\.num_points must be"):
    evaluate(model())
