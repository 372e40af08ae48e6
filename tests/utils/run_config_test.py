import pytest

from dl_condind.utils import run_config

CONFIG = {
  "model.model": "@scope/beta_tc_vae()",
  "dataset.name": "'cars3d'",
  "encoder.num_latent": "10",
  "model.random_seed": "3",
}


@pytest.mark.parametrize(
  ("noise", "correlation"),
  [
    ({}, 0.0),
    ({"posterior.noise_correlation": "None"}, 0.0),
    ({"posterior.noise_correlation": "@independent"}, 0.0),
    ({"posterior.noise_correlation": "@equicorrelated", "equicorrelated.correlation": "0.9"}, 0.9),
    (
      {"posterior.noise_correlation": "@a/equicorrelated", "a/equicorrelated.correlation": "1"},
      1.0,
    ),
    (
      {"posterior.noise_correlation": "@a/banded", "a/banded.correlation": "1"},
      "a/banded correlation=1",
    ),
    ({"posterior.family": "@shared", "shared.scale": "0.10"}, "shared scale=0.1"),
    ({"posterior.family": "@isotropic", "posterior.noise_correlation": "None"}, "isotropic"),
    ({"posterior.noise_correlation": "@given_correlation"}, "given_correlation"),
  ],
)
def test_correlation(noise, correlation):
  is_number = isinstance(correlation, float)
  assert run_config.correlation({**CONFIG, **noise}) == (correlation if is_number else None)
  assert run_config.columns({**CONFIG, **noise})["correlation"] == correlation


def test_columns():
  assert run_config.columns(CONFIG) == {
    "method": "beta_tc_vae",
    "dataset": "cars3d",
    "num_latent": 10,
    "correlation": 0.0,
    "seed": 3,
  }


@pytest.mark.parametrize(
  ("record", "kind"),
  [
    ({}, "vae"),
    ({"train_config.generator_optimizer.optimizer_fn": "@generator/AdamOptimizer"}, "infogan"),
    ({"train_provenance.kind": "other"}, "other"),
    (
      {"train_provenance.kind": "vae", "train_config.generator_optimizer.optimizer_fn": "@x()"},
      "vae",
    ),
  ],
)
def test_kind_is_what_was_recorded_or_follows_from_the_settings(record, kind):
  assert run_config.kind(record) == kind


def test_codes_of_an_infogan_of_any_name_are_its_latents():
  config = {
    "model.model": "@my_infogan()",
    "my_infogan.num_continuous": "3",
  }
  assert run_config.num_latent(config) == "3"
  assert run_config.columns(config)["num_latent"] == 3


def test_only_numbers_are_named_as_correlations():
  assert run_config.name_correlation("-0.1") == "c\u00a0=\u00a0-0.1"
  assert run_config.name_correlation("given") == "given"


def test_what_is_not_said_is_none():
  columns = run_config.columns({})
  assert columns == {**dict.fromkeys(columns), "correlation": 0.0}


def test_settings_are_plain_text():
  assert run_config.setting(CONFIG, "dataset.name") == "cars3d"
  assert run_config.setting({"a.b": "%macro"}, "a.b") == "%macro"
  assert run_config.setting(CONFIG, "no.such") == "-"


DAMAGED = ["-" * 100_000 + "1", "(" * 1000, "{[]: 1}", "1" * 5000, "1e999", "1" + "0" * 400, "\x00"]


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_values_are_told_as_they_are(text):
  config = {**CONFIG, "encoder.num_latent": text, "model.random_seed": text}
  config |= {"posterior.noise_correlation": "@equicorrelated", "equicorrelated.correlation": text}
  assert run_config.columns(config)["correlation"] == "equicorrelated"
  assert run_config.columns(config)["method"] == "beta_tc_vae"


def test_description_of_a_training():
  config = {**CONFIG, "model.training_steps": "4000", "model.batch_size": "64"}
  start = "beta-TCVAE on cars3d (official), 4,000 steps of 64 images, "
  assert run_config.describe_training(config, "official") == f"{start}c = 0, seed 3"
  noise = {"posterior.noise_correlation": "@equicorrelated", "equicorrelated.correlation": "0.9"}
  assert run_config.describe_training(config | noise, "official") == f"{start}c = 0.9, seed 3"
  noise = {"posterior.noise_correlation": "@given_correlation"}
  described = run_config.describe_training(config | noise, "official")
  assert described == f"{start}noise of given_correlation, seed 3"
  pairs = {"model.model": "@mlvae_argmax()", "dynamics.k": "-1"}
  described = run_config.describe_training(config | pairs, "official")
  assert described.startswith("Ada-ML-VAE on cars3d (official), 4,000 steps of 64 pairs of images,")
  labels = {"model.model": "@s2_vae()", "model.num_labelled_samples": "1000"}
  described = run_config.describe_training(config | labels, "official")
  assert described == (
    "S2-beta-VAE on cars3d (official), 4,000 steps of 64 images and as many of 1,000 with labels, "
    "c = 0, seed 3"
  )
  mine = run_config.describe_training({"model.model": "@mine()"}, "rendered")
  assert mine == "mine on - (rendered), - steps of - images, c = 0, seed -"


@pytest.mark.parametrize(
  ("text", "canonical"),
  [
    ("6", "6"),
    ("6.0", "6"),
    ("1e-4", "0.0001"),
    ("[1.0, (2.0, 'a')]", "[1, (2, 'a')]"),
    ("'6.0'", "'6.0'"),
    ("@vae()", "@vae()"),
    ("True", "True"),
    ("None", "None"),
    *((text, text) for text in DAMAGED if text != "1e999"),
  ],
)
def test_numbers_have_one_form(text, canonical):
  assert run_config.canonical(text) == canonical
