import os

# Read when TensorFlow is imported, which a test may do before it imports dl_condind.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import gin
import pytest

TINY_TRAINING = [
  "dataset.name = 'dummy_data'",
  "model.training_steps = 2",
  "model.batch_size = 4",
  "model.eval_steps = 1",
  "encoder.num_latent = 4",
  "encoder.encoder_fn = @test_encoder",
  "decoder.decoder_fn = @test_decoder",
]


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
  from dl_condind.methods import train
  from dl_condind.postprocessing import postprocess

  run = tmp_path_factory.mktemp("trained") / "run"
  gin_files = ["shared.gin", "methods/vae.gin", "posteriors/equicorrelated.gin"]
  train.train_with_gin(run / "model", False, gin_files, TINY_TRAINING)
  for name in ("mean", "sampled"):
    output_dir = run / "postprocessed" / name
    postprocess.postprocess_with_gin(run / "model", output_dir, False, [f"postprocess/{name}.gin"])
  return run


def pytest_addoption(parser):
  parser.addoption("--num_kills", type=int, default=20, help="SIGKILLs of a training.")
  parser.addoption("--num_mutations", type=int, default=200, help="Damaged files of a format.")
