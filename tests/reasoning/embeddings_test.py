import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from dl_condind.data import puzzles
from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import spots
from dl_condind.postprocessing import postprocess
from dl_condind.reasoning import embeddings
from dl_condind.reasoning import network_settings
from dl_condind.saved_models import stored_model
from dl_condind.training import train
from dl_condind.utils import errors

VALUES = (5, 5, 3, 3)
SETTINGS = network_settings.NetworkSettings(seed=1)
SEED = tf.constant([1, 2])


def spot_puzzles():
  return puzzles.Puzzles(spots.Spots(), "easy1", VALUES)


def embedded(embedding, made, num=2, seed=SEED):
  """Returns a batch with its images, and the codes of its panels."""
  embedding = embeddings.make(embedding)
  embedding.build(made, SETTINGS)
  embedding.prepare(made)
  seen, images = (
    view.sample(num, np.random.RandomState(0))
    for view in (made.seen_as(embedding.sees), made.seen_as(puzzles.IMAGES))
  )
  codes = embedding.codes(tf.constant(seen.panels), seed)
  assert codes.shape == (num, 14, embedding.num_codes)
  return images.panels, codes.numpy()


@pytest.fixture(scope="module")
def representations(tmp_path_factory, tiny_training):
  """Folders of both representations of a model of spots, whose noise is correlated."""
  run = tmp_path_factory.mktemp("spots")
  gin_files = ["shared.gin", "methods/vae.gin", "posteriors/equicorrelated.gin"]
  train.train_with_gin(run / "model", False, gin_files, [*tiny_training, "dataset.name = 'spots'"])
  for name in ("mean", "sampled"):
    files = [f"postprocess/{name}.gin"]
    postprocess.postprocess_with_gin(run / "model", run / name, False, files)
  return run


def stored(representations, name):
  return embeddings.HubEmbedding(str(representations / name / "saved_model"))


def test_values_and_one_hot_vectors():
  made = spot_puzzles()
  factors = made.seen_as(puzzles.FACTORS).sample(2, np.random.RandomState(0)).panels
  _, values = embedded("values", made)
  np.testing.assert_allclose(values, factors / np.array([4, 4, 2, 2]) - 0.5, rtol=1e-6)
  _, one_hot = embedded("onehot", made)
  expected = [np.eye(size)[factors[..., i]] for i, size in enumerate(VALUES)]
  np.testing.assert_array_equal(one_hot, np.concatenate(expected, axis=-1))


def test_network_is_the_four_convolutions_and_sees_each_panel_alone():
  made = puzzles.Puzzles(dummy_data.DummyData(), "easy1")
  embedding = embeddings.BaselineCNNEmbedder(num_latent=10)
  images, codes = embedded(embedding, made)
  assert codes.shape == (2, 14, 1024)
  shapes = [v.shape for v in embedding.trainable_variables]
  channels = [(1, 32), (32, 32), (32, 64), (64, 64)]
  assert shapes == [s for i, o in channels for s in ((4, 4, i, o), (o,))]
  hidden = images[1, 9:10]
  for kernel, bias in zip(*[iter(embedding.trainable_variables)] * 2, strict=True):
    hidden = tf.nn.relu(tf.nn.conv2d(hidden, kernel, 2, "SAME") + bias)
  np.testing.assert_allclose(codes[1, 9], np.ravel(hidden), rtol=1e-3, atol=1e-5)
  kernel = embedding.trainable_variables[2].numpy()
  assert kernel.std() == pytest.approx((4 * 4 * 32) ** -0.5, rel=0.05)  # LeCun's
  assert isinstance(embedding.state()["embedding"], keras.Model)


def test_codes_of_the_mean_are_those_of_the_model(representations):
  images, codes = embedded(stored(representations, "mean"), spot_puzzles())
  model = stored_model.StoredModel(representations / "mean/saved_model")
  flat = images.reshape(-1, 16, 16, 1)
  expected = model.call("gaussian_encoder", images=flat)["mean"].reshape(2, 14, -1)
  np.testing.assert_allclose(codes, expected, rtol=1e-4, atol=1e-5)
  assert np.ptp(codes) > 0


def test_samples_are_new_in_each_step_and_have_the_noise_of_the_posterior(representations):
  made, embedding = spot_puzzles(), stored(representations, "sampled")
  embedding.build(made, SETTINGS)
  embedding.prepare(made)
  batch = made.seen_as(puzzles.ROWS).sample(1, np.random.RandomState(0))
  panels = tf.constant(np.repeat(batch.panels, 2000, axis=0))
  codes = embedding.codes(panels, SEED).numpy()
  images = spots.Spots().observations_from_rows(made.seen_as("rows").rows[batch.panels[0]])
  model = stored_model.StoredModel(representations / "sampled/saved_model")
  encoded = model.call("gaussian_encoder", images=images)
  factor = encoded["scale_tril"][3]
  covariance = np.cov(codes[:, 3].T)
  np.testing.assert_allclose(covariance, factor @ factor.T, atol=0.1)
  assert covariance[0, 1] > 0.5  # c = 0.9
  np.testing.assert_allclose(codes[:, 3].mean(axis=0), encoded["mean"][3], atol=0.1)
  np.testing.assert_array_equal(embedding.codes(panels, SEED), codes)
  assert not np.allclose(embedding.codes(panels, tf.constant([1, 3])), codes)


def test_images_without_rows_are_encoded_in_the_step(trained_run):
  made = puzzles.Puzzles(dummy_data.DummyData(), "easy1")
  path = trained_run / "postprocessed/mean/saved_model"
  embedding = embeddings.HubEmbedding(str(path))
  images, codes = embedded(embedding, made)
  assert embedding.sees == puzzles.IMAGES
  flat = images.reshape(-1, 64, 64, 1)
  expected = stored_model.StoredModel(path).call("gaussian_encoder", images=flat)["mean"]
  np.testing.assert_allclose(codes.reshape(28, -1), expected, rtol=1e-4, atol=1e-5)
  assert embedding.trainable_variables == [] and embedding.state() == {}


def twice_the_sample(z_mean, scale_tril, noise):
  """Returns a representation that is not the mean plus the posterior's noise."""
  return z_mean + 2 * tf.linalg.matvec(scale_tril, noise)


def test_another_kind_of_representation_is_not_tabled(representations, tmp_path):
  model = tf.saved_model.load(str(representations / "model/saved_model"))
  module = postprocess._Postprocessed(model, twice_the_sample, 0)
  from dl_condind.saved_models import saved_model

  saved_model.save(module, module.signatures(), tmp_path / "saved_model")
  embedding = embeddings.HubEmbedding(str(tmp_path / "saved_model"))
  images, codes = embedded(embedding, spot_puzzles())
  assert embedding.sees == puzzles.IMAGES
  noise = tf.random.stateless_normal([28, 4], SEED).numpy()
  encoded = stored_model.StoredModel(tmp_path / "saved_model").call(
    "gaussian_encoder", images=images.reshape(-1, 16, 16, 1)
  )
  expected = encoded["mean"] + 2 * np.einsum("nij,nj->ni", encoded["scale_tril"], noise)
  np.testing.assert_allclose(codes.reshape(28, 4), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
  ("embedding", "message"),
  [
    ("value", r"must be 'values', 'onehot', @BaselineCNNEmbedder or @HubEmbedding, got 'value'"),
    (dict, r"must make an Embedding, got a dict"),
  ],
)
def test_unknown_embeddings_are_refused(embedding, message):
  with pytest.raises(errors.ConfigError, match=message):
    embeddings.make(embedding)


class BytesAsNumbers(spots.Spots):
  """Spots whose pixels are in 0...255."""

  def observations_from_rows(self, rows):
    return 255 * super().observations_from_rows(rows)


def test_pixels_out_of_range_are_refused(representations):
  made = puzzles.Puzzles(BytesAsNumbers(), "easy1", VALUES)
  for embedding in (embeddings.BaselineCNNEmbedder(), stored(representations, "mean")):
    embedding.build(made, SETTINGS)
    with pytest.raises(errors.DatasetError, match=r"of spots must be in \[0, 1\], got values from"):
      embedding.prepare(made)


def test_models_that_do_not_fit_are_refused(trained_run, representations, tmp_path):
  def build(path):
    embeddings.HubEmbedding(path and str(path)).build(spot_puzzles(), SETTINGS)

  with pytest.raises(errors.ConfigError, match=r"needs a trained model: name the folder"):
    build(None)
  with pytest.raises(errors.DatasetError, match=r"No model at .*absent"):
    build(tmp_path / "absent")
  with pytest.raises(
    errors.ConfigError, match=r"takes images of shape \[64, 64, 1\], and .*16, 16"
  ):
    build(trained_run / "postprocessed/mean/saved_model")
  with pytest.raises(errors.ConfigError, match=r"holds no representation: postprocess the model"):
    build(representations / "model/saved_model")
  damaged = shutil.copytree(representations / "mean", tmp_path / "damaged") / "saved_model"
  (damaged / "saved_model.pb").write_bytes(b"")
  with pytest.raises(errors.DatasetError, match=r"has changed since it was written"):
    build(damaged)
