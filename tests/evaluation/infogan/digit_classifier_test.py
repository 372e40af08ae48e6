import subprocess
import sys

from absl import logging
from helpers import testdata
import numpy as np
import pytest
import tensorflow as tf

from dl_condind.data.ground_truth import mnist
from dl_condind.evaluation.infogan import digit_classifier
from dl_condind.saved_models import saved_model
from dl_condind.utils import errors

pytestmark = testdata.needs_mnist


@pytest.fixture(autouse=True)
def _data_folder(monkeypatch):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(testdata.OFFICIAL))


@pytest.fixture
def few_images(monkeypatch):
  """Trains on few images, and expects no more than that allows."""
  whole = digit_classifier._images_and_digits

  def part(split):
    images, digits = whole(split)
    return images[:3200], digits[:3200]

  monkeypatch.setattr(digit_classifier, "_images_and_digits", part)
  monkeypatch.setattr(digit_classifier, "MIN_ACCURACY", 0.5)


def load(folder, **settings):
  settings = {"num_epochs": 1, "cache_dir": str(folder), **settings}
  return digit_classifier.load_classifier(**settings)


def only_folder(cache):
  (path,) = cache.glob("classifier_*")
  return path


TRAIN_AT_ONCE = """
import sys, pathlib
from dl_condind.evaluation.infogan import digit_classifier
whole = digit_classifier._images_and_digits
digit_classifier._images_and_digits = lambda split: tuple(x[:3200] for x in whole(split))
digit_classifier.MIN_ACCURACY = 0.5
train = digit_classifier._train
def counted(*settings):
  print("trained")
  return train(*settings)
digit_classifier._train = counted
print(digit_classifier.load_classifier(1, 0, sys.argv[1]).results["classifier_sha256"])
"""


@pytest.mark.slow
def test_of_two_processes_on_an_empty_cache_one_trains(tmp_path):
  command = [sys.executable, "-c", TRAIN_AT_ONCE, str(tmp_path)]
  processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
  outputs = [process.communicate(timeout=300)[0].split() for process in processes]
  assert all(process.returncode == 0 for process in processes)
  assert sum(output.count("trained") for output in outputs) == 1
  assert outputs[0][-1] == outputs[1][-1]


@pytest.mark.slow
def test_classifier_is_kept_and_repeats(few_images, tmp_path, monkeypatch):
  first = load(tmp_path / "a")
  written = only_folder(tmp_path / "a").stat().st_mtime_ns
  again = load(tmp_path / "a")
  assert only_folder(tmp_path / "a").stat().st_mtime_ns == written
  anew = load(tmp_path / "b")
  assert first.results == again.results == anew.results
  assert first.results["classifier_test_accuracy"] > 0.5
  assert first.results["classifier_min_accuracy"] == 0.5
  images = mnist.MNIST("test").observations_from_rows(np.arange(1500))
  probabilities = first.probabilities(images)
  assert probabilities.shape == (1500, 10)
  np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
  np.testing.assert_array_equal(probabilities, anew.probabilities(images))
  digits = mnist.MNIST("test").factors[:1500, 0]
  assert np.mean(np.argmax(probabilities, axis=1) == digits) > 0.5


@pytest.mark.slow
def test_stored_classifier_takes_bytes_and_refuses_pixels_of_255(few_images, tmp_path):
  load(tmp_path)
  model = saved_model.load(only_folder(tmp_path))
  pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), np.uint8)
  images = tf.constant(pixels.astype(np.float32) / np.float32(255))
  expected = model.signatures["classifier"](images=images)["probabilities"]
  np.testing.assert_array_equal(model.classify(pixels)["probabilities"], expected)
  with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[0, 1\].*`classify`"):
    model.signatures["classifier"](images=tf.constant(pixels, tf.float32))


@pytest.mark.slow
def test_other_settings_are_other_classifiers(few_images, tmp_path):
  first, second = load(tmp_path), load(tmp_path, seed=1)
  assert first.results["classifier_sha256"] != second.results["classifier_sha256"]
  assert len(list(tmp_path.glob("classifier_*"))) == 2


@pytest.mark.slow
def test_damaged_cache_is_noticed_and_made_again(few_images, tmp_path, monkeypatch):
  first = load(tmp_path)
  warnings = []
  monkeypatch.setattr(logging, "warning", lambda text, *args: warnings.append(text % args))
  variables = only_folder(tmp_path) / "variables" / "variables.data-00000-of-00001"
  content = bytearray(variables.read_bytes())
  content[len(content) // 2] ^= 1
  variables.write_bytes(content)
  assert load(tmp_path).results == first.results
  assert len(warnings) == 1 and "has changed since it was written" in warnings[0]
  assert load(tmp_path).results == first.results
  assert len(warnings) == 1


@pytest.mark.slow
def test_without_a_place_for_a_cache_it_is_trained_all_the_same(few_images, tmp_path, monkeypatch):
  warnings = []
  monkeypatch.setattr(logging, "warning", lambda text, *args: warnings.append(text % args))
  (tmp_path / "file").write_text("")
  found = load(tmp_path / "file")
  assert "Not keeping the digit classifier" in warnings[0]
  assert found.results == load(tmp_path / "cache").results


@pytest.mark.slow
def test_a_classifier_that_cannot_be_kept_is_not_trained_again(few_images, tmp_path, monkeypatch):
  save, train, trainings = digit_classifier.saved_model.save, digit_classifier._train, []

  def save_elsewhere_only(module, signatures, path):
    if tmp_path in path.parents:
      raise errors.ConfigError("The folder cannot be written to.")
    save(module, signatures, path)

  def count(*settings):
    trainings.append(settings)
    return train(*settings)

  monkeypatch.setattr(digit_classifier.saved_model, "save", save_elsewhere_only)
  monkeypatch.setattr(digit_classifier, "_train", count)
  load(tmp_path)
  assert len(trainings) == 1


@pytest.mark.slow
def test_classifier_that_is_too_bad_is_refused(few_images, tmp_path, monkeypatch):
  monkeypatch.setattr(digit_classifier, "MIN_ACCURACY", 0.999)
  message = r"right about [5-9]\d\.\d\d% of MNIST's test images, and .* needs 100%: raise"
  with pytest.raises(errors.ConfigError, match=message):
    load(tmp_path)


@pytest.mark.slow
def test_bad_settings_and_images_are_refused(few_images, tmp_path):
  with pytest.raises(errors.ConfigError, match="num_epochs must be a whole number of at least 1"):
    load(tmp_path, num_epochs=0)
  with pytest.raises(errors.ConfigError, match=r"reads images of shape \(28, 28, 1\), got \(64,"):
    load(tmp_path).probabilities(np.zeros((1, 64, 64, 1)))


def test_missing_data_are_named(tmp_path, monkeypatch):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  with pytest.raises(errors.DatasetError, match="is missing"):
    load(tmp_path)


@pytest.mark.slow
def test_classifier_knows_98_percent_of_the_test_set(tmp_path):
  found = digit_classifier.load_classifier(cache_dir=str(tmp_path)).results
  assert found["classifier_test_accuracy"] >= 0.98
