"""Users' own images through the pipeline."""

from helpers import testdata
import numpy as np
from PIL import Image
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation import evaluate
from dl_condind.postprocessing import postprocess
from dl_condind.training import train
from dl_condind.utils import errors
from dl_condind.utils import results
from dl_condind.utils import stages

METHOD = ["shared.gin", "methods/vae.gin"]
IMAGES = np.random.RandomState(0).randint(256, size=(12, 28, 28), dtype=np.uint8)
FACTORS = np.stack(np.divmod(np.arange(12), 4), axis=1)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
  """A data folder with the same images and factors in both forms."""
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path / "data"))
  folder = tmp_path / "data"
  (folder / "own").mkdir(parents=True)
  np.savez(folder / "own.npz", observations=IMAGES, factors=FACTORS)
  rows = ["file,a,b\n"]
  for index, image in enumerate(IMAGES):
    Image.fromarray(image).save(folder / "own" / f"{index:02}.png")
    rows.append(f"{index:02}.png,{FACTORS[index, 0]},{FACTORS[index, 1]}\n")
  (folder / "own" / "labels.csv").write_text("".join(rows))
  return folder


@pytest.fixture
def bindings(tiny_training):
  """Returns the bindings of the shortest training, but for the data set."""
  return [binding for binding in tiny_training if not binding.startswith("dataset.name")]


def run(folder, bindings, metric_bindings=(), metric="metrics/mig.gin"):
  """Makes all three stages and returns the folder of the metric."""
  model_dir, mean_dir, metric_dir = (folder / part for part in ("model", "mean", "metric"))
  train.train_with_gin(model_dir, False, METHOD, bindings)
  postprocess.postprocess_with_gin(model_dir, mean_dir, False, ["postprocess/mean.gin"])
  settings = [*metric_bindings, "mig.num_train = 100"]
  evaluate.evaluate_with_gin(mean_dir, metric_dir, False, [metric], settings)
  return metric_dir


def saved(metric_dir, step):
  return stages.dataset_bindings(metric_dir / "results" / "gin" / f"{step}.gin")


ARRAYS = ["dataset.name = 'arrays'", "arrays.path = 'own.npz'"]
OWN = {
  "arrays": ARRAYS,
  "image_folder": [
    "dataset.name = 'image_folder'",
    "image_folder.path = 'own'",
    "image_folder.factors_file = 'labels.csv'",
  ],
  "mnist": ["dataset.name = 'mnist'", "mnist.split = 'test'"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_later_stages_take_over_the_data_set_with_its_parameters(name, folder, tmp_path, bindings):
  if name == "mnist":
    testdata.copy_mnist(folder)
  metric_dir = run(tmp_path, [*bindings, *OWN[name]])
  expected = dict(binding.split(" = ") for binding in OWN[name])
  for step in ("train", "postprocess", "evaluation"):
    assert saved(metric_dir, step) == expected
  provenance = [results.read_provenance(metric_dir, step) for step in ("train", "evaluation")]
  for key in ("dataset", "dataset_source", "dataset_sha256"):
    assert provenance[0][key] == provenance[1][key]
  assert provenance[1]["dataset"] == name
  assert 0 <= results.read_results(metric_dir, "evaluation")["discrete_mig"] <= 1


@pytest.mark.slow
def test_both_forms_give_the_same_model(tmp_path, bindings):
  losses = []
  for name in ("arrays", "image_folder"):
    train.train_with_gin(tmp_path / name, False, METHOD, [*bindings, *OWN[name]])
    losses.append(results.read_results(tmp_path / name, "train")["loss"])
  assert losses[0] == losses[1]


@pytest.mark.slow
def test_macros_are_taken_over_by_their_values(tmp_path, bindings):
  macros = ["own = %file", "file = 'own.npz'", "kind = 'arrays'"]
  data_set = ["dataset.name = %kind", "arrays.path = %own"]
  metric_dir = run(tmp_path, [*bindings, *macros, *data_set])
  assert "arrays.path = %own" in (metric_dir / "results" / "gin" / "train.gin").read_text()
  for step in ("train", "postprocess", "evaluation"):
    expected = {"arrays.path": "'own.npz'", "dataset.name": "'arrays'"}
    assert saved(metric_dir, step) == expected


@pytest.mark.slow
def test_a_stage_can_choose_another_file(folder, tmp_path, bindings):
  np.savez(folder / "other.npz", observations=IMAGES[::-1], factors=FACTORS)
  metric_dir = run(tmp_path, [*bindings, *ARRAYS], ["arrays.path = 'other.npz'"])
  assert results.read_provenance(metric_dir, "train")["dataset_path"] == "own.npz"
  assert results.read_provenance(metric_dir, "evaluation")["dataset_path"] == "other.npz"


@pytest.mark.slow
def test_distribution_of_factors_is_not_taken_over(tmp_path, bindings):
  distribution = [
    "dataset.factor_distribution = @FactorDistribution()",
    "FactorDistribution.held_out = [{'factor_0': 1}]",
  ]
  metric_dir = run(tmp_path, [*bindings, *ARRAYS, *distribution])
  text = (metric_dir / "results" / "gin" / "train.gin").read_text()
  assert "dataset.factor_distribution = @FactorDistribution()" in text
  assert saved(metric_dir, "train") == {"arrays.path": "'own.npz'", "dataset.name": "'arrays'"}
  text = (metric_dir / "results" / "gin" / "evaluation.gin").read_text()
  assert "dataset.factor_distribution = None" in text


@pytest.mark.slow
def test_continuous_factors_are_scored(folder, tmp_path, bindings):
  factors = np.random.RandomState(1).uniform(size=(12, 2))
  np.savez(folder / "own.npz", observations=IMAGES, factors=factors)
  metric_dir = run(tmp_path, [*bindings, *ARRAYS])
  assert 0 <= results.read_results(metric_dir, "evaluation")["discrete_mig"] <= 1


@pytest.mark.slow
def test_metric_that_needs_factors_says_so(folder, tmp_path, bindings):
  np.savez(folder / "own.npz", observations=IMAGES)
  with pytest.raises(
    errors.ConfigError, match="^arrays has no factors: add factors to the data se"
  ):
    run(tmp_path, [*bindings, *ARRAYS])
  metric_dir = tmp_path / "terms"
  small = ["vae_terms.num_points = 20"]
  evaluate.evaluate_with_gin(tmp_path / "mean", metric_dir, False, ["metrics/vae_terms.gin"], small)
  assert results.is_complete(metric_dir, "evaluation")


def networks(bindings, encoder, decoder):
  others = [binding for binding in bindings if "coder_fn" not in binding]
  return [*others, f"encoder.encoder_fn = @{encoder}", f"decoder.decoder_fn = @{decoder}"]


@pytest.mark.parametrize(
  ("encoder", "decoder", "name"),
  [
    ("conv_encoder", "deconv_decoder", "conv_encoder"),
    ("fc_encoder", "deconv_decoder", "deconv_decoder"),
  ],
)
def test_convolutions_on_other_sizes_name_the_networks_that_take_them(
  tmp_path, bindings, encoder, decoder, name
):
  message = (
    f"^{name} takes images of 64 x 64 pixels, got 28 x 28; use fc_encoder and fc_decoder for other"
  )
  with pytest.raises(errors.ConfigError, match=message):
    train.train_with_gin(
      tmp_path / "model", False, METHOD, [*networks(bindings, encoder, decoder), *ARRAYS]
    )
  assert not (tmp_path / "model" / "results").exists()


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(28, 28), (5, 7, 3)])
def test_fully_connected_networks_take_any_size(folder, tmp_path, bindings, shape):
  images = np.random.RandomState(0).randint(256, size=(12, *shape), dtype=np.uint8)
  np.savez(folder / "own.npz", observations=images, factors=FACTORS)
  metric_dir = run(tmp_path, [*networks(bindings, "fc_encoder", "fc_decoder"), *ARRAYS])
  assert results.read_results(metric_dir, "train")["global_step"] == 2
  assert 0 <= results.read_results(metric_dir, "evaluation")["discrete_mig"] <= 1


def test_fewer_images_than_a_batch_are_refused(folder, tmp_path, bindings):
  message = rf"^arrays \({folder / 'own.npz'}\) has 12 images, fewer than a batch of 13: add images"
  with pytest.raises(errors.DatasetError, match=message):
    train.train_with_gin(
      tmp_path / "model", False, METHOD, [*bindings, *ARRAYS, "model.batch_size = 13"]
    )


def test_synthetic_images_have_no_number():
  assert dummy_data.DummyData().num_rows is None
