"""Models that are not what this package writes, each with a manifest that fits."""

import json
import os
import random
import shutil

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from dl_condind.methods import vae
from dl_condind.saved_models import saved_model
from dl_condind.utils import errors
from dl_condind.utils import files


def sign(path):
  """Writes the manifest that fits the files, as an attacker can."""
  (path / files.MANIFEST).unlink()
  names = [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()]
  digests = {name: files.sha256(path / name) for name in names}
  (path / files.MANIFEST).write_text(json.dumps(digests))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
  """Returns the folder of a SavedModel, not to be changed."""
  return tmp_path_factory.mktemp("exported") / "saved_model"


@pytest.fixture
def path(build, exported, tmp_path):
  """Returns the folder of a copy of a SavedModel."""
  if not exported.exists():
    saved_model.save(*build(vae.BetaVAE(beta=1.0)).exported(), exported)
  return shutil.copytree(exported, tmp_path / "saved_model")


def change(path, edit):
  """Edits the one graph of a SavedModel."""
  file = path / "saved_model.pb"
  parsed = saved_model_pb2.SavedModel.FromString(file.read_bytes())
  edit(parsed.meta_graphs[0])
  file.write_bytes(parsed.SerializeToString())
  sign(path)


def function_of(graph, part):
  return next(f for f in graph.graph_def.library.function if part in f.signature.name)


def object_of(graph, kind):
  return next(node for node in graph.object_graph_def.nodes if node.WhichOneof("kind") == kind)


def storing(graph):
  return function_of(graph, "traced_save").signature.name


def add_operation(part, name):
  return lambda graph: function_of(graph, part).node_def.add(name="added", op=name)


def call_the_storing_function(graph):
  node = function_of(graph, "inference_decoder_").node_def.add(name="added", op="PartitionedCall")
  node.attr["f"].func.name = storing(graph)


def call_it_in_a_list(graph):
  node = function_of(graph, "inference_decoder_").node_def.add(name="added", op="PartitionedCall")
  node.attr["branches"].list.func.add(name=storing(graph))


def call_it_in_an_attribute_of_a_function(graph):
  name = function_of(graph, "inference_decoder_").signature.name
  node = function_of(graph, "inference_elbo_terms_").node_def.add(
    name="added", op="PartitionedCall"
  )
  node.attr["f"].func.name = name
  node.attr["f"].func.attr["inner"].func.name = storing(graph)


def attach_it(graph):
  object_of(graph, "function").function.concrete_functions[:] = [storing(graph)]


def make_it_a_gradient(graph):
  graph.graph_def.library.registered_gradients[0].gradient_func = storing(graph)


def name_it_like_an_operation(graph):
  function_of(graph, "traced_save").signature.name = "MatMul"


def call_a_function_of_the_process(graph):
  node = function_of(graph, "inference_decoder_").node_def.add(name="added", op="PartitionedCall")
  node.attr["f"].func.name = "__inference_of_somebody_else_1"


def repeat_a_number(graph):
  constant = next(
    n for n in function_of(graph, "inference_elbo_terms_").node_def if n.op == "Const"
  )
  tensor = constant.attr["value"].tensor
  tensor.Clear()
  tensor.dtype = tf.float32.as_datatype_enum
  tensor.tensor_shape.dim.add(size=2**20)
  tensor.tensor_shape.dim.add(size=2**20)
  tensor.float_val.append(1.0)


def forge_a_handle(graph):
  constant = next(
    n for n in function_of(graph, "inference_elbo_terms_").node_def if n.op == "Const"
  )
  constant.attr["value"].tensor.dtype = tf.resource.as_datatype_enum


def register_a_class(graph):
  object_of(graph, "user_object").registered_name = "builtins.eval"


def make_an_optimizer(graph):
  object_of(graph, "user_object").user_object.identifier = "optimizer"


def make_a_resource(graph):
  graph.object_graph_def.nodes.add().resource.device = "/device:CPU:0"


def make_an_asset(graph):
  graph.object_graph_def.nodes.add().asset.asset_file_def_index = 0


def list_an_asset(graph):
  graph.asset_file_def.add(filename="../../secret")


def store_by_functions(graph):
  object_of(graph, "variable").saveable_objects["x"].save_function = 1


def set_a_special_attribute(graph):
  object_of(graph, "user_object").children[0].local_name = "__call__"


def decode_a_type(graph):
  graph.object_graph_def.concrete_functions[
    function_of(graph, "inference_decoder_").signature.name
  ].output_signature.type_spec_value.type_spec_class_name = "Evil"


REFUSED = {
  "in a signature": (add_operation("inference_decoder_", "WriteFile"), "operation 'WriteFile'"),
  "in the restoring function": (add_operation("traced_restore", "PyFunc"), "operation 'PyFunc'"),
  "in a gradient": (add_operation("internal_grad_fn", "ReadFile"), "operation 'ReadFile'"),
  "storing, elsewhere": (add_operation("inference_elbo_terms_", "SaveV2"), "operation 'SaveV2'"),
  "in the graph": (
    lambda graph: graph.graph_def.node.add(name="added", op="WriteFile"),
    "operation 'WriteFile'",
  ),
  "called": (call_the_storing_function, "operation '[A-Za-z0-9]+'"),
  "called in a list": (call_it_in_a_list, "operation '[A-Za-z0-9]+'"),
  "called deep down": (call_it_in_an_attribute_of_a_function, "operation '[A-Za-z0-9]+'"),
  "attached": (attach_it, "operation '[A-Za-z0-9]+'"),
  "gradient": (make_it_a_gradient, "operation '[A-Za-z0-9]+'"),
  "named": (name_it_like_an_operation, "function 'MatMul'"),
  "of the process": (call_a_function_of_the_process, "function '__inference_of_somebody_else_1'"),
  "huge": (repeat_a_number, r"constant of shape \[1048576, 1048576\]"),
  "handle": (forge_a_handle, "constant of type 'resource'"),
  "class": (register_a_class, r"registered class 'builtins\.eval'"),
  "optimizer": (make_an_optimizer, "object 'optimizer'"),
  "resource": (make_a_resource, "object 'resource'"),
  "asset": (make_an_asset, "object 'asset'"),
  "asset file": (list_an_asset, r"asset '\.\./\.\./secret'"),
  "saver": (store_by_functions, "object 'variable with a state of its own'"),
  "attribute": (set_a_special_attribute, "attribute '__call__'"),
  "type": (decode_a_type, "type 'type_spec_value'"),
  "of TensorFlow 1": (lambda graph: graph.ClearField("object_graph_def"), "no objects"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_in_the_graph_is_refused(name, path):
  edit, message = REFUSED[name]
  change(path, edit)
  with pytest.raises(errors.DatasetError, match=rf"saved_model\.pb has .*{message}") as caught:
    saved_model.load(path)
  assert "\n" not in str(caught.value)


def test_a_second_graph_is_refused(path):
  file = path / "saved_model.pb"
  file.write_bytes(2 * file.read_bytes())  # Which concatenates the lists.
  sign(path)
  with pytest.raises(errors.DatasetError, match="it has 2 graphs instead of one"):
    saved_model.load(path)


@pytest.mark.parametrize("name", ["saved_model.pbtxt", "assets/vocabulary.txt", "debug/info.pb"])
def test_other_files_are_refused_without_trust(name, path):
  (path / name).parent.mkdir(exist_ok=True)
  (path / name).write_text("")
  sign(path)
  with pytest.raises(
    errors.DatasetError, match=f"{name.removesuffix('/info.pb')} is not a file that a"
  ):
    saved_model.load(path)
  with saved_model.trusting(True):
    saved_model.load(path)


def test_links_are_refused(path, tmp_path):
  (tmp_path / "elsewhere").mkdir()
  (path / "assets").rmdir()
  (path / "assets").symlink_to(tmp_path / "elsewhere")
  with pytest.raises(errors.DatasetError, match="assets is a link"):
    saved_model.load(path)
  (path / "assets").unlink()
  os.rename(path / "saved_model.pb", tmp_path / "saved_model.pb")
  (path / "saved_model.pb").symlink_to(tmp_path / "saved_model.pb")
  with pytest.raises(errors.DatasetError, match=r"saved_model\.pb is a link"):
    saved_model.load(path)


def test_a_folder_that_is_itself_behind_a_link_loads(path, tmp_path):
  (tmp_path / "link").symlink_to(path)
  saved_model.load(tmp_path / "link")


@pytest.mark.parametrize("name", ["saved_model.pb", "fingerprint.pb", "variables/variables.index"])
@pytest.mark.parametrize("trust", [False, True])
def test_damaged_files_are_one_line(name, trust, path):
  content = (path / name).read_bytes()
  rng = random.Random(name)
  for _ in range(4):
    damaged = bytearray(content)
    for _ in range(rng.randint(1, 5)):
      damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    (path / name).write_bytes(damaged[: rng.randint(len(damaged) // 2, 2 * len(damaged))])
    sign(path)
    try:
      with saved_model.trusting(trust):
        saved_model.load(path)
    except errors.DatasetError as error:
      assert "\n" not in str(error)
      assert "saved_model" in str(error)
  (path / name).unlink()
  sign(path)
  if name != "fingerprint.pb" or not trust:
    with saved_model.trusting(trust), pytest.raises(errors.DatasetError):
      saved_model.load(path)


def test_variables_larger_than_their_file_are_damage(path):
  data = path / "variables" / "variables.data-00000-of-00001"
  data.write_bytes(data.read_bytes()[:100])
  sign(path)
  with pytest.raises(errors.DatasetError, match="files too short"):
    saved_model.load(path)


def test_trust_ends_with_its_block():
  assert not saved_model.is_trusting()
  with saved_model.trusting(True):
    assert saved_model.is_trusting()
    with saved_model.trusting(False):
      assert not saved_model.is_trusting()
    assert saved_model.is_trusting()
  with pytest.raises(KeyError), saved_model.trusting(True):
    raise KeyError
  assert not saved_model.is_trusting()
