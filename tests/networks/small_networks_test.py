import numpy as np

from dl_condind import networks


def dense(x, layer):
  kernel, bias = layer.get_weights()
  return x @ kernel + bias


def test_encoder_and_decoder_are_two_layers_of_128():
  images = np.random.default_rng(0).random((3, 5, 4, 2), dtype=np.float32)
  encoder = networks.small_encoder((5, 4, 2), 6, seed=0)
  assert [layer.units for layer in encoder.layers[2:]] == [128, 128, 6, 6]
  hidden = images.reshape(3, -1)
  for layer in encoder.layers[2:4]:
    hidden = np.maximum(dense(hidden, layer), 0)
  for found, layer in zip(encoder(images), encoder.layers[4:], strict=True):
    np.testing.assert_allclose(found, dense(hidden, layer), atol=1e-5)
  decoder = networks.small_decoder(6, (5, 4, 2), seed=0)
  assert [layer.units for layer in decoder.layers[1:-1]] == [128, 128, 40]
  z = np.random.default_rng(1).standard_normal((3, 6), dtype=np.float32)
  hidden = z
  for layer in decoder.layers[1:3]:
    hidden = np.tanh(dense(hidden, layer))
  logits = dense(hidden, decoder.layers[3]).reshape(3, 5, 4, 2)
  np.testing.assert_allclose(decoder(z), logits, atol=1e-5)


def test_weights_depend_on_the_seed_alone():
  first, again, other = (networks.small_decoder(3, (2, 2, 1), seed) for seed in (1, 1, 2))
  for a, b, c in zip(
    first.get_weights()[::2], again.get_weights()[::2], other.get_weights()[::2], strict=True
  ):
    assert np.array_equal(a, b) and not np.array_equal(a, c)
