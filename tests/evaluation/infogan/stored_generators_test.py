import numpy as np
import pytest
import tensorflow as tf

from dl_condind.evaluation.infogan import coded_generator
from dl_condind.evaluation.infogan import digit_classifier
from dl_condind.evaluation.infogan import stored_generators
from dl_condind.saved_models import saved_model
from dl_condind.utils import errors


class Classifier:
  """Stands for a digit classifier."""


class Flat(tf.Module):
  """An InfoGAN whose images are all of the shade of the category."""

  def __init__(self):
    super().__init__()
    self.scale = tf.Variable(0.1)
    sizes = {"categorical": 10, "continuous": 2, "noise": 4}
    codes = {name: tf.TensorSpec([None, size], tf.float32, name) for name, size in sizes.items()}

    def generator(codes):
      category = tf.linalg.matvec(codes["categorical"], tf.constant(np.arange(10.0), tf.float32))
      shades = self.scale * category
      return {"images": tf.tile(shades[:, None, None, None], [1, 28, 28, 1])}

    def recognition_network(images):
      return {"mean": images[:, 0, :2, 0] + 0 * self.scale}

    images = tf.TensorSpec([None, 28, 28, 1], tf.float32, "images")
    self.generator = tf.function(generator, [codes])
    self.recognition_network = tf.function(recognition_network, [images])


@pytest.fixture
def model_dir(tmp_path, monkeypatch):
  monkeypatch.setattr(digit_classifier, "load_classifier", Classifier)
  module = Flat()
  functions = {"generator": module.generator, "recognition_network": module.recognition_network}
  saved_model.save(module, functions, tmp_path / "saved_model")
  config = tmp_path / "results" / "gin" / "train.gin"
  config.parent.mkdir(parents=True)
  config.write_text('model.model = @MyGAN()\nMyGAN.continuous_prior = "uniform"\n')
  return tmp_path


def test_functions_are_those_of_the_model(model_dir):
  generator = stored_generators.load_generator(model_dir)
  assert generator.continuous_prior == "uniform"
  sizes = (generator.num_continuous, generator.num_noise, generator.num_categories)
  assert sizes == (2, 4, 10)
  codes = coded_generator.draw_codes(generator, 5, np.random.RandomState(0))
  images = generator.generate(codes)
  assert images.shape == (5, 28, 28, 1)
  np.testing.assert_allclose(images[:, 3, 4, 0], 0.1 * codes.categories, rtol=1e-6)
  np.testing.assert_array_equal(generator.recognize(images)["mean"], images[:, 0, :2, 0])
  assert isinstance(generator.load_classifier(), Classifier)


def test_what_is_missing_is_named(model_dir):
  (model_dir / "results" / "gin" / "train.gin").unlink()
  with pytest.raises(errors.DatasetError, match=r"No .*train\.gin: finish the training first"):
    stored_generators.load_generator(model_dir)
  with pytest.raises(errors.DatasetError, match="No model at"):
    stored_generators.load_generator(model_dir / "absent")


def test_vae_is_refused(trained_run):
  with pytest.raises(errors.ConfigError, match="holds no InfoGAN"):
    stored_generators.load_generator(trained_run / "model")
