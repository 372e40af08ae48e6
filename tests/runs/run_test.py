import base64
import io
import re
import shutil

import numpy as np
from PIL import Image
import pytest
from scipy import special

import dl_condind as dl
from dl_condind.saved_models import saved_model
from dl_condind.utils import errors


@pytest.fixture(scope="module")
def run(trained_run):
  return dl.load(trained_run)


@pytest.fixture(scope="module")
def images():
  return np.random.default_rng(0).uniform(size=(5, 64, 64, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def signatures(trained_run):
  model = saved_model.load(trained_run / "model" / "saved_model")
  yield model.signatures


def test_settings_and_losses_are_those_of_the_record(run):
  assert run.config["vae.beta"] == "1.0"
  assert run.config["encoder.num_latent"] == "4"
  assert run.losses["global_step"] == 2
  assert run.losses["loss"] == pytest.approx(
    run.losses["reconstruction_loss"] + run.losses["regularizer"]
  )
  assert run.provenance["dataset"] == "dummy_data"
  assert "VAE on dummy_data" in repr(run)
  assert (run.num_latent, run.image_shape) == (4, (64, 64, 1))


def test_the_folder_of_the_model_is_the_same_run(run, trained_run, images):
  other = dl.load(trained_run / "model")
  np.testing.assert_array_equal(other.encode(images), run.encode(images))
  assert other.folder == run.folder


def test_posteriors_are_those_of_the_model(run, images, signatures):
  found = run.posterior(images)
  expected = signatures["gaussian_encoder"](images=images)
  np.testing.assert_array_equal(found.mean, expected["mean"])
  np.testing.assert_array_equal(run.encode(images), found.mean)
  np.testing.assert_array_equal(found.scale_tril, expected["scale_tril"])
  np.testing.assert_allclose(found.stddev, np.exp(expected["logvar"] / 2), rtol=1e-6)
  np.testing.assert_allclose(np.linalg.norm(found.scale_tril, axis=2), found.stddev, rtol=1e-5)


def test_samples_have_the_correlation_of_the_noise(run, images):
  many = np.repeat(images[:1], 4000, axis=0)
  mean, stddev, _ = run.posterior(many)
  noise = (run.sample(many, seed=1) - mean) / stddev
  expected = np.full((4, 4), 0.9) + 0.1 * np.eye(4)
  np.testing.assert_allclose(np.cov(noise.T), expected, atol=0.08)  # Standard error 0.022.
  np.testing.assert_array_equal(run.sample(images, seed=1), run.sample(images, seed=1))
  assert np.all(run.sample(images, seed=1) != run.sample(images, seed=2))


def test_decoded_images_are_the_sigmoid_of_the_logits(run, signatures):
  z = np.random.default_rng(1).normal(size=(2, 3, 4))
  logits = signatures["decoder"](latent_vectors=z.reshape(-1, 4).astype(np.float32))["images"]
  expected = special.expit(logits.numpy()).reshape(2, 3, 64, 64, 1)
  np.testing.assert_allclose(run.decode(z), expected, rtol=1e-5)


def test_reconstructions_are_decoded_codes(run, images):
  np.testing.assert_array_equal(run.reconstruct(images), run.decode(run.encode(images)))
  expected = run.decode(run.sample(images, seed=3))
  np.testing.assert_array_equal(run.reconstruct(images, seed=3), expected)


def test_a_traversal_changes_one_latent_at_a_time(run, images):
  base = run.encode(images[:1])[0]
  found = run.traverse(images[0], [-1.0, base[2]])
  assert found.shape == (4, 2, 64, 64, 1)
  changed = base.copy()
  changed[1] = -1.0
  np.testing.assert_allclose(found[1, 0], run.decode(changed), rtol=1e-5)
  np.testing.assert_allclose(found[2, 1], run.reconstruct(images[:1])[0], rtol=1e-5)
  np.testing.assert_allclose(run.traverse()[0, 3], run.decode(np.zeros(4)), rtol=1e-5)


def test_bytes_are_the_images_they_stand_for(run):
  pixels = np.random.default_rng(2).integers(0, 256, (5, 64, 64, 1), np.uint8)
  expected = run.encode(pixels.astype(np.float32) / np.float32(255))
  np.testing.assert_array_equal(run.encode(pixels), expected)


def test_no_images_have_no_codes(run, images):
  assert run.encode(images[:0]).shape == (0, 4)


def test_many_images_are_encoded_in_chunks(run, images):
  many = np.tile(images, (450, 1, 1, 1))
  found = run.encode(many)
  assert found.shape == (2250, 4)
  np.testing.assert_allclose(found, np.tile(run.encode(images), (450, 1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  "change, message",
  [
    (lambda images: images[0], r"images must be \[num, 64, 64, 1\], got \[64, 64, 1\]"),
    (lambda images: images[:, :32], r"images must be \[num, 64, 64, 1\], got \[5, 32, 64, 1\]"),
    (lambda images: 255 * images, r"must be in \[0, 1\], got values from .*: divide pixels"),
    (lambda images: images * np.nan, r"must be in \[0, 1\], got values from nan"),
    (lambda images: (255 * images).astype(int), "must be uint8 or floating point, got int64"),
  ],
)
def test_images_that_are_not_the_models(run, images, change, message):
  for method in (run.encode, run.posterior, run.sample, run.reconstruct):
    with pytest.raises(ValueError, match=message):
      method(change(images))


def test_codes_of_another_size(run):
  with pytest.raises(ValueError, match=r"z must be \[\.\.\., 4\], got \[2, 3\]"):
    run.decode(np.zeros((2, 3)))


def test_a_notebook_shows_settings_losses_and_a_traversal(run):
  page = run._repr_html_()
  (png,) = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
  picture = Image.open(io.BytesIO(base64.b64decode(png)))
  assert picture.width >= 7 * 64 and picture.height >= 4 * 64
  assert "equicorrelated.correlation" in page and "reconstruction_loss" in page


def test_what_is_not_a_finished_run(tmp_path, trained_run):
  with pytest.raises(errors.DatasetError, match="there is no such folder"):
    dl.load(tmp_path / "nothing")
  with pytest.raises(
    errors.DatasetError, match="does not hold a finished run: train it to its end"
  ):
    dl.load(tmp_path)
  shutil.copytree(trained_run / "model", tmp_path / "run" / "model")
  variables = tmp_path / "run/model/saved_model/variables/variables.data-00000-of-00001"
  variables.write_bytes(variables.read_bytes()[:-1])
  run = dl.load(tmp_path / "run")
  with pytest.raises(errors.DatasetError, match="variables"):
    run.encode(np.zeros((1, 64, 64, 1)))
