import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # Read when TensorFlow is imported.

import gin
import pytest


@pytest.fixture(autouse=True)
def _clear_gin():
  """Leaves gin empty and unlocked after each test."""
  yield
  gin.clear_config()


def pytest_addoption(parser):
  parser.addoption("--num_kills", type=int, default=20, help="SIGKILLs of a training.")
