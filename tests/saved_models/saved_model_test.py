import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import gaussian_encoder_model
from dl_condind.methods import losses
from dl_condind.methods import vae
from dl_condind.networks import architectures
from dl_condind.saved_models import saved_model
from dl_condind.utils import errors
from dl_condind.utils import files

SEED = tf.constant([3, 4], tf.int32)

# Loads models where this package cannot be imported and stores what they return.
FRESH_PROCESS = """
import sys

class Blocker:
  def find_spec(self, name, path=None, target=None):
    if name.split(".")[0] == "dl_condind":
      raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
import numpy as np
import tensorflow as tf

tf.config.experimental.enable_op_determinism()
inputs = np.load(sys.argv[1])
outputs = {}
for name in sys.argv[3:]:
  folder, key = name.rsplit("=", 1)
  loaded = tf.saved_model.load(folder)
  images = tf.constant(inputs[f"{key}/images"])
  z = tf.constant(inputs[f"{key}/z"])
  seed = tf.constant([3, 4])
  results = {
    "gaussian_encoder": loaded.signatures["gaussian_encoder"](images=images),
    "decoder": loaded.signatures["decoder"](latent_vectors=z),
    "first": loaded.signatures["reconstructions"](images=images),
    "second": loaded.signatures["reconstructions"](images=images),
    "elbo_terms": loaded.signatures["elbo_terms"](images=images, seed=seed),
  }
  for signature, values in results.items():
    for value_name, value in values.items():
      outputs[f"{key}/{signature}/{value_name}"] = value.numpy()
assert not any(name.startswith("dl_condind") for name in sys.modules)
np.savez(sys.argv[2], **outputs)
"""


def build_conv():
  model = vae.BetaVAE(beta=1.0, num_latent=3, posterior=posteriors.Equicorrelated(0.9))
  model.build((64, 64, 1), seed=1)
  model.num_slices = 2  # As in a training, which an export must not depend on.
  return model


@pytest.fixture
def conv_model():
  return build_conv()


@pytest.fixture
def small_model(build):
  return build(vae.BetaVAE(beta=1.0), correlation=0.5)


def images_of(model, num):
  shape = (num, *model.observation_shape)
  return tf.constant(np.random.default_rng(num).uniform(size=shape), tf.float32)


def latents_of(model, num):
  return tf.constant(np.random.default_rng(num).normal(size=(num, model.num_latent)), tf.float32)


def values_of(model, images, z):
  """Returns what the signatures must return, computed by the model itself."""
  z_mean, z_logvar, _ = model.encode(images)
  return {
    "gaussian_encoder": {
      "mean": z_mean,
      "logvar": z_logvar,
      "scale_tril": model.posterior.scale_tril(z_logvar),
    },
    "decoder": {"images": model.decode(z)},
    "elbo_terms": model.elbo_terms(images, SEED),
  }


def assert_same(actual, expected):
  assert set(actual) == set(expected)
  for key, value in expected.items():
    # float32 sums of up to 4096 terms in another order.
    np.testing.assert_allclose(actual[key], value, rtol=2e-5, atol=2e-5, err_msg=key)


@pytest.mark.parametrize(
  "kind", ["small_model", pytest.param("conv_model", marks=pytest.mark.slow)]
)
def test_export_has_the_values_of_the_model_for_any_batch_size(kind, tmp_path, request):
  model = request.getfixturevalue(kind)
  saved_model.save(*model.exported(), tmp_path / "saved_model")
  loaded = saved_model.load(tmp_path / "saved_model")
  signatures = loaded.signatures
  names = {"gaussian_encoder", "decoder", "reconstructions", "elbo_terms", "decoder_jacobian"}
  names |= {"fisher_gram"}
  assert set(signatures) == names
  for num in (1, 5, 64):
    images, z = images_of(model, num), latents_of(model, num)
    expected = values_of(model, images, z)
    assert_same(signatures["gaussian_encoder"](images=images), expected["gaussian_encoder"])
    assert_same(signatures["decoder"](latent_vectors=z), expected["decoder"])
    assert_same(signatures["elbo_terms"](images=images, seed=SEED), expected["elbo_terms"])
    jacobian = signatures["decoder_jacobian"](latent_vectors=z)
    assert jacobian.keys() == {"jacobian"}
    assert jacobian["jacobian"].shape == (num, model.num_latent, *model.observation_shape)
    reconstructions = signatures["reconstructions"](images=images)
    assert reconstructions.keys() == {"images"}
    assert reconstructions["images"].shape == images.shape


@pytest.mark.slow
def test_reconstructions_are_decoded_samples_of_the_posterior(small_model, tmp_path):
  saved_model.save(*small_model.exported(), tmp_path / "saved_model")
  loaded = saved_model.load(tmp_path / "saved_model")
  images = tf.repeat(images_of(small_model, 1), 4000, axis=0)
  logits = loaded.signatures["reconstructions"](images=images)["images"].numpy()
  # The decoder is linear, so the mean of its logits are the logits of the mean, and their
  # covariance is the posterior's covariance, noise correlation included, seen through the decoder.
  z_mean, z_logvar, _ = small_model.encode(images[:1])
  scale_tril = small_model.posterior.scale_tril(z_logvar)[0].numpy()
  kernel = small_model.decoder.get_layer("logits").kernel.numpy()
  expected = kernel.T @ scale_tril @ scale_tril.T @ kernel
  pixels = logits.reshape(4000, -1)
  spread = np.sqrt(np.diag(expected))
  mean = small_model.decode(z_mean).numpy().reshape(-1)
  assert np.abs(pixels.mean(axis=0) - mean).max() < 5 * spread.max() / np.sqrt(4000)
  covariance = np.cov(pixels, rowvar=False)
  # A sample covariance has standard errors of at most sqrt(2 / 4000) of the variances.
  assert np.abs(covariance - expected).max() < 5 * np.sqrt(2 / 4000) * spread.max() ** 2


@pytest.mark.slow
def test_gradients_of_an_export_are_those_of_the_model(conv_model, tmp_path):
  saved_model.save(*conv_model.exported(), tmp_path / "saved_model")
  loaded = saved_model.load(tmp_path / "saved_model")
  z = latents_of(conv_model, 3)
  gradients = []
  for decode in (conv_model.decode, lambda z: loaded.decoder(z)["images"]):
    with tf.GradientTape() as tape:
      tape.watch(z)
      outputs = tf.reduce_sum(tf.square(decode(z)))
    gradients.append(tape.gradient(outputs, z))
  np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-4, atol=1e-4)
  assert np.abs(gradients[0]).max() > 1e-3


@pytest.mark.parametrize(
  "kind", ["small_model", pytest.param("conv_model", marks=pytest.mark.slow)]
)
def test_jacobian_is_that_of_reverse_mode(kind, tmp_path, request):
  model = request.getfixturevalue(kind)
  saved_model.save(*model.exported(), tmp_path / "saved_model")
  signatures = saved_model.load(tmp_path / "saved_model").signatures
  z = latents_of(model, 5)
  jacobian = signatures["decoder_jacobian"](latent_vectors=z)["jacobian"].numpy()
  # A pixel's derivatives need a pass of their own in reverse mode; so random sums of pixels.
  for seed in range(3):
    weights = np.random.default_rng(seed).normal(size=(5, *model.observation_shape))
    with tf.GradientTape() as tape:
      tape.watch(z)
      images = tf.sigmoid(model.decoder(z))
    expected = tape.gradient(images, z, output_gradients=tf.constant(weights, tf.float32))
    np.testing.assert_allclose(
      np.einsum("nlhwc,nhwc->nl", jacobian, weights), expected, rtol=1e-4, atol=1e-5
    )
    assert np.abs(expected).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["tanh", "logits"])
def test_jacobian_is_the_slope_of_the_mean_image(activation, give_small_parts, tmp_path):
  model = give_small_parts(vae.BetaVAE(beta=1.0))
  # Differentiable everywhere, unlike the convolutional decoder's ReLUs.
  model.decoder = architectures.fc_decoder
  model.activation = activation
  model.build((4, 4, 1), seed=1)
  saved_model.save(*model.exported(), tmp_path / "saved_model")
  z = latents_of(model, 5)
  signatures = saved_model.load(tmp_path / "saved_model").signatures
  jacobian = signatures["decoder_jacobian"](latent_vectors=z)["jacobian"]
  assert jacobian.shape == (5, 3, 4, 4, 1)
  for latent in range(3):
    step = 0.01 * np.eye(3, dtype=np.float32)[latent]
    above, below = (losses.images_of(model.decode(z + sign * step), activation) for sign in (1, -1))
    # Rounding of float32 images divided by the step, and the step's square: about 1e-5.
    np.testing.assert_allclose(jacobian[:, latent], (above - below) / 0.02, atol=5e-5)
  assert np.abs(jacobian).max() > 0.01


@pytest.mark.parametrize(
  ("loss", "activation"),
  [
    ("bernoulli_loss", "logits"),
    pytest.param("l2_loss", "tanh", marks=pytest.mark.slow),
    pytest.param("bernoulli_loss", "tanh", marks=pytest.mark.slow),
    pytest.param("l2_loss", "logits", marks=pytest.mark.slow),
  ],
)
def test_fisher_information_is_that_of_the_pixels(activation, loss, give_small_parts, tmp_path):
  model = give_small_parts(vae.BetaVAE(beta=1.0))
  model.decoder = architectures.fc_decoder
  model.activation = activation
  model.reconstruction_loss = getattr(losses, loss)
  model.build((4, 4, 1), seed=1)
  saved_model.save(*model.exported(), tmp_path / "saved_model")
  z = latents_of(model, 5)
  signatures = saved_model.load(tmp_path / "saved_model").signatures
  images = losses.images_of(model.decode(z), activation).numpy().astype(np.float64)
  jacobian = signatures["decoder_jacobian"](latent_vectors=z)["jacobian"].numpy()
  # Of the mean image p: 1 / (p (1 - p)) for Bernoulli pixels, 2 for normal ones of variance 1/2.
  weights = 1 / (images * (1 - images)) if loss == "bernoulli_loss" else 2 + 0 * images
  expected = np.einsum("njhwc,nhwc,nkhwc->njk", jacobian, weights, jacobian)
  gram = signatures["fisher_gram"](latent_vectors=z)["gram"].numpy()
  np.testing.assert_allclose(gram, expected, rtol=2e-4, atol=2e-4 * np.abs(expected).max())


def test_fisher_information_is_the_growth_of_the_loss(give_small_parts):
  """The mean loss of images drawn from the decoder, at latents nearby."""
  model = give_small_parts(vae.BetaVAE(beta=1.0))
  model.decoder = architectures.fc_decoder
  model.build((4, 4, 1), seed=1)
  z = latents_of(model, 1)
  mean_image = losses.images_of(model.decode(z), "logits")

  def loss_at(step):  # Linear in the image, so that of the mean image is the mean.
    return float(model.image_loss(mean_image, model.decode(z + tf.constant(step, tf.float32)))[0])

  gram = model.fisher_gram(z)[0].numpy()
  for seed in range(3):
    step = np.random.default_rng(seed).normal(size=3)
    growth = 0.5 * (loss_at(0.1 * step) + loss_at(-0.1 * step)) - loss_at(0 * step)
    assert growth == pytest.approx(0.5 * 0.01 * step @ gram @ step, rel=0.05)


def test_jacobian_of_a_function_that_ignores_its_input_is_0():
  jacobian = gaussian_encoder_model.jacobian(
    lambda z: tf.ones([tf.shape(z)[0], 2]), tf.ones([3, 4])
  )
  np.testing.assert_array_equal(jacobian, np.zeros((3, 4, 2)))


@pytest.mark.slow
def test_an_export_stands_alone_and_repeats_in_a_fresh_process(build, tmp_path):
  models = {"small": build(vae.BetaVAE(beta=1.0)), "conv": build_conv()}
  inputs = {}
  for key, model in models.items():
    saved_model.save(*model.exported(), tmp_path / key)
    inputs |= {f"{key}/images": images_of(model, 5), f"{key}/z": latents_of(model, 5)}
  np.savez(tmp_path / "inputs.npz", **inputs)
  subprocess.run(
    [sys.executable, "-I", "-c", FRESH_PROCESS, tmp_path / "inputs.npz", tmp_path / "outputs.npz"]
    + [f"{tmp_path / key}={key}" for key in models],
    check=True,
    cwd=tmp_path,
    env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
  )
  outputs = np.load(tmp_path / "outputs.npz")
  for key, model in models.items():
    expected = values_of(model, images_of(model, 5), latents_of(model, 5))
    for signature, values in expected.items():
      names = [name for name in outputs if name.startswith(f"{key}/{signature}/")]
      actual = {name.rpartition("/")[2]: outputs[name] for name in names}
      assert_same(actual, values)
    loaded = saved_model.load(tmp_path / key)
    for call in ("first", "second"):
      images = loaded.signatures["reconstructions"](images=images_of(model, 5))["images"]
      np.testing.assert_allclose(outputs[f"{key}/{call}/images"], images, rtol=2e-5, atol=2e-5)
    first, second = (outputs[f"{key}/{call}/images"] for call in ("first", "second"))
    assert np.abs(first - second).max() > 1e-3


def test_a_model_that_is_not_as_it_was_written_is_refused(small_model, tmp_path):
  path = tmp_path / "saved_model"
  with pytest.raises(errors.DatasetError, match=r"No model at .*saved_model"):
    saved_model.load(path)
  saved_model.save(*small_model.exported(), path)
  saved_model.load(path)

  manifest = (path / "manifest.json").read_bytes()
  (path / "manifest.json").unlink()
  with pytest.raises(errors.DatasetError, match=r"has no manifest\.json"):
    saved_model.load(path)
  (path / "manifest.json").write_bytes(manifest)

  (path / "assets" / "extra.so").write_bytes(b"\x7fELF")
  with pytest.raises(errors.DatasetError, match=r"extra\.so is not in its manifest"):
    saved_model.load(path)
  (path / "assets" / "extra.so").unlink()

  weights = path / "variables" / "variables.data-00000-of-00001"
  content = bytearray(weights.read_bytes())
  content[100] ^= 1
  weights.write_bytes(content)
  with pytest.raises(errors.DatasetError, match=r"variables\.data-.* has changed since"):
    saved_model.load(path)
  weights.unlink()
  with pytest.raises(errors.DatasetError, match=r"variables\.data-.* is missing"):
    saved_model.load(path)


@pytest.mark.slow
def test_an_interrupted_export_leaves_the_one_before(small_model, tmp_path):
  path = tmp_path / "saved_model"
  saved_model.save(*small_model.exported(), path)
  digest = files.manifest_digest(path)

  class Interrupted(tf.Module):
    """Fails when its function is traced, which happens while it is saved."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
    def fail(self, x):
      raise KeyboardInterrupt

  module = Interrupted()
  with pytest.raises(KeyboardInterrupt):
    saved_model.save(module, {"fail": module.fail}, path)
  assert [entry.name for entry in tmp_path.iterdir()] == ["saved_model"]
  assert files.manifest_digest(path) == digest
  saved_model.load(path)
  with pytest.raises(KeyboardInterrupt):
    saved_model.save(module, {"fail": module.fail}, tmp_path / "new")
  assert [entry.name for entry in tmp_path.iterdir()] == ["saved_model"]


def test_a_path_below_a_file_is_refused(small_model, tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(errors.ConfigError, match="Cannot write"):
    saved_model.save(*small_model.exported(), tmp_path / "file" / "saved_model")
