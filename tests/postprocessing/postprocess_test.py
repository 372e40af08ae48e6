import contextlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from dl_condind.postprocessing import postprocess
from dl_condind.saved_models import saved_model
from dl_condind.training import train
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results

SAMPLED = ["postprocess/sampled.gin"]
MEAN = ["postprocess/mean.gin"]


@pytest.fixture
def run(trained_run, tmp_path):
  """A copy of a trained run."""
  shutil.copytree(trained_run, tmp_path / "run")
  return tmp_path / "run"


def images(num):
  shape = (num, 64, 64, 1)
  return tf.constant(np.random.default_rng(0).uniform(size=shape), tf.float32)


def representation_of(directory, num=5):
  """Returns the representations of some images by a freshly loaded model."""
  model = saved_model.load(directory / "saved_model")
  return model.signatures["representation"](images=images(num))["default"].numpy()


def noise(seed, num=5, num_latent=4):
  return np.random.default_rng(seed).standard_normal((num, num_latent), np.float32)


def from_noise(model, observations, values):
  function = model.signatures["representation_from_noise"]
  return function(images=observations, noise=tf.constant(values))["default"].numpy()


def state(directory):
  """Returns when each file of a folder was written, but for its lock."""
  return {p: p.stat().st_mtime_ns for p in directory.rglob("*") if p.name != ".lock"}


def test_representations_keep_the_signatures_of_the_model(trained_run):
  trained = saved_model.load(trained_run / "model" / "saved_model")
  mean = saved_model.load(trained_run / "postprocessed" / "mean" / "saved_model")
  new = {"representation", "representation_from_noise"}
  assert set(mean.signatures) == set(trained.signatures) | new
  for num in (1, 5):
    for inputs in ({"images": images(num)}, {"images": images(num), "seed": tf.constant([3, 4])}):
      name = "elbo_terms" if "seed" in inputs else "gaussian_encoder"
      expected = trained.signatures[name](**inputs)
      for key, value in mean.signatures[name](**inputs).items():
        np.testing.assert_array_equal(value, expected[key])
  z = tf.ones([2, 4])
  np.testing.assert_array_equal(
    mean.signatures["decoder"](latent_vectors=z)["images"],
    trained.signatures["decoder"](latent_vectors=z)["images"],
  )


def test_representations_of_bytes_are_those_of_their_images(trained_run):
  model = saved_model.load(trained_run / "postprocessed" / "mean" / "saved_model")
  pixels = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 1), np.uint8)
  observations = tf.constant(pixels.astype(np.float32) / np.float32(255))
  expected = model.signatures["representation"](images=observations)["default"]
  np.testing.assert_array_equal(model.represent(pixels)["default"], expected)
  np.testing.assert_array_equal(model.encode(pixels)["mean"], expected)
  given = {"images": tf.constant(pixels, tf.float32)}
  for name in ("representation", "representation_from_noise"):
    inputs = given if name == "representation" else {**given, "noise": tf.constant(noise(0))}
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"images must be in \[0, 1\]"):
      model.signatures[name](**inputs)


def test_mean_is_the_mean_of_the_encoder(trained_run):
  model = saved_model.load(trained_run / "postprocessed" / "mean" / "saved_model")
  encoded = saved_model.load(trained_run / "model" / "saved_model").signatures["gaussian_encoder"]
  for num in (1, 5, 64):
    expected = encoded(images=images(num))["mean"]
    actual = model.signatures["representation"](images=images(num))["default"]
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(from_noise(model, images(num), noise(1, num)), expected)


def test_a_sample_is_what_its_noise_makes_it(trained_run):
  model = saved_model.load(trained_run / "postprocessed" / "sampled" / "saved_model")
  encoded = model.signatures["gaussian_encoder"](images=images(5))
  z = from_noise(model, images(5), noise(0))
  stddev = np.exp(0.5 * encoded["logvar"].numpy())
  correlation = 0.1 * np.eye(4) + 0.9
  expected = encoded["mean"] + stddev * (noise(0) @ np.linalg.cholesky(correlation).T)
  np.testing.assert_allclose(z, expected, rtol=1e-5, atol=1e-6)  # float32
  np.testing.assert_array_equal(from_noise(model, images(5), noise(0)), z)


def test_drawn_samples_have_the_posteriors_mean_variance_and_noise_correlation(trained_run):
  model = saved_model.load(trained_run / "postprocessed" / "sampled" / "saved_model")
  observations = images(50)
  encoded = model.signatures["gaussian_encoder"](images=observations)
  represent = model.signatures["representation"]
  z = np.concatenate([represent(images=observations)["default"] for _ in range(200)])
  stddev = np.exp(0.5 * encoded["logvar"].numpy())
  found = (z - np.tile(encoded["mean"], (200, 1))) / np.tile(stddev, (200, 1))  # [10000, 4]
  # Standard errors with 10,000 samples: 0.01 of a mean, 0.014 of a variance, (1 - 0.9**2) / 100 of
  # a correlation.
  np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.05)
  np.testing.assert_allclose(found.var(axis=0), 1, atol=0.07)
  correlation = np.corrcoef(found, rowvar=False)
  np.testing.assert_allclose(correlation[~np.eye(4, dtype=bool)], 0.9, atol=0.01)


def test_unseeded_samples_differ_from_call_to_call_and_repeat_after_loading(trained_run):
  calls = []
  for _ in range(2):
    model = saved_model.load(trained_run / "postprocessed" / "sampled" / "saved_model")
    represent = model.signatures["representation"]
    calls.append([represent(images=images(5))["default"].numpy() for _ in range(2)])
  assert np.abs(calls[0][0] - calls[0][1]).min() > 0
  np.testing.assert_array_equal(calls[0], calls[1])


@pytest.mark.slow
def test_every_seed_has_its_own_samples(run):
  samples = []
  # The last is one that disentanglement_lib draws; it does not fit into an int32.
  for seed in (0, 1, 2546248239):
    output_dir = run / f"seed_{seed}"
    binding = f"postprocess.random_seed = {seed}"
    postprocess.postprocess_with_gin(run / "model", output_dir, False, SAMPLED, [binding])
    samples.append(representation_of(output_dir))
    assert results.read_provenance(output_dir, "postprocess")["random_seed"] == seed
  assert len(np.unique(samples, axis=0)) == 3


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(run, seed):
  with pytest.raises(errors.ConfigError, match=r"postprocess\.random_seed must be in \[0, 2\*\*32"):
    postprocess.postprocess_with_gin(
      run / "model", run / "new", False, SAMPLED, [f"postprocess.random_seed = {seed}"]
    )
  assert not (run / "new").exists()


def test_the_record_holds_that_of_the_training(trained_run):
  folder = trained_run / "postprocessed" / "sampled" / "results"
  record = results.read_aggregate(folder / "aggregate" / "postprocess.json")
  trained = results.read_aggregate(trained_run / "model" / "results" / "aggregate" / "train.json")
  assert {key: record[key] for key in trained} == trained
  assert record["postprocess_config.postprocess.postprocess_fn"] == "@sampled_representation"
  assert record["postprocess_config.dataset.name"] == "'dummy_data'"
  assert record["postprocess_provenance.dataset"] == "dummy_data"
  assert record["postprocess_provenance.random_seed"] == 0
  assert record["postprocess_results.elapsed_time"] >= 0
  digest = files.manifest_digest(trained_run / "model" / "saved_model")
  assert record["postprocess_provenance.input_sha256"] == digest
  assert configs.query(folder / "gin" / "postprocess.gin", "dataset.name") == "dummy_data"
  assert (folder / "gin" / "train.gin").is_file()


def test_the_same_call_again_does_nothing(run):
  before = state(run)
  postprocess.postprocess_with_gin(run / "model", run / "postprocessed" / "mean", False, MEAN)
  assert state(run) == before


def test_other_settings_are_refused_with_the_difference_and_overwritten_if_asked(run):
  output_dir = run / "postprocessed" / "sampled"
  bindings = ["postprocess.random_seed = 7"]
  before, samples = state(run), representation_of(output_dir)
  with pytest.raises(
    errors.ConfigError, match=r"made with other settings: .*random_seed = 0; .*random_seed = 7"
  ):
    postprocess.postprocess_with_gin(run / "model", output_dir, False, SAMPLED, bindings)
  with pytest.raises(
    errors.ConfigError, match=r"@mean_representation; .*@sampled_rep.*overwrite=True"
  ):
    postprocess.postprocess_with_gin(run / "model", output_dir, False, MEAN)
  assert state(run) == before
  postprocess.postprocess_with_gin(run / "model", output_dir, True, SAMPLED, bindings)
  assert np.abs(representation_of(output_dir) - samples).max() > 0
  assert results.read_provenance(output_dir, "postprocess")["random_seed"] == 7


@pytest.mark.slow
def test_a_retrained_model_is_refused_until_overwritten(run, tiny_training):
  gin_files = ["shared.gin", "methods/vae.gin"]
  bindings = [*tiny_training, "model.random_seed = 1"]
  train.train_with_gin(run / "model", True, gin_files, bindings)
  output_dir = run / "postprocessed" / "mean"
  with pytest.raises(errors.ConfigError, match="was made from another model.*overwrite=True"):
    postprocess.postprocess_with_gin(run / "model", output_dir, False, MEAN)
  postprocess.postprocess_with_gin(run / "model", output_dir, True, MEAN)
  model = saved_model.load(run / "model" / "saved_model")
  expected = model.signatures["gaussian_encoder"](images=images(5))["mean"]
  np.testing.assert_array_equal(representation_of(output_dir), expected)
  assert results.read_results(output_dir, "postprocess")
  record = results.read_aggregate(output_dir / "results" / "aggregate" / "postprocess.json")
  assert record["train_config.model.random_seed"] == "1"


@pytest.mark.slow
def test_a_half_written_stage_is_completed(run):
  output_dir = run / "postprocessed" / "sampled"
  samples = representation_of(output_dir)
  files.remove_directory(output_dir / "results")
  postprocess.postprocess_with_gin(run / "model", output_dir, False, SAMPLED)
  assert results.is_complete(output_dir, "postprocess")
  np.testing.assert_array_equal(representation_of(output_dir), samples)


@pytest.fixture
def interrupt(monkeypatch):
  """Returns a block in which a stage ends after it wrote its model and before its record."""

  def interrupted(*arguments):
    raise KeyboardInterrupt

  @contextlib.contextmanager
  def interrupting():
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
      patch.setattr(results, "provenance", interrupted)
      yield

  return interrupting


@pytest.mark.slow
def test_a_stage_whose_model_was_deleted_is_made_again(run, interrupt):
  output_dir = run / "postprocessed" / "sampled"
  samples = representation_of(output_dir)
  files.remove_directory(output_dir / "saved_model")
  postprocess.postprocess_with_gin(run / "model", output_dir, False, SAMPLED)
  np.testing.assert_array_equal(representation_of(output_dir), samples)
  digest = files.manifest_digest(output_dir / "saved_model")
  provenance = results.read_provenance(output_dir, "postprocess")
  assert provenance["saved_model_sha256"] == digest
  files.remove_directory(output_dir / "saved_model")
  with interrupt():
    postprocess.postprocess_with_gin(run / "model", output_dir, False, SAMPLED)
  assert not results.is_complete(output_dir, "postprocess")  # It would name another model.
  postprocess.postprocess_with_gin(run / "model", output_dir, False, SAMPLED)
  results.check_recorded_model(output_dir / "saved_model")


def test_an_interrupted_overwrite_is_not_taken_for_the_old_stage(run, interrupt):
  output_dir = run / "postprocessed" / "sampled"
  with interrupt():
    postprocess.postprocess_with_gin(
      run / "model", output_dir, True, SAMPLED, ["postprocess.random_seed = 7"]
    )
  assert (output_dir / "saved_model").is_dir()
  assert not results.is_complete(output_dir, "postprocess")


def test_a_model_that_is_missing_or_damaged_is_refused(run):
  with pytest.raises(errors.DatasetError, match=r"absent: there is no such folder"):
    postprocess.postprocess_with_gin(run / "absent", run / "new", False, MEAN)
  with pytest.raises(errors.DatasetError, match="No complete model at .*finish the stage before"):
    postprocess.postprocess_with_gin(
      run / "absent", run / "new", False, MEAN, ["dataset.name = 'dummy_data'"]
    )
  weights = run / "model" / "saved_model" / "variables" / "variables.data-00000-of-00001"
  content = bytearray(weights.read_bytes())
  content[10] ^= 1
  weights.write_bytes(content)
  with pytest.raises(errors.DatasetError, match=r"variables\.data-.* has changed since"):
    postprocess.postprocess_with_gin(run / "model", run / "new", False, MEAN)
  assert not (run / "new" / "results").exists()


def test_a_stage_in_use_is_left_alone(run):
  output_dir = run / "postprocessed" / "mean"
  with files.locked(output_dir), pytest.raises(errors.TryAgainError, match="in use by process"):
    postprocess.postprocess_with_gin(run / "model", output_dir, True, MEAN)
