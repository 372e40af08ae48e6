import numpy as np
import pytest

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation import representation
from dl_condind.evaluation import stored_representations
from dl_condind.saved_models import saved_model
from dl_condind.utils import errors


def images(num, seed=0):
  return np.random.default_rng(seed).uniform(size=(num, 64, 64, 1)).astype(np.float32)


def load(trained_run, name, seed=0):
  path = trained_run / "postprocessed" / name / "saved_model"
  return stored_representations.load_representation(path, seed)


def test_loading_gives_the_stored_functions(trained_run):
  first, again, other = (load(trained_run, "sampled", seed) for seed in (3, 3, 2))
  samples = first(images(50))
  first(images(50, seed=1))  # What was asked before makes no difference.
  np.testing.assert_array_equal(first(images(50)), samples)
  np.testing.assert_array_equal(again(images(50)), samples)
  assert np.abs(other(images(50)) - samples).min() > 0
  encoded = first.gaussian_encoder(images(50))
  noise = (samples - encoded["mean"]) / np.exp(0.5 * encoded["logvar"])
  assert np.abs(noise).max() < 5
  assert len(np.unique(noise, axis=0)) == 50
  assert (first(images(50, seed=1))[0] - first.gaussian_encoder(images(50, seed=1))["mean"][0]) != (
    pytest.approx(samples[0] - encoded["mean"][0])
  )
  terms = first.elbo_terms(images(50))
  assert {key: value.shape for key, value in terms.items()} == {
    "reconstruction_loss": (50,),
    "kl_loss": (50,),
    "kl_loss_full": (50,),
  }
  mean = load(trained_run, "mean")
  np.testing.assert_array_equal(mean(images(5)), mean.gaussian_encoder(images(5))["mean"])


@pytest.mark.slow
def test_the_fisher_information_of_the_decoder_is_there_if_it_was_exported(trained_run, tmp_path):
  represent = load(trained_run, "mean")
  z = np.random.default_rng(0).normal(size=(3, 4))
  assert represent.fisher_gram(z).shape == (3, 4, 4)
  model = saved_model.load(trained_run / "postprocessed" / "mean" / "saved_model")
  before = {key: value for key, value in model.signatures.items() if key != "fisher_gram"}
  saved_model.save(model, before, tmp_path / "before")
  represent = stored_representations.load_representation(tmp_path / "before")
  assert represent.fisher_gram is None
  assert represent(images(2)).shape == (2, 4)


def test_observations_outside_the_range_are_refused(trained_run):
  represent = load(trained_run, "mean")
  with pytest.raises(errors.DatasetError, match=r"must be in \[0, 1\], got values from .* to 25\d"):
    represent(255 * images(5))


def test_posteriors_of_the_same_chunk_are_encoded_once(trained_run):
  encode = load(trained_run, "mean").gaussian_encoder
  first = encode(images(20))
  other = encode(images(20, seed=1))
  assert encode(images(20)) is first
  assert encode(images(20, seed=1)) is other
  assert not np.array_equal(first["mean"], other["mean"])
  for key, values in load(trained_run, "mean").gaussian_encoder(images(20)).items():
    np.testing.assert_array_equal(values, first[key])
  with pytest.raises(ValueError, match="read-only"):
    first["mean"][0] = 0


def test_observations_of_another_shape_are_refused(trained_run):
  represent = load(trained_run, "mean")
  for function in (represent, represent.gaussian_encoder, represent.elbo_terms):
    with pytest.raises(errors.ConfigError, match=r"\[None, 64, 64, 1\], got \[2, 64, 64, 3\]"):
      function(np.zeros((2, 64, 64, 3)))


def test_a_model_without_representation_is_refused(trained_run):
  with pytest.raises(errors.ConfigError, match="no representation of this version: postprocess"):
    stored_representations.load_representation(trained_run / "model" / "saved_model")


class Images(ground_truth_data.TableData):
  """960 random images."""

  def __init__(self):
    super().__init__("images", ["a", "b"], [24, 40], [0, 1], (64, 64, 1), packed=False)

  def read_table(self, folder):
    table = np.random.default_rng(3).integers(256, size=(960, 64, 64, 1), dtype=np.uint8)
    return table, {"source": "synthetic", "sha256": "none"}


def test_the_code_of_a_row_depends_on_the_seed_and_the_row_alone(trained_run):
  data = Images()
  first, again, other = (load(trained_run, "sampled", seed) for seed in (3, 3, 4))
  rows = np.array([700, 7, 7, 0])
  codes = representation.codes_of(first, data).of_rows(rows)
  # In other company, after others, and alone.
  representation.codes_of(again, data).of_rows(np.arange(5, 619))
  np.testing.assert_array_equal(representation.codes_of(again, data).of_rows(rows[:1]), codes[:1])
  np.testing.assert_array_equal(representation.codes_of(again, data).of_rows(rows), codes)
  np.testing.assert_array_equal(codes[1], codes[2])
  assert np.abs(representation.codes_of(other, data).of_rows(rows) - codes).min() > 0


def test_noise_of_rows_is_independent_standard_normal_and_correlated_by_the_posterior(trained_run):
  data, represent = Images(), load(trained_run, "sampled")
  rows = np.arange(960)
  encoded = represent.gaussian_encoder(data.observations_from_rows(rows))
  samples = representation.codes_of(represent, data).of_rows(rows)
  noise = (samples - encoded["mean"]) / np.exp(0.5 * encoded["logvar"])
  # Standard errors with 960 samples: 0.032 of a mean, 0.046 of a variance, 0.006 of a correlation.
  np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.13)
  np.testing.assert_allclose(noise.var(axis=0), 1, atol=0.19)
  correlation = np.corrcoef(noise, rowvar=False)
  np.testing.assert_allclose(correlation[~np.eye(4, dtype=bool)], 0.9, atol=0.025)
  assert len(np.unique(noise, axis=0)) == 960
