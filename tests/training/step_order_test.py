"""Whether a step reads every variable before it changes it, in the graph that TensorFlow executes.

TensorFlow optimizes what was traced, and may lose an order on the way. A read without an order sees
the old or the new value, as the threads happen to run.
"""

from collections.abc import Callable
from collections.abc import Iterator
import functools

from helpers import small_parts
import keras
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

import dl_condind as dl

NODES = "Identity", "Enter", "Switch", "Merge"  # Pass a variable's handle on.
METHODS = {
  "vae": functools.partial(dl.BetaVAE, 1.0),
  "vae with sgd": functools.partial(dl.BetaVAE, 1.0, optimizer=keras.optimizers.SGD(0.001)),
  "vae of learned noise": functools.partial(
    dl.BetaVAE, 1.0, posterior=dl.posteriors.LearnedCorrelation()
  ),
  "beta_tc_vae": functools.partial(dl.BetaTCVAE, 6.0),
  "annealed_vae": functools.partial(dl.AnnealedVAE, 1000.0, 25.0, 100000),
  "dip_vae": functools.partial(dl.DIPVAE, 10.0, 10.0, "ii"),
  "factor_vae": functools.partial(dl.FactorVAE, 35.0),
  "group_vae_argmax": functools.partial(dl.AdaGVAE, 2.0),
  "mlvae_argmax": functools.partial(dl.AdaMLVAE, 3.0),
  "s2_vae": functools.partial(
    dl.S2BetaVAE, 4.0, 4.0, supervised_loss=dl.supervised_losses.Embedding("learn")
  ),
  "s2_dip_vae": functools.partial(dl.S2DIPVAE, 10.0, 10.0, 4.0),
  "s2_beta_tc_vae": functools.partial(dl.S2BetaTCVAE, 10.0, 4.0),
  "s2_factor_vae": functools.partial(dl.S2FactorVAE, 10.0, 4.0),
  "s2_mine_vae": functools.partial(dl.S2MineVAE, 4.0, 4.0),
  "supervised": dl.SupervisedEncoder,
  "infogan": functools.partial(dl.InfoGAN, num_categories=3),
}
QUICK = ("factor_vae", "s2_mine_vae")


def executed_graphs(function: Callable[[], object]) -> list[tf.compat.v1.GraphDef]:
  """Calls a function and returns the graphs that were executed meanwhile."""
  context.context().enable_graph_collection()
  try:
    function()
    metadata = context.context().export_run_metadata()
  finally:
    context.context().disable_graph_collection()
  return [graph for of_one in metadata.function_graphs for graph in of_one.partition_graphs]


class Graph:
  """A graph of operations, of which one pass of a loop is looked at."""

  def __init__(self, graph: tf.compat.v1.GraphDef):
    self.nodes = {node.name: node for node in graph.node}

  def inputs(self, name: str) -> list[str]:
    """Returns what an operation needs or waits for in the same pass of a loop."""
    node = self.nodes[name]
    names = [] if node.op == "NextIteration" else node.input
    return [entry.lstrip("^").split(":")[0] for entry in names]

  def before(self, name: str) -> set[str]:
    """Returns all operations that are done when this one begins."""
    found, waiting = set(), [name]
    while waiting:
      new = set(self.inputs(waiting.pop())) - found
      found |= new
      waiting += new
    return found

  def variable(self, name: str) -> str:
    """Returns where the handle of a variable comes from."""
    while self.nodes[name].op in NODES:
      name = self.inputs(name)[0]
    return name

  def changes(self) -> Iterator[tuple[str, str]]:
    """Yields each operation that changes a variable, and the variable."""
    for node in self.nodes.values():
      if node.op.startswith("ResourceApply"):
        places = {"Adam": 3, "Momentum": 2, "GradientDescent": 1}
        num = places[node.op.removeprefix("ResourceApply").removeprefix("Keras")]
      else:
        num = int(node.op.startswith("Assign"))
      for place in self.inputs(node.name)[:num]:
        yield node.name, self.variable(place)

  def without_order(self) -> list[tuple[str, str]]:
    """Returns each read of a variable and each change of it, neither of which waits."""
    reads = {}
    for node in self.nodes.values():
      if node.op == "ReadVariableOp":
        reads.setdefault(self.variable(self.inputs(node.name)[0]), []).append(node.name)
    found = []
    for change, variable in self.changes():
      before = self.before(change)
      for read in reads.get(variable, []):
        if read not in before and change not in self.before(read):
          found.append((read, change))
    return found


def check_order(function):
  """Fails unless every change of a variable waits for its reads."""
  graphs = [Graph(graph) for graph in executed_graphs(function)]
  assert sum(len(set(graph.changes())) > 2 for graph in graphs) >= 1
  assert [pair for graph in graphs for pair in graph.without_order()] == []


@pytest.mark.parametrize(
  "method", [pytest.param(m, marks=[] if m in QUICK else pytest.mark.slow) for m in METHODS]
)
def test_a_step_reads_variables_before_it_changes_them(method, tmp_path):
  parts = {}
  if method != "infogan":
    parts = {
      "num_latent": 6,
      "encoder": dl.networks.fc_encoder,
      "decoder": dl.networks.test_decoder,
    }
  model = METHODS[method](**parts)
  data = small_parts.dummy_data_for(model)
  check_order(lambda: dl.train(model, data, tmp_path, steps=2, batch_size=4, eval_steps=1))


@pytest.mark.slow
@pytest.mark.parametrize("embedding", ["values", "cnn"])
def test_a_step_on_puzzles_reads_variables_before_it_changes_them(embedding, tmp_path):
  data = dl.load_data("dummy_data")
  steps = {"iterations": 1, "steps_per_iteration": 2, "eval_steps": 1, "batch_size": 2}
  check_order(lambda: dl.reason(embedding, data, tmp_path, **steps))
