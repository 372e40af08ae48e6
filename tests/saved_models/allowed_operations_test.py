"""The lists of what models consist of hold what our models have, and nothing more."""

import itertools

import gin
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from dl_condind import posteriors
from dl_condind.evaluation.infogan import digit_classifier
from dl_condind.methods import labelled_vae
from dl_condind.methods import vae
from dl_condind.networks import architectures
from dl_condind.postprocessing import postprocess
from dl_condind.saved_models import allowed_operations
from dl_condind.saved_models import saved_model
from dl_condind.training import gin_parts
from dl_condind.training import train  # noqa: F401 (registers gin names)
from dl_condind.utils import configs
from dl_condind.utils import gin_texts

LISTS = {
  "OPERATIONS": allowed_operations.OPERATIONS,
  "STORING_OPERATIONS": allowed_operations.STORING_OPERATIONS,
  "GRAPH_OPERATIONS": allowed_operations.GRAPH_OPERATIONS,
  "KINDS": allowed_operations.KINDS,
  "USER_OBJECTS": allowed_operations.USER_OBJECTS,
  "STRUCTURES": allowed_operations.STRUCTURES,
}
VAE = ("shared.gin", "methods/vae.gin")
INFOGAN = ("methods/infogan.gin",)
LINEAR = ("encoder.encoder_fn = @test_encoder", "decoder.decoder_fn = @test_decoder")
CONNECTED = ("encoder.encoder_fn = @fc_encoder", "decoder.decoder_fn = @fc_decoder")
TANH = ("reconstruction_loss.activation = 'tanh'",)
CORRELATED = ("posterior.noise_correlation = @equicorrelated", "equicorrelated.correlation = 0.9")
GIVEN = (
  "encoder.num_latent = 2",
  "posterior.noise_correlation = @given_correlation",
  "given_correlation.matrix = [[1.0, 0.5], [0.5, 1.0]]",
)

# name -> gin files, bindings, shape of an image. Together they have every operation.
FEW = {
  "convolutional": (VAE, CORRELATED, (64, 64, 1)),
  "connected, tanh": (VAE, [*CONNECTED, *TANH], (4, 4, 3)),
  "infogan": (INFOGAN, [], (8, 8, 1)),
}
METHODS = sorted(
  f"methods/{path.name}"
  for path in (gin_texts.gin_config_folder() / "methods").glob("*.gin")
  if path.name != "infogan.gin"
)
LOSSES = {
  f"{loss}, {activation}, {channels} channels": (
    VAE,
    [
      *LINEAR,
      f"reconstruction_loss.loss_fn = @{loss}",
      f"reconstruction_loss.activation = '{activation}'",
    ],
    (4, 4, channels),
  )
  for loss, activation, channels in itertools.product(
    ("bernoulli_loss", "l2_loss"), ("logits", "tanh"), (1, 3)
  )
}
MANY = {
  **{method: (("shared.gin", method), [*LINEAR, *CORRELATED], (4, 4, 1)) for method in METHODS},
  **LOSSES,
  "convolutional, 3 channels, independent": (VAE, [], (64, 64, 3)),
  "connected, logits": (VAE, CONNECTED, (4, 4, 1)),
  "entropy": (VAE, [*LINEAR, "bernoulli_loss.subtract_true_image_entropy = True"], (4, 4, 1)),
  "one latent": (VAE, [*LINEAR, "encoder.num_latent = 1"], (4, 4, 1)),
  "given correlation": (VAE, [*LINEAR, *GIVEN], (4, 4, 1)),
  "infogan, correlated": (INFOGAN, CORRELATED, (28, 28, 1)),
  "infogan, no category": (INFOGAN, ["infogan.num_categories = 0"], (8, 8, 3)),
  "infogan, uniform": (INFOGAN, ["infogan.continuous_prior = 'uniform'"], (8, 8, 1)),
}


def export(description, path):
  gin_files, bindings, shape = description
  configs.parse(gin_files, bindings)
  model = gin.get_bindings("model")["model"]
  gin_parts.complete(model)
  if isinstance(model, labelled_vae.LabelledVAE):
    model.num_values = (3, 2)  # Those of its labels.
  model.build(shape, seed=1)
  saved_model.save(*model.exported(), path)
  gin.clear_config()


def export_classifier(path):
  module = digit_classifier._Exported(digit_classifier._network(seed=0))
  saved_model.save(module, module.signatures(), path)


def export_representations(model_dir, folder):
  for kind in (postprocess.mean_representation, postprocess.sampled_representation):
    module = postprocess._Postprocessed(saved_model.load(model_dir), kind, random_seed=0)
    saved_model.save(module, module.signatures(), folder / kind.__name__)


def messages_in(message):
  """Yields a protocol buffer message and all messages in it."""
  yield message
  for field, value in message.ListFields():
    if field.message_type is None:
      continue
    if field.message_type.GetOptions().map_entry:
      values = value.values() if field.message_type.fields_by_name["value"].message_type else []
    else:
      values = value if field.is_repeated else [value]
    for inner in values:
      yield from messages_in(inner)


def contents_of(path):
  """Returns what a SavedModel consists of, by the name of the list that should hold it."""
  parsed = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
  (meta_graph,) = parsed.meta_graphs
  found = {name: set() for name in LISTS}
  found["GRAPH_OPERATIONS"] = {node.op for node in meta_graph.graph_def.node}
  for function in meta_graph.graph_def.library.function:
    is_storing = function.signature.name.startswith(("__inference__traced_", "__inference__raw_"))
    kind = "STORING_OPERATIONS" if is_storing else "OPERATIONS"
    found[kind] |= {node.op for node in function.node_def}
  for message in messages_in(meta_graph.object_graph_def):
    name = message.DESCRIPTOR.name
    if name == "SavedObject":
      found["KINDS"].add(message.WhichOneof("kind"))
    elif name == "SavedUserObject":
      found["USER_OBJECTS"].add(message.identifier)
    elif name == "StructuredValue":
      found["STRUCTURES"].add(message.WhichOneof("kind"))
  return found


def edits(found, with_removals):
  """Returns how to change `allowed_operations` so that it holds what was found."""
  lines = []
  for name, listed in LISTS.items():
    if missing := found[name] - listed:
      lines.append(f"add to {name}: {', '.join(sorted(missing))}")
    unused = listed - found[name] - allowed_operations._MORE_ARITHMETIC
    if with_removals and unused:
      lines.append(f"remove from {name}: {', '.join(sorted(unused))}")
  return lines


@pytest.mark.slow
def test_lists_hold_what_models_have_and_nothing_more(tmp_path, trained_run):
  folders = [trained_run / "model", *(trained_run / "postprocessed").iterdir()]
  paths = [folder / "saved_model" for folder in folders]
  for name, description in FEW.items():
    paths.append(tmp_path / name)
    export(description, paths[-1])
  paths.append(tmp_path / "classifier")
  export_classifier(paths[-1])
  found = {name: set() for name in LISTS}
  for path in paths:
    for name, values in contents_of(path).items():
      found[name] |= values
  needed = edits(found, with_removals=True)
  assert not needed, f"In dl_condind/saved_models/allowed_operations.py {'; '.join(needed)}."


# These have a state or an effect. What they do is checked, or harmless: the counter of draws, an
# error if images are out of range, and calls of functions that hold listed operations only.
STATEFUL = {"Assert", "AssignAddVariableOp", "ReadVariableOp", "StatefulPartitionedCall"}


def test_operations_know_nothing_but_their_inputs():
  definitions = {name: op_def_registry.get(name) for name in allowed_operations.OPERATIONS}
  assert {name for name, found in definitions.items() if found.is_stateful} == STATEFUL


@pytest.mark.parametrize(
  "posterior",
  [
    posteriors.Rotated(seed=0),
    *(
      pytest.param(posterior, marks=pytest.mark.slow)
      for posterior in (
        posteriors.Isotropic(),
        posteriors.Full(),
        posteriors.LearnedCorrelation(),
        posteriors.Rotated(seed=0, family=posteriors.Full()),
      )
    ),
  ],
  ids=repr,
)
def test_models_of_every_family_load(posterior, tmp_path):
  model = vae.BetaVAE(
    1.0,
    num_latent=4,
    posterior=posterior,
    encoder=architectures.test_encoder,
    decoder=architectures.test_decoder,
  )
  model.build((4, 4, 1), seed=0)
  saved_model.save(*model.exported(), tmp_path / "model")
  images = tf.random.stateless_uniform([5, 4, 4, 1], [0, 0])
  stored = saved_model.load(tmp_path / "model")  # It owns the weights.
  encoded = stored.encode(images)
  _, *parameters = model.encode(images)
  np.testing.assert_array_equal(encoded["scale_tril"], posterior.scale_tril(*parameters))
  np.testing.assert_array_equal(encoded["logvar"], posterior.marginal_logvar(*parameters))


@pytest.mark.slow
@pytest.mark.parametrize("name", MANY)
def test_every_model_loads_and_so_do_its_representations(name, tmp_path):
  export(MANY[name], tmp_path / "model")
  paths = [tmp_path / "model"]
  if "infogan" not in name:
    export_representations(tmp_path / "model", tmp_path)
    paths += [tmp_path / "mean_representation", tmp_path / "sampled_representation"]
  for path in paths:
    needed = edits(contents_of(path), with_removals=False)
    assert not needed, f"In dl_condind/saved_models/allowed_operations.py {'; '.join(needed)}."
    saved_model.load(path)
