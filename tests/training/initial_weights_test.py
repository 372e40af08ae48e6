import json

import numpy as np
import pytest

import dl_condind as dl
from dl_condind.saved_models import stored_model
from dl_condind.training import train
from dl_condind.utils import errors
from dl_condind.utils import files

LINEAR = {
  "num_latent": 4,
  "encoder": dl.networks.test_encoder,
  "decoder": dl.networks.test_decoder,
}
SETTINGS = {"steps": 1, "eval_steps": 1, "batch_size": 4}


def train_run(directory, initial=None, posterior=None, **settings):
  posterior = posterior or dl.posteriors.Independent()
  model = dl.BetaVAE(1.0, posterior=posterior, **{**LINEAR, **settings.pop("parts", {})})
  data = dl.load_data("dummy_data")
  initial = None if initial is None else initial / "model"
  return dl.train(model, data, directory, initial_model_dir=initial, **{**SETTINGS, **settings})


def weights(directory):
  return dict(stored_model.StoredModel(directory / "model" / "saved_model").named_weights())


@pytest.fixture(scope="module")
def source(tmp_path_factory):
  directory = tmp_path_factory.mktemp("source") / "run"
  train_run(directory, steps=3, seed=5)
  return directory


@pytest.fixture
def still():
  """Trains with a learning rate so small that no weight changes."""
  return {"learning_rate": 1e-30}


@pytest.mark.slow
def test_a_run_starts_from_the_weights_and_says_so(source, tmp_path, still):
  run = train_run(tmp_path / "run", source, seed=0, **still)
  found, expected = weights(tmp_path / "run"), weights(source)
  assert found.keys() == expected.keys()
  for name, value in expected.items():
    np.testing.assert_array_equal(found[name], value)
  digest = files.manifest_digest(source / "model" / "saved_model")
  assert run.provenance["runtime.initial_model_sha256"] == digest
  # The same call finds it complete; another start is another run.
  modified = (tmp_path / "run/model/results").stat().st_mtime_ns
  train_run(tmp_path / "run", source, seed=0, **still)
  assert (tmp_path / "run/model/results").stat().st_mtime_ns == modified
  with pytest.raises(errors.ConfigError, match="initial_model_sha256 is .* there and absent here"):
    train_run(tmp_path / "run", seed=0, **still)


@pytest.mark.slow
def test_families_may_differ_there_and_back(source, tmp_path, still):
  train_run(tmp_path / "full", source, dl.posteriors.Full(), **still)
  full = weights(tmp_path / "full")
  for name in ("extra/kernel", "extra/bias"):
    np.testing.assert_allclose(full.pop(name), 0, atol=1e-29)
  train_run(tmp_path / "back", tmp_path / "full", dl.posteriors.Rotated(seed=0), **still)
  for name, value in weights(source).items():
    np.testing.assert_array_equal(full[name], value)
    np.testing.assert_array_equal(weights(tmp_path / "back")[name], value)


@pytest.mark.slow
def test_gin_starts_from_weights_too(source, tmp_path, tiny_training):
  initial = source / "model"
  bindings = [
    *tiny_training,
    f"model.initial_model_dir = '{initial}'",
    "vae/AdamOptimizer.learning_rate = 1e-30",
  ]
  train.train_with_gin(tmp_path / "run/model", False, ["shared.gin", "methods/vae.gin"], bindings)
  for name, value in weights(source).items():
    np.testing.assert_array_equal(weights(tmp_path / "run")[name], value)


@pytest.mark.parametrize(
  "parts, message",
  [
    ({"num_latent": 3}, r"means/kernel of shape .*, 3\] where they have .*, 4\]"),
    ({"decoder": dl.networks.fc_decoder}, "which has d1/kernel of shape .* where they have"),
  ],
)
def test_other_networks_are_refused(source, tmp_path, parts, message):
  with pytest.raises(errors.ConfigError, match=message) as caught:
    train_run(tmp_path / "run", source, parts=parts)
  assert "\n" not in str(caught.value)
  assert not (tmp_path / "run" / "model" / "results").exists()


def test_a_missing_or_changed_model_is_refused(source, tmp_path):
  with pytest.raises(errors.DatasetError, match="No trained model at .*none"):
    train_run(tmp_path / "run", tmp_path / "none")
  assert not (tmp_path / "run").exists()
  copy = tmp_path / "copy" / "model" / "saved_model"
  copy.mkdir(parents=True)
  (copy / "manifest.json").write_text(json.dumps({"saved_model.pb": "0"}))
  with pytest.raises(errors.DatasetError, match=r"saved_model\.pb"):
    train_run(tmp_path / "other", tmp_path / "copy")
