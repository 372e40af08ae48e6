import numpy as np
import pytest
import tensorflow as tf

from dl_condind.reasoning import network_settings
from dl_condind.reasoning import relational_network
from dl_condind.utils import errors

NUM_CODES = 3
CODES = np.random.default_rng(0).normal(size=(5, 14, NUM_CODES)).astype(np.float32)
SETTINGS = network_settings.NetworkSettings(seed=1)


def built(edge_mlp=(7, 4), graph_mlp=(6, 5), dropout=None, settings=SETTINGS):
  network = relational_network.OptimizedWildRelNet(list(edge_mlp), list(graph_mlp), dropout)
  network.build(NUM_CODES, settings)
  rng = np.random.default_rng(1)
  for variable in network.trainable_variables:
    if variable.name == "bias":
      variable.assign(rng.normal(size=variable.shape))
  return network


def relational_layer(nodes, edge_fn):
  """Returns sum_j edge_fn([x_i, x_j]) of each node i, [num_nodes, units], edge after edge."""
  return np.stack([np.sum([edge_fn(np.concatenate([x, y])) for y in nodes], axis=0) for x in nodes])


def plain_scores(network, codes, activate=lambda x: np.maximum(x, 0)):
  """Returns the scores of one puzzle as the equation reads, 81 edges for each answer."""
  values = {name: [v.numpy() for v in layer.weights] for name, layer in network.state().items()}

  def mlp(name, x):
    for i in range(sum(key.startswith(name) for key in values)):
      kernel, bias = values[f"{name}_{i}"]
      x = activate(x @ kernel + bias)
    return x

  scores = []
  for answer in codes[8:]:
    nodes = np.hstack([np.vstack([codes[:8], answer]), np.eye(9)])
    total = relational_layer(nodes, lambda pair: mlp("edge", pair)).sum(axis=0)
    kernel, bias = values["last"]
    scores.append((mlp("graph", total) @ kernel + bias)[0])
  return scores


def test_the_plain_layer_is_that_of_disentanglement_lib():
  found = relational_layer(np.array([[1.0], [2.0]]), lambda pair: pair)
  assert found.tolist() == [[2, 3], [4, 3]]


@pytest.mark.parametrize("edge_mlp", [(4,), (7, 4), (5, 6, 7)])
def test_shared_edges_give_the_scores_of_the_equation(edge_mlp):
  network = built(edge_mlp)
  expected = [plain_scores(network, codes) for codes in CODES]
  np.testing.assert_allclose(network.scores(tf.constant(CODES)), expected, rtol=1e-4, atol=1e-4)
  sliced = network.scores(tf.constant(CODES), num_slices=2)
  np.testing.assert_allclose(sliced, expected, rtol=1e-4, atol=1e-4)


def test_leaky_activation():
  network = built(settings=network_settings.NetworkSettings("lrelu", seed=1))
  expected = plain_scores(network, CODES[0], lambda x: np.where(x > 0, x, 0.2 * x))
  np.testing.assert_allclose(network.scores(CODES[:1])[0], expected, rtol=1e-4, atol=1e-4)


def test_dropout_keeps_the_given_share_with_one_mask(monkeypatch):
  network, without = (built(graph_mlp=(400,), dropout=value) for value in (0.25, None))
  np.testing.assert_array_equal(network.scores(CODES), without.scores(CODES))
  for made in (network, without):  # The units themselves instead of their weighted sum.
    monkeypatch.setattr(made, "_last", lambda hidden: hidden[..., None])
  seed = tf.constant([3, 4])
  found, units = network.scores(CODES, seed).numpy(), without.scores(CODES).numpy()
  is_kept = found.any(axis=(0, 1))
  np.testing.assert_allclose(found, is_kept * units / 0.25, rtol=1e-5)
  is_alive = units.any(axis=(0, 1))
  assert 0.17 < is_kept[is_alive].mean() < 0.33  # 0.25, and a standard deviation of 0.025
  np.testing.assert_array_equal(network.scores(CODES, seed), found)
  assert not np.array_equal(network.scores(CODES, tf.constant([3, 5])), found)


def test_weights_are_of_the_named_initializer_and_the_seed():
  kernels = [built((512,)).state()["edge_0"].kernel.numpy() for _ in range(2)]
  np.testing.assert_array_equal(*kernels)
  # LeCun's normal initializer: a standard deviation of 1 / sqrt(number of inputs).
  assert kernels[0].shape == (24, 512)
  assert kernels[0].std() == pytest.approx(24**-0.5, rel=0.05)
  other = built((512,), settings=network_settings.NetworkSettings(seed=2)).state()["edge_0"].kernel
  assert not np.allclose(other, kernels[0])
  uniform = network_settings.NetworkSettings(kernel_initializer="glorot_uniform", seed=1)
  kernel = built((512,), settings=uniform).state()["edge_0"].kernel.numpy()
  assert np.abs(kernel).max() == pytest.approx((6 / (24 + 512)) ** 0.5, rel=0.01)


@pytest.mark.parametrize(
  ("sizes", "dropout", "message"),
  [
    (([], [2]), None, r"edge_mlp must be one or more numbers of units in \[1, 16384\], got \[\]"),
    (([2], [0]), None, r"graph_mlp must be one or more numbers"),
    (([2], [2]), 1.5, r"dropout_in_last_graph_layer must be None or in \[0, 1\], the share"),
  ],
)
def test_sizes_are_checked(sizes, dropout, message):
  with pytest.raises(errors.ConfigError, match=message):
    relational_network.OptimizedWildRelNet(*sizes, dropout)


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"activation": "relo"}, r"activation\.activation must be 'lrelu' or a name of Keras.*'relo'"),
    ({"kernel_initializer": "lecun"}, r"kernel_initializer must be a name of Keras.*'lecun'"),
  ],
)
def test_unknown_names_are_refused(settings, message):
  with pytest.raises(errors.ConfigError, match=message):
    built(settings=network_settings.NetworkSettings(**settings))
