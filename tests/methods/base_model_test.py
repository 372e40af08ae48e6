import inspect

import gin
import pytest
import tensorflow as tf

import dl_condind as dl
from dl_condind.methods import base_model
from dl_condind.saved_models import saved_model
from dl_condind.training import train
from dl_condind.utils import results


@gin.register("mean_image")
class MeanImage(base_model.Model):
  """The smallest model there is: one image, which approaches the mean of the observations."""

  main_losses = ("distance",)

  def build(self, observation_shape, seed, num_slices=1):
    del seed, num_slices
    self.observation_shape = observation_shape
    self.image = tf.Variable(tf.zeros(observation_shape))
    self.global_step = tf.Variable(0, dtype=tf.int64)

  def compute_losses(self, observations, seed):
    del seed
    return {"distance": tf.reduce_mean(tf.square(observations - self.image))}

  def train_step(self, observations, seed):
    scalars = self.compute_losses(observations, seed)
    self.image.assign_add(0.5 * (tf.reduce_mean(observations, axis=0) - self.image))
    self.global_step.assign_add(1)
    return scalars

  def state(self):
    return {"image": self.image, "global_step": self.global_step}

  def exported(self):
    module = tf.Module()
    module.image = self.image
    module.mean = tf.function(lambda: {"image": module.image + 0.0}, [])
    return module, {"mean": module.mean}


def test_interface_is_abstract():
  with pytest.raises(TypeError, match="abstract"):
    base_model.Model()


def test_models_show_the_parameters_of_their_constructor():
  names = list(inspect.signature(dl.BetaTCVAE).parameters)
  assert names[:4] == ["beta", "density", "num_latent", "posterior"]
  assert not inspect.signature(MeanImage).parameters


def test_the_interface_is_all_that_a_training_needs(tmp_path):
  settings = {"training_steps": 10, "random_seed": 0, "batch_size": 50, "eval_steps": 2}
  bindings = [f"model.{name} = {value}" for name, value in settings.items()]
  train.train_with_gin(
    tmp_path, False, [], ["dataset.name = 'dummy_data'", "model.model = @mean_image()", *bindings]
  )
  record = results.read_results(tmp_path, "train")
  assert record.keys() == {"distance", "global_step", "elapsed_time", "uuid"}
  # Uniform noise has variance 1/12; its mean over some 100 images one more hundredth of that.
  assert record["distance"] == pytest.approx(1 / 12, rel=0.03)
  model = saved_model.load(tmp_path / "saved_model")
  assert abs(float(tf.reduce_mean(model.signatures["mean"]()["image"])) - 0.5) < 0.01
