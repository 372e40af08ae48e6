"""Whether a SavedModel can be loaded without trust in whoever made it.

What is left out: memory and time, which a model of allowed operations can still waste, and faults
of TensorFlow itself.
"""

import math
import pathlib
import re
import stat

from google.protobuf import message
import tensorflow as tf
from tensorflow.core.protobuf import fingerprint_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.core.protobuf import trackable_object_graph_pb2

from dl_condind.saved_models import allowed_graphs
from dl_condind.utils import errors
from dl_condind.utils import files

_FOLDERS = re.compile(r"assets|variables")
_FILES = re.compile(
  rf"{re.escape(files.MANIFEST)}|saved_model\.pb|fingerprint\.pb"
  r"|variables/variables\.(index|data-\d{5}-of-\d{5})"
)
_MAX_PROTOBUF = 2**31 - 1  # bytes, TensorFlow's own limit
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"

# What reading the variables raises where a file is damaged.
_READ_ERRORS = (
  tf.errors.OpError,
  message.DecodeError,
  LookupError,
  RuntimeError,
  TypeError,
  ValueError,
)


def check(path: pathlib.Path) -> None:
  """Checks that a SavedModel consists of what our models consist of. Runs nothing of it.

  Args:
    path: Folder of the SavedModel, whose manifest was verified.

  Raises:
    DatasetError: If it has anything else, which the message names together with the file, or if a
      file is damaged.
  """
  _check_files(path)
  graph = _parse(path / "saved_model.pb", saved_model_pb2.SavedModel())
  try:
    allowed_graphs.check(graph)
  except allowed_graphs.RefusedError as error:
    raise errors.DatasetError(f"{path / 'saved_model.pb'} {error}") from error
  _parse(path / "fingerprint.pb", fingerprint_pb2.FingerprintDef())
  _check_variables(path / "variables")


def _check_files(path: pathlib.Path) -> None:
  """Checks that the folder holds the files of a SavedModel and nothing else, such as links."""
  for entry in sorted(path.rglob("*")):
    name, mode = entry.relative_to(path).as_posix(), entry.lstat().st_mode
    if stat.S_ISLNK(mode):
      raise errors.DatasetError(f"{entry} is a link: put the file itself there.")
    expected = _FOLDERS if stat.S_ISDIR(mode) else _FILES
    if not expected.fullmatch(name):
      raise errors.DatasetError(
        f"{entry} is not a file that a model of dl_condind has: remove it and the manifest's line "
        "about it or, if you trust whoever made the model, add trust_model=True."
      )


def _parse(path: pathlib.Path, empty: message.Message) -> message.Message:
  try:
    if path.stat().st_size > _MAX_PROTOBUF:
      raise errors.DatasetError(f"{path} is too large for a model: write the model again.")
    empty.ParseFromString(path.read_bytes())
  except (FileNotFoundError, message.DecodeError) as error:
    raise errors.DatasetError(f"{path} is missing or damaged: write the model again.") from error
  return empty


def _check_variables(folder: pathlib.Path) -> None:
  """Checks that variables are not larger than the files that hold them, and plain variables."""
  index = folder / "variables.index"
  graph = trackable_object_graph_pb2.TrackableObjectGraph()
  try:
    reader = tf.train.load_checkpoint(str(folder / "variables"))
    dtypes = reader.get_variable_to_dtype_map()
    shapes = reader.get_variable_to_shape_map()
    num_bytes = sum(math.prod(shapes[name]) * dtypes[name].size for name in shapes)
    if num_bytes > sum(path.stat().st_size for path in folder.iterdir()):
      raise errors.DatasetError(f"{index} is damaged (files too short): write the model again.")
    graph.ParseFromString(reader.get_tensor(_OBJECT_GRAPH))
  except _READ_ERRORS as error:
    raise errors.DatasetError(f"{index} is missing or damaged: write the model again.") from error
  for node in graph.nodes:
    if node.registered_saver.name or node.slot_variables:
      name = node.registered_saver.name or "slot variable"
      raise errors.DatasetError(f"{index} {allowed_graphs.foreign('object', name)}")
