import json
import shutil

import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.saved_models import saved_model
from dl_condind.training import train
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.visualize import trained_vae


def edit_config(model_dir, old, new):
  """Changes the configuration in the record of a training, and its checksum."""
  config = model_dir / "results" / "gin" / "train.gin"
  config.write_text(config.read_text().replace(old, new))
  manifest = model_dir / "results" / "manifest.json"
  digests = json.loads(manifest.read_text())
  files.write_json(manifest, {**digests, "gin/train.gin": files.sha256(config)})
  return config


@pytest.fixture
def observations():
  return dummy_data.DummyData().sample_observations(4, np.random.RandomState(0))


def test_images_are_the_sigmoid_of_the_decoder(trained_study, observations):
  model_dir = trained_study / "0" / "model"
  model = trained_vae.TrainedVAE(model_dir)
  assert model.num_latent == 3
  assert model.dataset.name == "dummy_data"
  signatures = saved_model.load(model_dir / "saved_model").signatures
  z = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
  logits = signatures["decoder"](latent_vectors=z.reshape(10, 3))["images"].numpy()
  logits = logits.reshape(2, 5, *observations.shape[1:])
  np.testing.assert_allclose(model.decode(z), 1 / (1 + np.exp(-logits)), rtol=1e-5)
  mean = signatures["gaussian_encoder"](images=observations)["mean"].numpy()
  np.testing.assert_allclose(model.posterior(observations).mean, mean, rtol=1e-6)


def test_tanh_is_moved_to_0_to_1(trained_study, tmp_path, observations):
  model_dir = tmp_path / "model"
  shutil.copytree(trained_study / "0" / "model", model_dir)
  edit_config(model_dir, "'logits'", "'tanh'")
  logits_model = trained_vae.TrainedVAE(trained_study / "0" / "model")
  tanh_model = trained_vae.TrainedVAE(model_dir)
  z = np.random.default_rng(0).normal(size=(3, 3))
  probability = logits_model.decode(z).astype(np.float64)
  outputs = np.log(probability / (1 - probability))
  np.testing.assert_allclose(tanh_model.decode(z), np.tanh(outputs) / 2 + 0.5, rtol=1e-4)


def test_reconstructions_are_new_samples_but_the_same_after_loading(trained_study, observations):
  model_dir = trained_study / "1" / "model"
  first, second = (trained_vae.TrainedVAE(model_dir) for _ in range(2))
  images = first.reconstruct(observations)
  assert images.shape == observations.shape
  assert np.all((images > 0) & (images < 1))
  np.testing.assert_array_equal(images, second.reconstruct(observations))
  assert not np.array_equal(images, first.reconstruct(observations))


def test_missing_and_damaged_models_are_refused(trained_study, tmp_path):
  with pytest.raises(errors.DatasetError, match="No model at"):
    trained_vae.TrainedVAE(tmp_path / "model")
  model_dir = tmp_path / "copy"
  shutil.copytree(trained_study / "0" / "model", model_dir)
  config = edit_config(model_dir, "'logits'", "'softmax'")
  with pytest.raises(errors.ConfigError, match='must be "logits", "tanh" or "linear"'):
    trained_vae.TrainedVAE(model_dir)
  config.unlink()
  with pytest.raises(errors.DatasetError, match=r"train\.gin is missing"):
    trained_vae.TrainedVAE(model_dir)
  (model_dir / "saved_model" / "saved_model.pb").write_bytes(b"changed")
  with pytest.raises(errors.DatasetError, match="has changed"):
    trained_vae.TrainedVAE(model_dir)


@pytest.mark.slow
def test_data_set_comes_with_its_own_parameters(tmp_path, monkeypatch, tiny_training):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  images = np.random.RandomState(0).randint(256, size=(9, 8, 8, 3), dtype=np.uint8)
  np.savez(tmp_path / "own.npz", observations=images)
  own = ["dataset.name = 'arrays'", "arrays.path = 'own.npz'"]
  bindings = [*own, *tiny_training[1:]]
  train.train_with_gin(tmp_path / "model", False, ["shared.gin", "methods/vae.gin"], bindings)
  model = trained_vae.TrainedVAE(tmp_path / "model")
  observations = model.dataset.sample_observations(3, np.random.RandomState(0))
  assert model.reconstruct(observations).shape == (3, 8, 8, 3)
