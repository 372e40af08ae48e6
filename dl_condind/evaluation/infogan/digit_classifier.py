"""A classifier of MNIST's digits, trained here, checked on the test set and kept in a cache.

Generated digits are counted with it, so it has to be better than what is counted. It is a
convolutional network after LeNet-5 (LeCun et al., 1998) with rectified units and maximum pooling.
"""

from collections.abc import Callable
import functools
import hashlib
import json
import pathlib
import tempfile
import time
from typing import Any

from absl import logging
import gin
import keras
from keras import layers
import numpy as np
import tensorflow as tf

from dl_condind.data import reading
from dl_condind.data.ground_truth import mnist
from dl_condind.data.ground_truth import table_cache
from dl_condind.evaluation import checks
from dl_condind.methods import image_inputs
from dl_condind.saved_models import saved_model
from dl_condind.saved_models import stored_model
from dl_condind.utils import errors

MIN_ACCURACY = 0.98  # on the test set

_BATCH_SIZE = 128
_LEARNING_RATE = 2e-3  # at the start, from which it falls to 0
_VERSION = 1  # of the network and its training, which is part of the name of the cache


class DigitClassifier:
  """A trained classifier.

  Attributes:
    results: `classifier_test_accuracy`, on MNIST's test set, `classifier_min_accuracy`, which it
      has to reach, and `classifier_sha256`, the checksum of its weights.
  """

  def __init__(self, model: stored_model.StoredModel):
    """Takes a stored network and measures it on MNIST's test set.

    Raises:
      ConfigError: If its accuracy is below `MIN_ACCURACY`.
      DatasetError: If the test set cannot be read.
    """
    self._model = model
    images, digits = _images_and_digits("test")
    accuracy = float(np.mean(np.argmax(self.probabilities(images), axis=1) == digits))
    if accuracy < MIN_ACCURACY:
      raise errors.ConfigError(
        f"The digit classifier is right about {accuracy:.2%} of MNIST's test images, and counting "
        f"digits needs {MIN_ACCURACY:.0%}: raise digit_classifier.num_epochs or choose another "
        "digit_classifier.seed."
      )
    self.results = {
      "classifier_test_accuracy": accuracy,
      "classifier_min_accuracy": MIN_ACCURACY,
      "classifier_sha256": hashlib.sha256(b"".join(w.tobytes() for w in model.weights)).hexdigest(),
    }

  def probabilities(self, images: np.ndarray) -> np.ndarray:
    """Returns the probabilities of the digits, float32 `[num, 10]`.

    Args:
      images: `[num, 28, 28, 1]` in [0, 1].

    Raises:
      ConfigError: If they have another shape.
    """
    if images.shape[1:] != mnist.IMAGE_SHAPE:
      raise errors.ConfigError(
        f"The digit classifier reads images of shape {mnist.IMAGE_SHAPE}, got {images.shape[1:]}: "
        "evaluate an InfoGAN that was trained on mnist."
      )
    images = images.astype(np.float32, copy=False)
    return self._model.call_in_chunks("classifier", images=images)["probabilities"]


@gin.configurable("digit_classifier")
def load_classifier(
  num_epochs: int = 3, seed: int = 0, cache_dir: str | None = None
) -> DigitClassifier:
  """Returns the classifier from its cache, trained first where it is absent or damaged.

  Where no cache can be written it is trained for this process.

  Args:
    num_epochs: Number of passes over MNIST's train set.
    seed: Seed of the initial weights and of the order of the images.
    cache_dir: Folder of the cache; None stands for the folder `mnist` of the data folder.

  Raises:
    ConfigError: If it is not accurate enough, or num_epochs is not positive.
    DatasetError: If MNIST is missing or damaged.
    TryAgainError: If there is no space for the cache.
  """
  checks.check_count("digit_classifier.num_epochs", num_epochs, 1)
  settings = {
    "version": _VERSION,
    "num_epochs": num_epochs,
    "seed": seed,
  }
  key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
  folder = pathlib.Path(cache_dir) if cache_dir else reading.data_folder() / mnist.FOLDER
  return DigitClassifier(_cached(folder / f"classifier_{key}", lambda: _train(num_epochs, seed)))


def _cached(path: pathlib.Path, train: Callable[[], keras.Model]) -> stored_model.StoredModel:
  """Returns the stored model at path, which is made first where absent or damaged."""
  model = _stored(path, logging.warning)
  if model is not None:
    return model
  train = functools.cache(train)  # Once, also where it cannot be kept.
  try:
    with table_cache.only_writer(path.parent):
      model = _stored(path, logging.debug)  # Another process may have trained it meanwhile.
      return _saved(train(), path) if model is None else model
  except errors.ConfigError as error:  # The data folder may well be read-only.
    logging.warning("Not keeping the digit classifier: %s", error)
    with tempfile.TemporaryDirectory() as folder:
      return _saved(train(), pathlib.Path(folder) / path.name)


def _stored(path: pathlib.Path, log: Callable[..., None]) -> stored_model.StoredModel | None:
  """Returns the model at path, None if it is absent or, which is logged, damaged."""
  if path.exists():
    try:
      with saved_model.trusting(False):  # Trust in an InfoGAN is none in what judges it.
        return stored_model.StoredModel(path)
    except errors.DatasetError as error:
      log("Training the digit classifier again: %s", error)
  return None


def _saved(model: keras.Model, path: pathlib.Path) -> stored_model.StoredModel:
  """Stores a model and returns it as stored."""
  module = _Exported(model)
  saved_model.save(module, module.signatures(), path)
  return stored_model.StoredModel(path)


class _Exported(tf.Module):
  """The signature of a classifier."""

  def __init__(self, model: keras.Model):
    super().__init__()
    self.tracked_variables = [variable.value for variable in model.variables]
    images = tf.TensorSpec([None, *mnist.IMAGE_SHAPE], tf.float32, name="images")

    def classifier(images):
      images = image_inputs.check(images, "classify")
      return {"probabilities": model(images, training=False)}

    self.classifier = tf.function(classifier, [images])
    self.classify = image_inputs.for_all_types(self.classifier, mnist.IMAGE_SHAPE)

  def signatures(self) -> dict[str, Any]:
    """Returns the functions a caller can name."""
    return {"classifier": self.classifier}


def _network(seed: int) -> keras.Model:
  """Returns the untrained network: images -> probabilities of the digits."""
  seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(4) >> 1]
  first, second, third, fourth = (keras.initializers.GlorotUniform(seed=s) for s in seeds)
  return keras.Sequential(
    [
      keras.Input(mnist.IMAGE_SHAPE),
      layers.Conv2D(16, 5, activation="relu", kernel_initializer=first),
      layers.MaxPooling2D(),
      layers.Conv2D(32, 5, activation="relu", kernel_initializer=second),
      layers.MaxPooling2D(),
      layers.Flatten(),
      layers.Dense(128, activation="relu", kernel_initializer=third),
      layers.Dense(10, activation="softmax", kernel_initializer=fourth),
    ]
  )


def _train(num_epochs: int, seed: int) -> keras.Model:
  """Returns the network, trained on MNIST's train set."""
  start_time = time.monotonic()
  images, digits = _images_and_digits("train")
  model = _network(seed)
  num_steps = num_epochs * -(-len(images) // _BATCH_SIZE)
  learning_rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, num_steps)
  model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy")
  rng = np.random.default_rng(seed)
  for epoch in range(num_epochs):
    order = rng.permutation(len(images))
    for start in range(0, len(order), _BATCH_SIZE):
      rows = order[start : start + _BATCH_SIZE]
      loss = model.train_on_batch(images[rows], digits[rows])
    logging.info("digit classifier: epoch %d of %d, loss %.4f", epoch + 1, num_epochs, loss)
  logging.info("Trained the digit classifier in %.0f s.", time.monotonic() - start_time)
  return model


def _images_and_digits(split: str) -> tuple[np.ndarray, np.ndarray]:
  data = mnist.MNIST(split)
  return data.observations_from_rows(np.arange(data.num_rows)), data.factors[:, 0]
