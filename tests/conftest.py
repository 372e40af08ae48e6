import contextlib
import fcntl
import gc
import os
import subprocess
import sys

# Read when TensorFlow is imported, which a test may do before it imports dl_condind.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import gin
import pytest

# TensorFlow keeps many objects alive: to go over them as often as usual takes a fifth of the time.
gc.set_threshold(100_000, 50, 1000)

TINY_TRAINING = [
  "dataset.name = 'dummy_data'",
  "model.training_steps = 2",
  "model.batch_size = 4",
  "model.eval_steps = 1",
  "encoder.num_latent = 4",
  "encoder.encoder_fn = @test_encoder",
  "decoder.decoder_fn = @test_decoder",
]

TINY_METRICS = {
  "mig": ["mig.num_train = 50"],
  "vae_terms": ["vae_terms.num_points = 20"],
  "total_correlation": [
    "total_correlation.num_posteriors = 8",
    "total_correlation.num_samples = 2",
    "total_correlation.num_repeats = 2",
  ],
}


# What a file has that takes seconds to start.
_SLOW_TO_START = ("tensorflow", "subprocess", "train_with_gin", "trained_", "bin/")


def pytest_collection_modifyitems(items):
  """Puts the files first that need neither a model nor a process: they fail within a minute."""
  waits = {}
  for item in items:
    if item.path not in waits:
      text = item.path.read_text(encoding="utf-8")
      waits[item.path] = any(word in text for word in _SLOW_TO_START)
  items.sort(key=lambda item: waits[item.path])


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
  """Names a failure when it happens rather than at the end, in the process that reports."""
  if report.failed and _terminal:
    reason = str(getattr(report.longrepr, "reprcrash", "") or "").splitlines()[:1]
    _terminal[0].write_line(f"\nFAILED {report.nodeid} {' '.join(reason)[:200]}", red=True)


_terminal = []


def pytest_sessionstart(session):
  """Keeps the terminal's reporter, which workers do not have."""
  reporter = session.config.pluginmanager.get_plugin("terminalreporter")
  if reporter and not hasattr(session.config, "workerinput"):
    _terminal[:] = [reporter]


def pytest_collection_finish():
  """Starts TensorFlow as a training does, whichever test comes first to use it.

  Its threads cannot be changed later, and belong to the identity of a run.
  """
  if "tensorflow" in sys.modules:
    from dl_condind.training import runtime

    runtime.configure(num_threads=2)


@pytest.fixture(autouse=True)
def _clear_gin():
  """Leaves gin empty and unlocked after each test."""
  yield
  gin.clear_config()


@pytest.fixture(scope="session")
def tiny_training():
  """Returns the bindings of the shortest training of the smallest networks."""
  return list(TINY_TRAINING)


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory):
  """Returns the folder of a run with a tiny trained model and both its representations.

  Four latents whose noise has the correlation 0.9, on noise as data. To read: a test that changes
  something copies it.
  """

  def make(run):
    from dl_condind.postprocessing import postprocess
    from dl_condind.training import train

    gin_files = ["shared.gin", "methods/vae.gin", "posteriors/equicorrelated.gin"]
    train.train_with_gin(run / "model", False, gin_files, TINY_TRAINING)
    for name in ("mean", "sampled"):
      folder = run / "postprocessed" / name
      postprocess.postprocess_with_gin(run / "model", folder, False, [f"postprocess/{name}.gin"])

  return _made_once(tmp_path_factory, "trained_run", make)


@pytest.fixture(scope="session")
def trained_study(tmp_path_factory):
  """A study of two real runs, c = 0 and c = 0.9; the second lacks the sampled representation.

  Read-only: tests that change something copy it.
  """

  def make(study_dir):
    _make_run(study_dir / "0", 0.0, ["mean", "sampled"])
    _make_run(study_dir / "1", 0.9, ["mean"])
    gin.clear_config()

  return _made_once(tmp_path_factory, 'Größe <&> "b"', make)


def _made_once(tmp_path_factory, name, make):
  """Returns a folder that is made once for all processes of a test run."""
  root = tmp_path_factory.getbasetemp()
  if "PYTEST_XDIST_WORKER" in os.environ:
    root = root.parent
  folder, is_made = root / name, root / f"{name} is made"
  with (root / f"{name}.lock").open("w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not is_made.exists():
      make(folder)
      is_made.touch()
  return folder


def _make_run(folder, correlation, representations):
  from dl_condind.evaluation import evaluate
  from dl_condind.postprocessing import postprocess
  from dl_condind.training import train

  gin_files = ["shared.gin", "methods/vae.gin", "posteriors/equicorrelated.gin"]
  bindings = [
    *TINY_TRAINING,
    "encoder.num_latent = 3",
    f"equicorrelated.correlation = {correlation}",
  ]
  train.train_with_gin(folder / "model", False, gin_files, bindings)
  for name in representations:
    representation = folder / "postprocessed" / name
    gin_file = f"postprocess/{name}.gin"
    postprocess.postprocess_with_gin(folder / "model", representation, False, [gin_file])
    for metric, metric_bindings in TINY_METRICS.items():
      metric_dir = folder / "metrics" / name / metric
      gin_file = f"metrics/{metric}.gin"
      evaluate.evaluate_with_gin(representation, metric_dir, False, [gin_file], metric_bindings)


@pytest.fixture(scope="session")
def generated():
  """Returns the module that generates studies."""
  from helpers import generated_study

  return generated_study


@pytest.fixture(scope="session")
def tiny_infogan():
  """Returns the module that stores InfoGANs without training them."""
  from helpers import tiny_infogan as module

  return module


@pytest.fixture(scope="session")
def generated_study(generated, tmp_path_factory):
  """Three methods, two data sets, two correlations, ten seeds; numbered in that order.

  Read-only: tests that change something copy it.
  """
  study_dir = tmp_path_factory.mktemp("studies") / "generated"
  methods = ("vae", "factor_vae", "beta_tc_vae")
  generated.write_study(study_dir, methods, ("dsprites_full", "cars3d"), (0.0, 0.9), 10)
  return study_dir


@pytest.fixture(scope="session")
def give_small_parts():
  """Gives a model linear networks, a small discriminator, equicorrelated noise and Adam."""
  from dl_condind.training import runtime

  runtime.configure(num_threads=2)  # Before a test starts TensorFlow.
  from helpers import small_parts

  return small_parts.give


@pytest.fixture
def build(give_small_parts):
  """Builds a model of small networks for the images of `observations`."""

  def build_model(model, correlation=0.5, num_latent=3, shape=(4, 4, 1)):
    give_small_parts(model, correlation, num_latent).build(shape, seed=1)
    return model

  return build_model


@pytest.fixture
def observations():
  """Grey images, [6, 4, 4, 1]."""
  import numpy as np
  import tensorflow as tf

  return tf.constant(np.random.default_rng(0).uniform(size=(6, 4, 4, 1)), tf.float32)


@pytest.fixture
def mount_tmpfs():
  """Returns a context manager (folder, options) of a new file system in memory, or skips."""

  @contextlib.contextmanager
  def mounted(folder, options):
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
      result = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
      pytest.skip("there is no mount program")
    if result.returncode:
      pytest.skip(f"needs the right to mount a tmpfs: {result.stderr.strip()}")
    try:
      yield folder
    finally:
      subprocess.run(["umount", str(folder)], check=True)

  return mounted


def pytest_addoption(parser):
  parser.addoption("--num_kills", type=int, default=20, help="SIGKILLs of a training.")
  parser.addoption(
    "--all_kills", action="store_true", help="Kill engines and stages ten times as often."
  )
  parser.addoption("--num_mutations", type=int, default=200, help="Damaged files of a format.")
