import os
import subprocess
import sys

import gin
import numpy as np
import pytest
import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import image_inputs
from dl_condind.methods import infogan
from dl_condind.methods import optimizers
from dl_condind.methods import vae
from dl_condind.saved_models import saved_model

# Reads a model as somebody does who has TensorFlow alone.
FRESH_PROCESS = """
import sys
sys.modules["dl_condind"] = None  # It cannot be imported.
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
pixels = np.load(sys.argv[2])
wrong = [tf.constant(pixels, tf.float32), pixels, pixels.astype(np.float64)]
for images in wrong:
  try:
    model.signatures["gaussian_encoder"](images=images)
    sys.exit(f"pixels of 0...255 were encoded: {images.dtype}")
  except tf.errors.InvalidArgumentError as error:
    assert "images must be in [0, 1]: divide pixels of 0...255 by 255" in str(error), error
encoded = [model.encode(pixels), model.signatures["gaussian_encoder"](images=pixels / 255)]
np.savez(sys.argv[3], *[values["mean"].numpy() for values in encoded])
"""


@pytest.fixture(scope="module")
def conv_model(tmp_path_factory):
  """Returns a convolutional model, the folder it is stored in, and what is loaded from there."""
  model = vae.BetaVAE(beta=1.0, num_latent=3, posterior=posteriors.Equicorrelated(0.9))
  model.build((64, 64, 1), seed=1)
  path = tmp_path_factory.mktemp("conv") / "saved_model"
  saved_model.save(*model.exported(), path)
  return model, path, saved_model.load(path)


def pixels_of(num, shape=(64, 64, 1)):
  return np.random.default_rng(num).integers(0, 256, (num, *shape), np.uint8)


def as_read_from_a_data_set(pixels):
  return pixels.astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_bytes_are_scaled_to_the_bits_that_data_sets_have(jit_compile):
  pixels = np.arange(256, dtype=np.uint8)
  scaled = tf.function(image_inputs.scale, jit_compile=jit_compile)(tf.constant(pixels))
  np.testing.assert_array_equal(scaled, as_read_from_a_data_set(pixels))


@pytest.mark.parametrize(
  "value, is_valid",
  [(0.0, True), (1.0, True), (-9e-4, True), (1 + 9e-4, True)]
  + [(x, False) for x in (-2e-3, 1.002, 2.0, 255.0, -1.0, np.nan, np.inf, -np.inf)],
)
def test_one_pixel_outside_the_range_is_an_error(value, is_valid):
  images = np.full((2, 3, 3, 1), 0.5, np.float32)
  images[1, 2, 0, 0] = value
  check = tf.function(lambda images: image_inputs.check(images, "encode"))
  if is_valid:
    np.testing.assert_array_equal(check(images), images)
    return
  for function in (check, lambda images: image_inputs.check(images, "encode")):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must be in \[0, 1\].*`encode`"):
      function(tf.constant(images))


def test_no_images_are_no_error():
  check = tf.function(lambda images: image_inputs.check(images, "encode"))
  assert check(tf.zeros([0, 3, 3, 1])).shape == (0, 3, 3, 1)


@pytest.mark.slow
def test_check_changes_no_bit(conv_model):
  model, _, loaded = conv_model
  unchecked = tf.function(
    lambda images: model.encode(images)[:2], [tf.TensorSpec([None, 64, 64, 1], tf.float32)]
  )
  for num in (1, 5, 64):
    images = tf.constant(as_read_from_a_data_set(pixels_of(num)))
    found = loaded.signatures["gaussian_encoder"](images=images)
    z_mean, z_logvar = unchecked(images)
    np.testing.assert_array_equal(found["mean"], z_mean)
    np.testing.assert_array_equal(found["logvar"], z_logvar)


@pytest.mark.slow
def test_all_image_signatures_of_a_vae_refuse_pixels_of_255(conv_model):
  _, _, loaded = conv_model
  wrong = tf.constant(pixels_of(2), tf.float32)
  others = {"elbo_terms": {"seed": tf.constant([3, 4])}}
  names = [
    name
    for name, function in loaded.signatures.items()
    if "images" in function.structured_input_signature[1]
  ]
  assert set(names) == {"gaussian_encoder", "reconstructions", "elbo_terms"}
  for name in names:
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[0, 1\].*\[0\] \[255\]"):
      loaded.signatures[name](images=wrong, **others.get(name, {}))


@pytest.mark.slow
def test_encode_takes_bytes_and_floating_point_of_any_kind(conv_model):
  _, _, loaded = conv_model
  pixels = pixels_of(5)
  images = as_read_from_a_data_set(pixels)
  expected = loaded.signatures["gaussian_encoder"](images=tf.constant(images))
  for given in (pixels, tf.constant(pixels), images, tf.constant(images), pixels / 255):
    found = loaded.encode(given)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
      np.testing.assert_array_equal(found[key], value)
  for wrong in (pixels.astype(np.float32), pixels.astype(np.float64)):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must be in \[0, 1\]"):
      loaded.encode(wrong)


@pytest.mark.slow
def test_stored_encoder_can_be_compiled_by_xla(build, tmp_path):
  saved_model.save(*build(vae.BetaVAE(beta=1.0)).exported(), tmp_path / "saved_model")
  loaded = saved_model.load(tmp_path / "saved_model")
  pixels = pixels_of(3, (4, 4, 1))
  images = tf.constant(as_read_from_a_data_set(pixels))
  expected = loaded.signatures["gaussian_encoder"](images=images)["mean"]
  signature = tf.function(
    lambda images: loaded.signatures["gaussian_encoder"](images=images)["mean"], jit_compile=True
  )
  # XLA sums 16 products in another order.
  np.testing.assert_allclose(signature(images), expected, rtol=1e-5, atol=1e-6)
  assert np.isfinite(signature(255 * images)).all()  # XLA leaves the check out.
  encode = tf.function(lambda images: loaded.encode(images)["mean"], jit_compile=True)
  np.testing.assert_allclose(encode(tf.constant(pixels)), expected, rtol=1e-5, atol=1e-6)


def test_gradients_pass_the_check(conv_model):
  model, _, loaded = conv_model
  images = tf.constant(as_read_from_a_data_set(pixels_of(2)))
  gradients = []
  for encode in (lambda x: model.encode(x)[0], lambda x: loaded.gaussian_encoder(x)["mean"]):
    with tf.GradientTape() as tape:
      tape.watch(images)
      total = tf.reduce_sum(tf.square(encode(images)))
    gradients.append(tape.gradient(total, images))
  np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-4, atol=1e-6)
  assert np.abs(gradients[0]).max() > 0


@pytest.mark.slow
def test_infogan_recognizes_bytes_and_refuses_pixels_of_255(tmp_path):
  for name in ("generator", "discriminator", "recognition"):
    gin.bind_parameter(
      f"{name}_optimizer.optimizer_fn", lambda: optimizers.adam_optimizer(1e-3, 0.5, 0.999)
    )
  model = infogan.InfoGAN()
  model.build((28, 28, 1), seed=1)
  saved_model.save(*model.exported(), tmp_path / "saved_model")
  loaded = saved_model.load(tmp_path / "saved_model")
  pixels = pixels_of(3, (28, 28, 1))
  images = tf.constant(as_read_from_a_data_set(pixels))
  expected = loaded.signatures["recognition_network"](images=images)
  recognized = loaded.recognize(pixels)
  assert recognized.keys() == expected.keys()
  for key, value in expected.items():
    np.testing.assert_array_equal(recognized[key], value)
  for name in ("recognition_network", "discriminator"):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must be in \[0, 1\].*`recognize`"):
      loaded.signatures[name](images=tf.constant(pixels, tf.float32))


@pytest.mark.slow
def test_message_and_bytes_work_where_the_package_is_not_installed(conv_model, tmp_path):
  model, path, _ = conv_model
  pixels = pixels_of(4)
  np.save(tmp_path / "pixels.npy", pixels)
  arguments = [path, tmp_path / "pixels.npy", tmp_path / "means.npz"]
  subprocess.run(
    [sys.executable, "-I", "-c", FRESH_PROCESS, *arguments],
    check=True,
    env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
  )
  z_mean = model.encode(tf.constant(as_read_from_a_data_set(pixels)))[0]
  means = np.load(tmp_path / "means.npz")
  for name in means.files:
    np.testing.assert_allclose(means[name], z_mean, rtol=2e-5, atol=2e-5)
