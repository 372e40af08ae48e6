"""How TensorFlow runs in this process: threads, determinism, devices."""

import os

from absl import logging
import keras
import tensorflow as tf

import dl_condind
from dl_condind.utils import errors
from dl_condind.utils import limits


def configure(num_threads: int) -> None:
  """Makes TensorFlow deterministic and gives it num_threads threads, each of which runs whole ops.

  Thread counts can be set once in a process, before TensorFlow is first used; where it has been
  used, they stay as they are.

  Raises:
    ConfigError: If Keras runs on another backend, or num_threads is out of range.
  """
  if keras.backend.backend() != "tensorflow":
    raise errors.ConfigError(
      f"Keras runs on {keras.backend.backend()}; set KERAS_BACKEND=tensorflow or leave it unset."
    )
  if not 1 <= num_threads <= limits.MAX_THREADS:
    raise errors.ConfigError(
      f"model.num_threads must be in [1, {limits.MAX_THREADS}], got {num_threads}."
    )
  if "TF_ENABLE_ONEDNN_OPTS" not in os.environ:
    logging.warning(
      "TensorFlow was imported before dl_condind, so oneDNN may be off and a step take twice as "
      "long; import dl_condind first, or set TF_ENABLE_ONEDNN_OPTS=1."
    )
  tf.config.experimental.enable_op_determinism()
  try:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(num_threads)
  except RuntimeError:  # TensorFlow is in use; what it runs with is in the fingerprint.
    if threads() != (1, num_threads):
      logging.warning("TensorFlow was already started with (intra, inter) threads %s.", threads())


def threads() -> tuple[int, int]:
  """Returns the number of threads within an op and between ops; 0 is TensorFlow's choice."""
  return (
    tf.config.threading.get_intra_op_parallelism_threads(),
    tf.config.threading.get_inter_op_parallelism_threads(),
  )


def has_gpu() -> bool:
  """Returns whether TensorFlow sees a GPU."""
  return bool(tf.config.list_physical_devices("GPU"))


def fingerprint() -> dict[str, object]:
  """Returns what, beside configuration, seed and data, decides the last bits of a result."""
  return {
    "dl_condind": dl_condind.__version__,
    "tensorflow": tf.__version__,
    "keras": keras.__version__,
    "device": "gpu" if has_gpu() else "cpu",
    "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
    "intra_op_threads": threads()[0],
  }
