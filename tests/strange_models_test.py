"""Models from strangers, and models that are not those of their records, in every stage."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import tensorflow as tf
from tensorflow.python.trackable import resource

from dl_condind.evaluation import evaluate
from dl_condind.evaluation import evaluate_udr
from dl_condind.postprocessing import postprocess
from dl_condind.reports import report
from dl_condind.saved_models import saved_model
from dl_condind.training import train
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results
from dl_condind.visualize import visualize_infogan
from dl_condind.visualize import visualize_model

ROOT = pathlib.Path(__file__).parents[1]
MIG = ["metrics/mig.gin"]
FEW = ["mig.num_train = 50"]
VAE = ["shared.gin", "methods/vae.gin", "posteriors/equicorrelated.gin"]


def nested(target):
  """Writes a file three calls down."""

  @tf.function
  def inner(images):
    tf.io.write_file(target, "owned")
    return images

  @tf.function
  def middle(images):
    return inner(images)

  return middle


def in_a_loop(target):
  """Writes a file in the body of a loop."""

  @tf.function
  def loop(images):
    def body(count, images):
      tf.io.write_file(target, "owned")
      return count + 1, images

    return tf.while_loop(lambda count, _: count < 1, body, [0, images])[1]

  return loop


def in_python(target):
  """Writes a file by the Python of whoever calls it."""
  return lambda images: tf.ensure_shape(
    tf.numpy_function(
      lambda x: (pathlib.Path(target).write_text("owned"), x)[1], [images], tf.float32
    ),
    images.shape,
  )


class OnLoading(resource.CapturableResource):
  """Writes a file when it is initialized, which is when a model is loaded."""

  def __init__(self, target):
    super().__init__()
    self._target = target

  def _create_resource(self):
    return tf.raw_ops.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.int64)

  @tf.function(input_signature=[])
  def _initialize(self):
    tf.io.write_file(self._target, "owned")


class Hostile(tf.Module):
  """A model whose functions do what those of another one do, and something else first."""

  def __init__(self, model, do_first, loading=None):
    super().__init__()
    self.model = model
    self.loading = loading
    self.functions = {name: self._wrapped(f, do_first) for name, f in model.signatures.items()}

  def _wrapped(self, function, do_first):
    specs = list(function.structured_input_signature[1].values())
    names = [spec.name for spec in specs]

    def wrapped(*values):
      if self.loading is not None and not tf.executing_eagerly():
        _ = self.loading.resource_handle
      return function(**dict(zip(names, [do_first(values[0]), *values[1:]], strict=True)))

    return tf.function(wrapped, specs)


ATTACKS = {
  "nested": (lambda target: (nested(target), None), "WriteFile"),
  "loop": (lambda target: (in_a_loop(target), None), "While|StatelessWhile|Less|WriteFile"),
  "python": (lambda target: (in_python(target), None), "PyFunc"),
  "loading": (lambda target: (tf.identity, OnLoading(target)), "resource"),
}


def replace_model(folder, module, signatures, step):
  """Replaces the model in a stage's folder, with a manifest and a record that fit."""
  shutil.rmtree(folder / "saved_model")
  saved_model.save(module, signatures, folder / "saved_model")
  with rewritten_record(folder) as record:
    digest = files.manifest_digest(folder / "saved_model")
    edit_json(record / "json" / f"{step}_provenance.json", saved_model_sha256=digest)
    key = f"{step}_provenance.saved_model_sha256"
    edit_json(record / "aggregate" / f"{step}.json", **{key: digest})


@contextlib.contextmanager
def rewritten_record(folder):
  """Yields a copy of a record, which then replaces it with a manifest that fits."""
  with files.atomic_directory(folder / "results") as record:
    shutil.copytree(folder / "results", record, dirs_exist_ok=True)
    (record / files.MANIFEST).unlink()
    yield record


def edit_json(path, **values):
  path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.fixture
def attacked(trained_run, tmp_path):
  """Returns a function that makes a hostile copy of a run."""

  def attack(name, folder="model"):
    run, target = tmp_path / "run", tmp_path / "owned.txt"
    shutil.copytree(trained_run, run)
    model = saved_model.load(run / folder / "saved_model")
    do_first, loading = ATTACKS[name][0](str(target))
    module = Hostile(model, do_first, loading)
    replace_model(run / folder, module, module.functions, step_of(folder))
    target.unlink(missing_ok=True)
    return run, target

  return attack


def step_of(folder):
  return "train" if folder == "model" else "postprocess"


def stage_of(folder):
  """Returns the next stage of a folder, as a function of its run and of trust."""
  if folder == "model":
    return lambda run, trust_model: postprocess.postprocess_with_gin(
      run / "model", run / "new", True, ["postprocess/mean.gin"], trust_model=trust_model
    )
  return lambda run, trust_model: evaluate.evaluate_with_gin(
    run / folder, run / "new", True, MIG, FEW, trust_model=trust_model
  )


@pytest.mark.parametrize(
  ("name", "folder"),
  [
    ("nested", "model"),
    pytest.param("nested", "postprocessed/mean", marks=pytest.mark.slow),
    pytest.param("loop", "postprocessed/mean", marks=pytest.mark.slow),
    ("loading", "model"),
    ("python", "postprocessed/mean"),
  ],
)
def test_a_hostile_model_does_nothing_without_trust(name, folder, attacked):
  run, target = attacked(name, folder)
  stage = stage_of(folder)
  message = (
    rf"{folder}/saved_model/saved_model\.pb has the \w+ '({ATTACKS[name][1]})'.*trust_model=True"
  )
  with pytest.raises(errors.DatasetError, match=message):
    stage(run, False)
  assert not target.exists()
  if name == "loading" or folder != "model":  # To postprocess is not to call the encoder.
    stage(run, True)
    assert target.read_text() == "owned"
    # A model that was loaded in trust is refused afterwards as before.
    with pytest.raises(errors.DatasetError, match="trust_model=True"):
      stage(run, False)


def run_program(name, *arguments):
  return subprocess.run(
    [sys.executable, ROOT / "bin" / name, *map(str, arguments)],
    capture_output=True,
    text=True,
    check=False,
    env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
  )


@pytest.mark.slow
def test_programs_refuse_a_hostile_model_with_exit_code_3(attacked, tmp_path):
  run, target = attacked("loading")
  model, new = f"--model_dir={run / 'model'}", f"--output_dir={tmp_path / 'new'}"
  study = tmp_path / "study.gin"
  study.write_text(
    'study.gin_files = ["shared.gin", "methods/vae.gin"]\n'
    'study.axes = [("model.random_seed", [0])]\nstudy.metrics = []\n'
  )
  programs = {
    "dl_condind_postprocess": [model, new, "--gin_config=postprocess/mean.gin"],
    "dl_condind_visualize_model": [model, new],
    "dl_condind_visualize_infogan": [model, new],
    "dl_condind_reproduce": [model, f"--study={study}", f"--output_directory={tmp_path / 'new'}"],
  }
  for name, arguments in programs.items():
    done = run_program(name, *arguments)
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert re.search("'resource'.* add --trust_model", done.stderr.splitlines()[-1])
    assert not target.exists()
    done = run_program(name, *arguments, "--trust_model")
    assert done.returncode == (2 if name == "dl_condind_visualize_infogan" else 0), done.stderr
    assert target.read_text() == "owned"
    target.unlink()
    shutil.rmtree(tmp_path / "new", ignore_errors=True)


@pytest.mark.slow
def test_udr_and_evaluate_programs_refuse_a_hostile_representation(attacked, tmp_path):
  run, target = attacked("nested", "postprocessed/mean")
  other = shutil.copytree(run / "postprocessed" / "mean", tmp_path / "other")
  new = f"--output_dir={tmp_path / 'new'}"
  programs = {
    "dl_condind_evaluate": [
      f"--input_dir={run / 'postprocessed' / 'mean'}",
      "--gin_config=metrics/mig.gin",
      "--gin_bindings=mig.num_train = 50",
    ],
    "dl_condind_udr": [
      f"--input_dirs={run / 'postprocessed' / 'mean'},{other}",
      "--gin_config=udr/udr.gin",
      "--gin_bindings=udr_sklearn.batch_size = 5",
      "--gin_bindings=udr_sklearn.num_data_points = 20",
    ],
  }
  for name, arguments in programs.items():
    done = run_program(name, new, *arguments)
    assert done.returncode == 3, done.stderr
    assert "operation 'WriteFile'" in done.stderr.splitlines()[-1]
    assert not target.exists()
    done = run_program(name, new, *arguments, "--trust_model")
    assert done.returncode == 0, done.stderr
    assert target.read_text() == "owned"
    target.unlink()
    shutil.rmtree(tmp_path / "new")


@pytest.mark.slow
def test_a_report_refuses_a_hostile_model(trained_study, tmp_path):
  study_dir, target = tmp_path / "study", tmp_path / "owned.txt"
  shutil.copytree(trained_study, study_dir)
  folder = study_dir / "1" / "model"
  model = saved_model.load(folder / "saved_model")
  module = Hostile(model, nested(str(target)))
  replace_model(folder, module, module.functions, "train")
  with pytest.raises(errors.DatasetError, match="operation 'WriteFile'"):
    report.write_report(study_dir)
  assert not target.exists()
  report.write_report(study_dir, trust_model=True)
  assert target.read_text() == "owned"


def swap(folder, other):
  """Puts the whole, valid model of another folder in place of that of a folder."""
  shutil.rmtree(folder / "saved_model")
  shutil.copytree(other / "saved_model", folder / "saved_model")


@pytest.fixture(scope="module")
def fewer_latents(tmp_path_factory, tiny_training):
  """Returns the folder of a run with a model of 3 latents."""
  run = tmp_path_factory.mktemp("fewer") / "run"
  train.train_with_gin(run / "model", False, VAE, [*tiny_training, "encoder.num_latent = 3"])
  postprocess.postprocess_with_gin(
    run / "model", run / "postprocessed" / "mean", False, ["postprocess/mean.gin"]
  )
  return run


@pytest.fixture
def run(trained_run, tmp_path):
  """Returns a copy of a run with a model of 4 latents."""
  return shutil.copytree(trained_run, tmp_path / "run")


SWAPPED = r"saved_model is not the model that .*/results was written with: restore it, or delete it"


@pytest.mark.slow
def test_a_swapped_model_does_not_pass_as_the_recorded_one(run, fewer_latents, tiny_training):
  swap(run / "model", fewer_latents / "model")
  stages = [
    lambda: postprocess.postprocess_with_gin(
      run / "model", run / "new", False, ["postprocess/mean.gin"]
    ),
    # What was made of the model before is no more of use.
    lambda: postprocess.postprocess_with_gin(
      run / "model", run / "postprocessed" / "mean", False, ["postprocess/mean.gin"]
    ),
    lambda: visualize_model.visualize_model(run / "model", run / "new"),
    lambda: visualize_infogan.visualize_infogan([run / "model"], run / "new"),
    lambda: train.train_with_gin(run / "model", False, VAE, tiny_training),
  ]
  for stage in stages:
    with pytest.raises(errors.DatasetError, match=SWAPPED):
      stage()
  # As the message says: the training exports its model again.
  shutil.rmtree(run / "model" / "saved_model")
  train.train_with_gin(run / "model", False, VAE, tiny_training)
  postprocess.postprocess_with_gin(run / "model", run / "new", False, ["postprocess/mean.gin"])


@pytest.mark.slow
def test_a_swapped_representation_does_not_pass_as_the_recorded_one(run, fewer_latents):
  mean, sampled = (run / "postprocessed" / name for name in ("mean", "sampled"))
  swap(mean, fewer_latents / "postprocessed" / "mean")
  few = ["udr_sklearn.batch_size = 5", "udr_sklearn.num_data_points = 20"]
  stages = [
    lambda: evaluate.evaluate_with_gin(mean, run / "new", False, MIG, FEW),
    lambda: evaluate_udr.evaluate_with_gin(
      [str(sampled), str(mean)], run / "new", False, ["udr/udr.gin"], few
    ),
    lambda: postprocess.postprocess_with_gin(run / "model", mean, False, ["postprocess/mean.gin"]),
  ]
  for stage in stages:
    with pytest.raises(errors.DatasetError, match=SWAPPED):
      stage()
  postprocess.postprocess_with_gin(run / "model", mean, True, ["postprocess/mean.gin"])
  evaluate.evaluate_with_gin(mean, run / "new", False, MIG, FEW)


def test_records_that_do_not_name_their_model_still_work(run):
  mean = run / "postprocessed" / "mean"
  for folder in (run / "model", mean):
    with rewritten_record(folder) as record:
      for path in record.rglob("*.json"):
        values = json.loads(path.read_text())
        kept = {k: v for k, v in values.items() if not k.endswith("saved_model_sha256")}
        path.write_text(json.dumps(kept))
  before = files.manifest_digest(mean / "saved_model")
  postprocess.postprocess_with_gin(run / "model", mean, False, ["postprocess/mean.gin"])
  assert files.manifest_digest(mean / "saved_model") == before
  evaluate.evaluate_with_gin(mean, run / "new", False, MIG, FEW)
  record = results.read_aggregate(run / "new" / "results" / "aggregate" / "evaluation.json")
  assert not [key for key in record if key.endswith("saved_model_sha256")]
