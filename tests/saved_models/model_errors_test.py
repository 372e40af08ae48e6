import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from dl_condind.evaluation import stored_representations
from dl_condind.postprocessing import postprocess
from dl_condind.saved_models import model_errors
from dl_condind.saved_models import saved_model
from dl_condind.saved_models import stored_infogan
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.visualize import trained_vae


class Foreign(tf.Module):
  """A model whose functions have the names of ours, and that is all."""

  def __init__(self, names):
    super().__init__()
    x = tf.TensorSpec([None], tf.float32, "x")
    self.one = tf.Variable(1.0)
    self.functions = {name: tf.function(lambda x: {"y": x + self.one}, [x]) for name in names}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory, trained_run):
  """Returns a function that makes the folder of a run whose model has functions of some names."""
  folder = tmp_path_factory.mktemp("foreign")

  def make(*names):
    run = folder / "-".join(names)
    if not run.is_dir():
      module = Foreign(names)
      saved_model.save(module, module.functions, run / "saved_model")
      shutil.copytree(trained_run / "model" / "results", run / "results")
      recorded, digest = (
        files.manifest_digest(parent / "saved_model") for parent in (trained_run / "model", run)
      )
      rename_model(run / "results", recorded, digest)
    return run

  return make


def rename_model(record, recorded, digest):
  """Lets a record name another model."""
  names = json.loads((record / files.MANIFEST).read_text())
  for name in names:
    text = (record / name).read_text(encoding="utf-8")
    (record / name).write_text(text.replace(recorded, digest), encoding="utf-8")
  files.write_json(record / files.MANIFEST, {name: files.sha256(record / name) for name in names})


MESSAGE = r" is damaged or not one of dl_condind \(\w+Error: .*\): write it again\.$"


@pytest.mark.parametrize(
  ("name", "share"),
  [
    ("saved_model.pb", 0.0),
    ("saved_model.pb", 0.5),
    ("variables/variables.index", 0.5),
    ("variables/variables.data-00000-of-00001", 0.5),
  ],
)
def test_a_model_that_is_cut_and_fits_its_manifest(trained_run, tmp_path, name, share):
  path = tmp_path / "saved_model"
  shutil.copytree(trained_run / "model" / "saved_model", path)
  content = (path / name).read_bytes()
  (path / name).write_bytes(content[: int(share * len(content))])
  digests = json.loads((path / files.MANIFEST).read_text())
  files.write_json(path / files.MANIFEST, {**digests, name: files.sha256(path / name)})
  with pytest.raises(errors.DatasetError, match="damaged") as caught:
    saved_model.load(path)
  assert "\n" not in str(caught.value)


def test_a_representation_that_takes_something_else(foreign):
  path = foreign("representation_from_noise") / "saved_model"
  with pytest.raises(errors.DatasetError, match=f"The model at {path}{MESSAGE}"):
    stored_representations.load_representation(path)


def test_an_infogan_that_takes_something_else(foreign):
  path = foreign("generator", "recognition_network") / "saved_model"
  with pytest.raises(errors.DatasetError, match=f"The model at {path}{MESSAGE}"):
    stored_infogan.StoredInfoGAN(path)


def test_a_model_of_pictures_that_takes_something_else(foreign):
  run = foreign("gaussian_encoder")
  with pytest.raises(errors.DatasetError, match=f"The model at {run / 'saved_model'}{MESSAGE}"):
    trained_vae.TrainedVAE(run)
  run = foreign("decoder")
  with pytest.raises(errors.ConfigError, match=f"{run / 'saved_model'} holds no VAE"):
    trained_vae.TrainedVAE(run)


def test_a_model_to_postprocess_that_takes_something_else(foreign, tmp_path):
  run = foreign("gaussian_encoder")
  with pytest.raises(errors.DatasetError, match=rf"The model at {run}.*write it again\."):
    postprocess.postprocess_with_gin(run, tmp_path, False, ["postprocess/mean.gin"])


@pytest.mark.parametrize("names", [("generator", "recognition_network"), ("decoder",)])
def test_what_is_no_vae_is_not_postprocessed(foreign, tmp_path, names):
  run = foreign(*names)
  with pytest.raises(errors.ConfigError, match="holds no VAE. An InfoGAN has no representation"):
    postprocess.postprocess_with_gin(run, tmp_path, False, ["postprocess/mean.gin"])


def test_a_function_that_fails_when_it_runs():
  function = tf.function(lambda x: tf.debugging.assert_less(x, 1.0))
  with pytest.raises(errors.DatasetError, match=f"It{MESSAGE}"), model_errors.clear_errors("It"):
    function(tf.constant(np.float32(2)))


def test_errors_of_the_package_pass():
  with pytest.raises(errors.ConfigError, match=r"^mine$"), model_errors.clear_errors("It"):
    raise errors.ConfigError("mine")
