"""Whether the graph of a SavedModel has only what models of this package have."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import itertools
import math

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2
from tensorflow.core.framework import graph_pb2
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.core.protobuf import saved_object_graph_pb2
from tensorflow.core.protobuf import struct_pb2

from dl_condind.saved_models import allowed_operations

_HANDLES = (tf.resource.as_datatype_enum, tf.variant.as_datatype_enum)
_MAX_REPEATED = 2**22  # bytes that a constant may have beyond those that the file holds


class RefusedError(Exception):
  """What is wrong with a file, as the rest of a sentence that begins with its name."""


def foreign(what: str, name: str) -> RefusedError:
  """Returns the error for something that no model of this package has."""
  return RefusedError(
    f"has the {what} {name!r}, which no model of dl_condind has, and could do anything on this "
    "machine: do not load it or, if you trust whoever made it, add trust_model=True."
  )


def check(saved_model: saved_model_pb2.SavedModel) -> None:
  """Checks that a SavedModel has nothing that our models lack.

  Raises:
    RefusedError: If it has.
  """
  if len(saved_model.meta_graphs) != 1:
    raise RefusedError(f"is damaged: it has {len(saved_model.meta_graphs)} graphs instead of one.")
  (meta_graph,) = saved_model.meta_graphs
  # Without objects, `tf.saved_model.load` takes it for one of TensorFlow 1 and runs its graph.
  if not meta_graph.object_graph_def.nodes:
    raise RefusedError("has no objects: it is not from dl_condind.")
  if meta_graph.asset_file_def:
    raise foreign("asset", meta_graph.asset_file_def[0].filename)
  _check_objects(meta_graph.object_graph_def)
  _check_operations(meta_graph.graph_def, set(_attached(meta_graph.object_graph_def)))


def _check_operations(graph_def: graph_pb2.GraphDef, attached: set[str]) -> None:
  """Checks the operations of the graph and of every function, of which objects call those attached.

  A function that nothing but the graph around it calls does not run.
  """
  library = graph_def.library
  called = set(attached)
  for function in library.function:
    _check_attributes(function.attr, called)
    for node in function.node_def:
      _check_attributes(node.attr, called)
  for gradient in itertools.chain(library.gradient, library.registered_gradients):
    called.add(gradient.gradient_func)
  for name in sorted(called - {function.signature.name for function in library.function}):
    raise foreign("call of the function", name)
  _check_nodes(graph_def.node, allowed_operations.GRAPH_OPERATIONS)
  for function in library.function:
    name = function.signature.name
    if name in allowed_operations.OPERATIONS:  # The operation would be taken for a call of it.
      raise foreign("function", name)
    runs = name in called
    _check_nodes(
      function.node_def,
      allowed_operations.OPERATIONS if runs else allowed_operations.STORING_OPERATIONS,
    )


def _check_nodes(nodes: Iterable[node_def_pb2.NodeDef], allowed: frozenset[str]) -> None:
  for node in nodes:
    if node.op not in allowed:
      raise foreign("operation", node.op)


def _check_attributes(attributes: Mapping[str, attr_value_pb2.AttrValue], called: set[str]) -> None:
  """Checks the constants in attributes of an operation, and adds the functions it calls."""
  for value in attributes.values():
    kind = value.WhichOneof("value")
    if kind == "tensor":
      _check_constant(value.tensor)
    elif kind in ("func", "list"):
      for tensor in value.list.tensor:
        _check_constant(tensor)
      for function in [value.func] if kind == "func" else value.list.func:
        called.add(function.name)
        _check_attributes(function.attr, called)


def _check_constant(tensor: tensor_pb2.TensorProto) -> None:
  """Refuses handles of resources, and a few numbers that stand for a huge tensor."""
  if tensor.dtype in _HANDLES:
    raise foreign("constant of type", "resource")
  sizes = [dim.size for dim in tensor.tensor_shape.dim]
  num_bytes = math.prod(sizes) * 8  # bytes of the largest type
  if min(sizes, default=0) < 0 or num_bytes > _MAX_REPEATED + 8 * tensor.ByteSize():
    raise RefusedError(f"has a constant of shape {sizes}, of which it holds a part only.")


def _check_objects(graph: saved_object_graph_pb2.SavedObjectGraph) -> None:
  """Checks what is made of the functions and variables when the model is loaded."""
  for node in graph.nodes:
    kind = node.WhichOneof("kind")
    if kind not in allowed_operations.KINDS:
      raise foreign("object", str(kind))
    if kind == "user_object" and node.user_object.identifier not in allowed_operations.USER_OBJECTS:
      raise foreign("object", node.user_object.identifier)
    for name in (node.registered_name, node.registered_saver):
      if name:
        raise foreign("registered class", name)
    if node.saveable_objects or node.slot_variables or node.serialized_user_proto.type_url:
      raise foreign("object", f"{kind} with a state of its own")
    for child in node.children:
      if child.local_name.startswith("__"):
        raise foreign("attribute", child.local_name)
  for structure in _structures(graph):
    _check_structure(structure)


def _attached(graph: saved_object_graph_pb2.SavedObjectGraph) -> Iterator[str]:
  """Yields the names of the functions that loaded objects can call."""
  yield from graph.concrete_functions
  for node in graph.nodes:
    yield from node.function.concrete_functions
    if node.HasField("bare_concrete_function"):
      yield node.bare_concrete_function.concrete_function_name
    if node.HasField("captured_tensor"):
      yield node.captured_tensor.concrete_function


def _structures(
  graph: saved_object_graph_pb2.SavedObjectGraph,
) -> Iterator[struct_pb2.StructuredValue]:
  """Yields the descriptions of arguments and results of functions."""
  for function in graph.concrete_functions.values():
    yield from (function.canonicalized_input_signature, function.output_signature)
  for node in graph.nodes:
    for spec in (node.function.function_spec, node.bare_concrete_function.function_spec):
      for field in ("fullargspec", "input_signature"):
        if spec.HasField(field):
          yield getattr(spec, field)


def _check_structure(value: struct_pb2.StructuredValue) -> None:
  kind = value.WhichOneof("kind")
  if kind not in allowed_operations.STRUCTURES:
    raise foreign("type", str(kind))
  for inner in _inner(value, kind):
    _check_structure(inner)


def _inner(value: struct_pb2.StructuredValue, kind: str) -> Iterable[struct_pb2.StructuredValue]:
  if kind == "dict_value":
    return value.dict_value.fields.values()
  if kind == "named_tuple_value":
    return [pair.value for pair in value.named_tuple_value.values]
  if kind in ("list_value", "tuple_value"):
    return getattr(value, kind).values
  return []
