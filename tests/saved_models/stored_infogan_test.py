import numpy as np
import pytest
import tensorflow as tf

from dl_condind.saved_models import saved_model
from dl_condind.saved_models import stored_infogan
from dl_condind.utils import errors


class Linear(tf.Module):
  """An InfoGAN whose images are a linear function of its codes, 2 x 2 pixels."""

  def __init__(self, sizes):
    super().__init__()
    self.offset = tf.Variable(0.25)
    codes = {name: tf.TensorSpec([None, size], tf.float32, name) for name, size in sizes.items()}
    weights = {"categorical": 0.1, "continuous": 0.01, "noise": 0.001}

    def generator(codes):
      rows = sum(
        weights[name]
        * tf.linalg.matvec(values, tf.constant(np.arange(1.0, values.shape[1] + 1), tf.float32))
        for name, values in codes.items()
      )
      return {"images": tf.tile((self.offset + rows)[:, None, None, None], [1, 2, 2, 1])}

    def recognition_network(images):
      mean = images[:, 0, :, 0] + 0 * self.offset
      return {"mean": mean, "logvar": 0 * mean, "scale_tril": tf.linalg.diag(1 + 0 * mean)}

    images = tf.TensorSpec([None, 2, 2, 1], tf.float32, "images")
    self.generator = tf.function(generator, [codes])
    self.recognition_network = tf.function(recognition_network, [images])

  def signatures(self):
    return {"generator": self.generator, "recognition_network": self.recognition_network}


def load(folder, sizes):
  module = Linear(sizes)
  saved_model.save(module, module.signatures(), folder)
  return stored_infogan.StoredInfoGAN(folder)


def test_images_are_those_of_the_codes_in_any_number(tmp_path):
  model = load(tmp_path / "model", {"categorical": 10, "continuous": 2, "noise": 3})
  assert (model.num_categories, model.num_continuous, model.num_noise) == (10, 2, 3)
  rng = np.random.default_rng(0)
  num = 2500  # More than two chunks.
  continuous, noise = rng.normal(size=(num, 2)), rng.normal(size=(num, 3))
  categories = rng.integers(10, size=num)
  images = model.generate(continuous, noise, categories)
  expected = 0.25 + 0.1 * (categories + 1) + 0.01 * continuous @ [1, 2] + 0.001 * noise @ [1, 2, 3]
  assert images.shape == (num, 2, 2, 1) and images.dtype == np.float32
  np.testing.assert_allclose(images[:, 1, 1, 0], expected, rtol=1e-5)
  recognized = model.recognize(images)
  np.testing.assert_array_equal(recognized["mean"], images[:, 0, :, 0])
  assert recognized["scale_tril"].shape == (num, 2, 2)


def test_model_without_categories(tmp_path):
  model = load(tmp_path / "model", {"continuous": 1, "noise": 3})
  assert model.num_categories == 0
  images = model.generate(np.array([[2.0]]), np.zeros((1, 3)), None)
  np.testing.assert_allclose(images, 0.27, rtol=1e-6)


def test_other_model_is_refused(tmp_path):
  module = tf.Module()
  module.offset = tf.Variable(0.0)
  latent_vectors = tf.TensorSpec([None, 2], tf.float32)
  module.decoder = tf.function(lambda z: {"images": z + module.offset}, [latent_vectors])
  saved_model.save(module, {"decoder": module.decoder}, tmp_path / "model")
  message = "holds no InfoGAN, it lacks generator and recognition_network"
  with pytest.raises(errors.ConfigError, match=message):
    stored_infogan.StoredInfoGAN(tmp_path / "model")
