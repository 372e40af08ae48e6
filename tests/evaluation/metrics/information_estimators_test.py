import importlib.util  # noqa: F401  (gin uses it without importing it)
import json

import gin
import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation import posterior_samples
from dl_condind.evaluation import representation
from dl_condind.evaluation.metrics import estimators
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
    **estimators.estimate(*posteriors, np.random.RandomState(0), **SETTINGS),
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
