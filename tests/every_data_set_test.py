"""Every data set through the pipeline: two training steps, a representation, a metric."""

import functools
import re
import shutil
import sys

from helpers import testdata
import numpy as np
from PIL import Image
import pytest
import stand_ins

from dl_condind.data.ground_truth import mpi3d
from dl_condind.data.ground_truth import named_data
from dl_condind.data.ground_truth import shapes3d
from dl_condind.evaluation import evaluate
from dl_condind.postprocessing import postprocess
from dl_condind.training import train
from dl_condind.utils import results

SMALL_MPI3D = (2, 2, 2, 2, 2, 2, 2)
SMALL_SHAPES3D = (3, 2, 2, 2, 4, 3)
SMALLER = ("mpi3d_real", "mpi3d_realistic", "mpi3d_toy", "shapes3d")

# Name -> name of its factors' number of values, and where its images come from.
EXPECTED = {
  "abstract_dsprites": ([5, 6, 3, 6, 32, 32], "rendered"),
  "arrays": ([2, 4], "own arrays"),
  "cars3d": ([4, 24, 183], "unverified files (perhaps altered or synthetic)"),
  "color_dsprites": ([3, 6, 40, 32, 32], "rendered"),
  "dsprites_full": ([3, 6, 40, 32, 32], "rendered"),
  "dsprites_noshape": ([6, 40, 32, 32], "rendered"),
  "dummy_data": ([5] * 10, "synthetic"),
  "image_folder": ([2, 4], "own images"),
  "mnist": ([10], "official files, train split"),
  "mpi3d_real": (list(SMALL_MPI3D), "unofficial npz (synthetic or altered)"),
  "mpi3d_realistic": (list(SMALL_MPI3D), "unofficial npz (synthetic or altered)"),
  "mpi3d_toy": (list(SMALL_MPI3D), "unofficial npz (synthetic or altered)"),
  "noisy_dsprites": ([3, 6, 40, 32, 32], "rendered"),
  "scream_dsprites": ([3, 6, 40, 32, 32], "rendered"),
  "shapes3d": (list(SMALL_SHAPES3D), "unofficial hdf5 (synthetic or altered)"),
  "smallnorb": ([5, 9, 18, 6], "unofficial files (synthetic or altered)"),
  "spots": ([10, 10, 6, 6], "rendered"),
}


def _write_own(folder):
  """Writes eight images with their factors in both forms."""
  images = np.random.RandomState(0).randint(256, size=(8, 16, 16, 3), dtype=np.uint8)
  factors = np.stack(np.divmod(np.arange(8), 4), axis=1)
  np.savez(folder / "own.npz", observations=images, factors=factors, factor_names=["a", "b"])
  (folder / "own").mkdir()
  for index, image in enumerate(images):
    Image.fromarray(image).save(folder / "own" / f"{index}.png")
  rows = "".join(f"{index}.png,{a},{b}\n" for index, (a, b) in enumerate(factors))
  (folder / "own" / "factors.csv").write_text(f"file,a,b\n{rows}")


def _write_scream(folder):
  (folder / "scream").mkdir()
  image = stand_ins.patterns(1, 400, 3, seed=0)[0]
  Image.fromarray(image).save(folder / "scream" / "scream.jpg")


def _write_mpi3d(variant):
  return lambda folder: stand_ins.write_mpi3d(folder, variant, int(np.prod(SMALL_MPI3D)))


# What writes the files of a data set, if it has any.
WRITERS = {
  "arrays": _write_own,
  "cars3d": stand_ins.write_cars3d,
  "image_folder": _write_own,
  "mnist": testdata.copy_mnist,
  "mpi3d_real": _write_mpi3d("mpi3d_real"),
  "mpi3d_realistic": _write_mpi3d("mpi3d_realistic"),
  "mpi3d_toy": _write_mpi3d("mpi3d_toy"),
  "scream_dsprites": _write_scream,
  "shapes3d": lambda folder: stand_ins.write_shapes3d(folder, SMALL_SHAPES3D),
  "smallnorb": stand_ins.write_smallnorb,
}


@pytest.fixture(scope="module")
def sprites(tmp_path_factory):
  """A data folder with the table of rendered sprites, which several data sets share."""
  folder = tmp_path_factory.mktemp("sprites")
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("DISENTANGLEMENT_LIB_DATA", str(folder))
    named_data.DATA_SETS["dsprites_full"]().load()
  yield folder
  shutil.rmtree(folder)


@pytest.fixture
def small_data_sets(monkeypatch):
  """Makes the data sets of several gigabytes smaller."""
  small = {"shapes3d": functools.partial(shapes3d.Shapes3D, SMALL_SHAPES3D)}
  for variant in ("mpi3d_toy", "mpi3d_realistic", "mpi3d_real"):
    small[variant] = functools.partial(mpi3d.MPI3D, variant, SMALL_MPI3D)
  for name, data_set in small.items():
    monkeypatch.setitem(named_data.DATA_SETS, name, data_set)


@pytest.fixture
def data_folder(request, name, small_data_sets, tmp_path, monkeypatch):
  """A data folder with the data set that a test has the name of."""
  if "dsprites" in name and name not in WRITERS:
    folder = request.getfixturevalue("sprites")
  else:
    folder = tmp_path / "data"
    folder.mkdir()
    WRITERS.get(name, lambda _: None)(folder)
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(folder))
  return folder


def test_every_data_set_is_tried():
  assert named_data.DATA_SETS.keys() == EXPECTED.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_data_set_is_trained_on_and_evaluated(name, data_folder, tmp_path, tiny_training):
  source = EXPECTED[name][1]
  bindings = [*tiny_training, f"dataset.name = {name!r}"]
  bindings += {
    "arrays": ["arrays.path = 'own.npz'"],
    "image_folder": ["image_folder.path = 'own'"],
  }.get(name, [])
  bindings.remove("dataset.name = 'dummy_data'")
  model_dir, mean_dir, mig_dir = (tmp_path / part for part in ("model", "mean", "mig"))
  train.train_with_gin(model_dir, False, ["shared.gin", "methods/beta_tc_vae.gin"], bindings)
  postprocess.postprocess_with_gin(model_dir, mean_dir, False, ["postprocess/mean.gin"])
  small = ["mig.num_train = 200"]
  evaluate.evaluate_with_gin(mean_dir, mig_dir, False, ["metrics/mig.gin"], small)
  assert 0 <= results.read_results(mig_dir, "evaluation")["discrete_mig"] <= 1
  provenance = results.read_provenance(mig_dir, "evaluation")
  assert (provenance["dataset"], provenance["dataset_source"]) == (name, source)
  assert results.read_results(model_dir, "train")["global_step"] == 2
  assert sys.modules["gin"].config_str() == ""


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - {"arrays", "image_folder"}))
def test_documented_factors_are_those_of_the_data_set(name, small_data_sets):
  data = named_data.DATA_SETS[name]()
  assert data.factors_num_values == EXPECTED[name][0]
  lines = [line.strip() for line in type(data).__doc__.splitlines()]
  rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
  header, _, *rows = [[cell.strip() for cell in row] for row in rows]
  assert header == ["index", "factor", "values"]
  exposed = [row for row in rows if row[0] != "-"]
  if name == "dummy_data":
    assert exposed == [["0-9", "factor_0 to factor_9", "5"]]
    return
  assert [(int(row[0]), row[1]) for row in exposed] == list(enumerate(data.factor_names))
  if name not in SMALLER:
    documented = [int(re.match(r"\d+", row[2])[0]) for row in exposed]
    assert documented == data.factors_num_values


CORRELATED = [
  "dataset.factor_distribution = @FactorDistribution()",
  "FactorDistribution.correlated_pairs = [('factor_0', 'factor_1')]",
  "FactorDistribution.strength = 0.1",
]


@pytest.mark.slow
def test_factors_are_correlated_in_training_and_evaluation_separately(tmp_path, tiny_training):
  model_dir, mean_dir = tmp_path / "model", tmp_path / "mean"
  gin_files = ["shared.gin", "methods/vae.gin"]
  train.train_with_gin(model_dir, False, gin_files, [*tiny_training, *CORRELATED])
  postprocess.postprocess_with_gin(model_dir, mean_dir, False, ["postprocess/mean.gin"])
  small, values = ["mig.num_train = 200"], {}
  for name, bindings in (("plain", []), ("correlated", CORRELATED), ("again", [])):
    folder = tmp_path / name
    evaluate.evaluate_with_gin(mean_dir, folder, False, ["metrics/mig.gin"], [*small, *bindings])
    values[name] = results.read_results(folder, "evaluation")["discrete_mig"]
  key = "dataset_factor_correlation.factor_0~factor_1"
  trained = results.read_provenance(model_dir, "train")[key]
  assert trained > 0.9
  assert key not in results.read_provenance(tmp_path / "plain", "evaluation")
  assert results.read_provenance(tmp_path / "correlated", "evaluation")[key] == trained
  assert values["plain"] == values["again"] != values["correlated"]


@pytest.mark.slow
def test_training_draws_the_correlated_factors(tiny_training, tmp_path):
  losses = []
  for name, bindings in (("plain", []), ("correlated", CORRELATED)):
    train.train_with_gin(
      tmp_path / name, False, ["shared.gin", "methods/vae.gin"], [*tiny_training, *bindings]
    )
    losses.append(results.read_results(tmp_path / name, "train")["loss"])
  assert losses[0] != losses[1]
