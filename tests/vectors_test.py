"""Vectors as data: the whole pipeline on observations [n, features]."""

import functools
import os
import re
import signal

import numpy as np
from PIL import Image
import pytest
from scipy import stats
import tensorflow as tf

import dl_condind as dl
from dl_condind.evaluation import evaluate
from dl_condind.methods import image_inputs
from dl_condind.postprocessing import postprocess
from dl_condind.reports import report
from dl_condind.saved_models import saved_model
from dl_condind.training import train
from dl_condind.training import training_progress
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results
from dl_condind.utils import training_logs
from dl_condind.visualize import visualize_dataset
from dl_condind.visualize import visualize_model

METHOD = ["shared.gin", "vectors.gin", "methods/vae.gin"]
NUM_FEATURES = 5
STDDEV = 0.2
NAMES = ["a", "_b", "$c", "d", "e"]


def make_model(**parts):
  return dl.BetaVAE(
    1.0,
    **{
      "num_latent": 3,
      "encoder": dl.networks.test_encoder,
      "decoder": dl.networks.test_decoder,
      "reconstruction_loss": functools.partial(dl.losses.gaussian_loss, stddev=STDDEV),
      "activation": "linear",
      **parts,
    },
  )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
  """Returns a file of 60 vectors far outside of [0, 1]: a class and a continuous factor, mixed."""
  rng = np.random.default_rng(0)
  factors = np.stack([rng.integers(3, size=60), rng.normal(size=60)], axis=1)
  vectors = factors @ rng.normal(size=(2, NUM_FEATURES)) + 0.1 * rng.normal(size=(60, NUM_FEATURES))
  path = tmp_path_factory.mktemp("data") / "vectors.npz"
  np.savez(
    path,
    observations=3 * vectors,
    feature_names=NAMES,
    factors=factors,
    factor_names=["class", "amount"],
    factor_sizes=[3, 0],
  )
  return str(path)


@pytest.fixture(scope="module")
def data(path):
  return dl.load_data("arrays", path=path)


SETTINGS = {"seed": 3, "eval_steps": 2, "batch_size": 8, "learning_rate": 0.05}


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
  return dl.train(make_model(), data, tmp_path_factory.mktemp("run"), steps=50, **SETTINGS)


def bindings(path, tiny_training, steps):
  return [
    *(binding for binding in tiny_training if not binding.startswith("dataset.name")),
    "dataset.name = 'arrays'",
    f"arrays.path = {path!r}",
    f"gaussian_loss.stddev = {STDDEV}",
    "encoder.num_latent = 3",
    "vae/AdamOptimizer.learning_rate = 0.05",
    "model.batch_size = 8",
    "model.eval_steps = 2",
    "model.random_seed = 3",
    f"model.training_steps = {steps}",
  ]


def weights(directory):
  return files.sha256(directory / "model/saved_model/variables/variables.data-00000-of-00001")


def vectors_of(data):
  return data.observations_from_rows(np.arange(data.num_rows))


@pytest.mark.slow
def test_gin_trains_the_same_model_and_its_stages_score_it(path, run, tiny_training, tmp_path):
  train.train_with_gin(tmp_path / "model", False, METHOD, bindings(path, tiny_training, 50))
  assert weights(tmp_path) == weights(run.folder.path)
  for name in ("mean", "sampled"):
    representation = tmp_path / name
    gin_file = f"postprocess/{name}.gin"
    postprocess.postprocess_with_gin(tmp_path / "model", representation, False, [gin_file])
    few = ["dci.num_train = 100", "dci.num_test = 50", "dci.predictor_fn = @extra_trees_classifier"]
    metric = ["metrics/dci.gin"]
    evaluate.evaluate_with_gin(representation, tmp_path / f"{name}_dci", False, metric, few)
    record = results.read_results(tmp_path / f"{name}_dci", "evaluation")
    assert record["continuous_factors"] == [1]
    assert record["informativeness_test.factor_1"] <= 1


@pytest.mark.slow
def test_training_explains_vectors(run, data):
  vectors = vectors_of(data)
  unexplained = np.mean((run.reconstruct(vectors) - vectors) ** 2) / vectors.var()
  assert unexplained < 0.7
  log = training_logs.read(run.stage.path)
  assert run.losses["reconstruction_loss"] < log["reconstruction_loss"][0]


@pytest.mark.slow
def test_interrupted_training_continues_bit_for_bit(
  run, data, path, tiny_training, tmp_path, monkeypatch
):
  def kill(state):
    if state.step < state.training_steps:
      os.kill(os.getpid(), signal.SIGTERM)

  with monkeypatch.context() as patch:
    patch.setattr(training_progress, "in_python", lambda steps: training_progress.Show(kill, 0))
    with pytest.raises(errors.TryAgainError, match="is saved at step 20"):
      dl.train(make_model(), data, tmp_path, steps=50, **SETTINGS)
  train.train_with_gin(tmp_path / "model", False, METHOD, bindings(path, tiny_training, 50))
  assert weights(tmp_path) == weights(run.folder.path)


@pytest.mark.slow
def test_stored_model_takes_vectors_of_any_range(run, data):
  vectors = vectors_of(data)
  model = saved_model.load(run.stage.saved_model)
  encoded = model.signatures["gaussian_encoder"](images=tf.constant(vectors))
  np.testing.assert_array_equal(encoded["mean"], run.encode(vectors))
  np.testing.assert_allclose(
    model.encode(vectors.astype(np.float64))["mean"], encoded["mean"], 1e-5
  )
  decoded = model.signatures["decoder"](latent_vectors=encoded["mean"])["images"]
  assert decoded.shape == (60, NUM_FEATURES)
  np.testing.assert_array_equal(decoded, run.reconstruct(vectors))
  vectors[3, 2] = np.nan
  with pytest.raises(tf.errors.InvalidArgumentError, match="observations must be finite numbers"):
    model.signatures["gaussian_encoder"](images=tf.constant(vectors))


def test_bound_has_the_density_of_normal_features(run, data):
  vectors = vectors_of(data)
  model = saved_model.load(run.stage.saved_model)
  seeds = [tf.constant([0, seed]) for seed in range(400)]
  terms = model.signatures["elbo_terms"]
  losses = np.mean([terms(images=vectors[:8], seed=s)["reconstruction_loss"] for s in seeds], 0)
  rng = np.random.default_rng(0)
  mean, _, scale_tril = run.posterior(vectors[:8])
  z = mean + np.einsum("nij,snj->sni", scale_tril, rng.standard_normal((4000, *mean.shape)))
  densities = stats.norm.logpdf(vectors[:8], run.decode(z), STDDEV).sum(axis=-1)
  np.testing.assert_allclose(losses, -densities.mean(axis=0), rtol=0.1, atol=0.5)


def test_metrics_of_models_and_of_factors(run, data):
  settings = {"mig.num_train": 200, "vae_terms.num_points": 40, "info_mec.num_train": 200}
  settings |= {
    "decoder_geometry.num_points": 8,
    "sap_score.num_train": 60,
    "sap_score.num_test": 30,
  }
  found = dl.evaluate(
    run, data, ["mig", "vae_terms", "info_mec", "decoder_geometry", "sap_score"], settings=settings
  )
  assert 0 <= found["mig"]["discrete_mig"] <= 1
  assert found["info_mec"]["info_e.factor_1"] > 0.5  # The amount can be read off linearly.
  assert np.isfinite(found["vae_terms"]["reconstruction_loss"])


@pytest.mark.slow
def test_own_data_set_of_vectors(tmp_path):
  class Waves(dl.GroundTruthData):
    feature_names = ("left", "middle", "right")

    def __init__(self):
      super().__init__("waves", ["phase", "size"], [8, 4], (3,))

    def sample_factors(self, num, random_state):
      return np.stack([random_state.randint(n, size=num) for n in (8, 4)], axis=1)

    def sample_observations_from_factors(self, factors, random_state):
      phases = factors[:, :1] * np.pi / 4 + np.arange(3)
      return (10 * (1 + factors[:, 1:]) * np.sin(phases)).astype(np.float32)

  data = Waves()
  run = dl.train(make_model(), data, tmp_path, steps=2, eval_steps=1, batch_size=8)
  assert run.encode(data.sample_observations(4, np.random.RandomState(0))).shape == (4, 3)
  few = {"factor_vae_score.num_train": 20, "factor_vae_score.num_eval": 10}
  few |= {"factor_vae_score.num_variance_estimate": 50, "factor_vae_score.batch_size": 8}
  scores = dl.evaluate(run, data, ["factor_vae_metric"], settings=few)["factor_vae_metric"]
  assert 0 <= scores["eval_accuracy"] <= 1  # It sets single factors.


@pytest.mark.slow
def test_pictures_are_lines(run, tmp_path):
  visualize_model.visualize_model(run.stage.path, tmp_path / "pictures", num_animations=2)
  names = ["interventional_effects/interventional_effect"]
  names += ["reconstructions/reconstructions", "sampled/samples"]
  names += ["traversals/traversals0", "traversals/traversals1"]
  found = sorted(str(p.relative_to(tmp_path / "pictures")) for p in tmp_path.rglob("*.png"))
  assert found == [f"{name}.png" for name in names]
  for name in found:
    with Image.open(tmp_path / "pictures" / name) as picture:
      pixels = np.asarray(picture.convert("L"))
    assert min(pixels.shape) > 200
    assert 0.005 < np.mean(pixels < 200) < 0.3  # Lines on white.
  visualize_model.visualize_model(run.stage.path, tmp_path / "again", num_animations=2)
  assert files.manifest_digest(tmp_path / "again") == files.manifest_digest(tmp_path / "pictures")
  assert "data:image/png" in run._repr_html_()


def test_data_set_has_a_picture_of_samples(path, tmp_path):
  visualize_dataset.visualize_dataset_with_gin(
    tmp_path / "pictures",
    gin_bindings=["dataset.name = 'arrays'", f"arrays.path = {path!r}"],
  )
  (picture,) = tmp_path.rglob("*.png")
  assert picture.name == "samples.png"
  with Image.open(picture) as opened:
    assert min(opened.size) > 200


def test_pairs_of_vectors_are_not_drawn(path, tmp_path):
  bindings = ["dataset.name = 'arrays'", f"arrays.path = {path!r}"]
  with pytest.raises(errors.ConfigError, match="pairs_k is 1, but arrays has vectors"):
    visualize_dataset.visualize_dataset_with_gin(
      tmp_path / "pictures", gin_bindings=bindings, pairs_k=1
    )
  assert not (tmp_path / "pictures").exists()


@pytest.mark.parametrize(
  ("parts", "message"),
  [
    (
      {"reconstruction_loss": dl.losses.bernoulli_loss},
      "bernoulli_loss needs outputs that are probabilities",
    ),
    (
      {"reconstruction_loss": dl.losses.bernoulli_loss, "activation": "logits"},
      r"^Vectors of arrays have values from -.* set reconstruction_loss.activation to \"linear\"",
    ),
    (
      {"encoder": dl.networks.conv_encoder},
      "conv_encoder takes images of 64 x 64 pixels, got 5; u",
    ),
    (
      {"reconstruction_loss": functools.partial(dl.losses.gaussian_loss, stddev=0.0)},
      "gaussian_loss.stddev must be a positive number, got 0.0",
    ),
  ],
)
def test_models_that_do_not_fit_are_refused(parts, message, data, tmp_path):
  with pytest.raises(ValueError, match=message):
    dl.train(make_model(**parts), data, tmp_path, steps=2, **SETTINGS)
  assert not results.is_complete(tmp_path / "model", "train")


@pytest.mark.parametrize(
  ("vectors", "message"),
  [
    (np.zeros((2, 4)), r"observations must be \[num, 5\], got \[2, 4\]"),
    (np.full((2, 5), np.inf), "observations must be finite numbers"),
    (np.full((2, 5), "a"), "observations must be numbers"),
  ],
)
def test_vectors_that_do_not_fit_are_refused(vectors, message, run):
  with pytest.raises(ValueError, match=message):
    run.encode(vectors)


def test_whole_numbers_are_vectors_too(run):
  counts = np.arange(10).reshape(2, 5)
  np.testing.assert_array_equal(run.encode(counts), run.encode(counts.astype(np.float32)))
  np.testing.assert_array_equal(run.encode(counts.astype(np.uint8)), run.encode(counts))


@pytest.mark.slow
def test_probabilities_may_be_vectors(tmp_path):
  np.savez(tmp_path / "binary.npz", observations=(np.eye(20, 5) > 0).astype(np.float32))
  data = dl.load_data("arrays", path=str(tmp_path / "binary.npz"))
  model = make_model(reconstruction_loss=dl.losses.bernoulli_loss, activation="logits")
  run = dl.train(model, data, tmp_path / "run", steps=2, **SETTINGS)
  decoded = run.decode(np.zeros((1, 3)))
  assert decoded.min() > 0 and decoded.max() < 1


def test_values_that_are_missing_are_refused():
  with pytest.raises(errors.DatasetError, match="Observations of own must be finite numbers"):
    image_inputs.check_observations(np.array([[0.0, np.nan]]), "own")


@pytest.mark.slow
def test_report_shows_two_models_of_vectors(path, tiny_training, tmp_path):
  for number, correlation in enumerate((0.0, 0.9)):
    folder = tmp_path / str(number)
    settings = [*bindings(path, tiny_training, 20), f"equicorrelated.correlation = {correlation}"]
    gin_files = [*METHOD, "posteriors/equicorrelated.gin"]
    train.train_with_gin(folder / "model", False, gin_files, settings)
    mean = folder / "postprocessed" / "mean"
    postprocess.postprocess_with_gin(folder / "model", mean, False, ["postprocess/mean.gin"])
    metric = folder / "metrics" / "mean" / "mig"
    evaluate.evaluate_with_gin(mean, metric, False, ["metrics/mig.gin"], ["mig.num_train = 50"])
  page = report.write_report(tmp_path).read_text(encoding="utf-8")
  assert "each reconstructed from one sample of q(z|x)" in page
  panels = re.findall(r"c\u00a0=\u00a0(0|0\.9): z\d, KL \d", page)
  assert sorted(set(panels)) == ["0", "0.9"]
