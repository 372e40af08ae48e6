"""Trained models as TensorFlow SavedModels: no code of this package is needed to load them."""

import os
import pathlib
from typing import Any

import tensorflow as tf

from dl_condind.methods import checkpoints
from dl_condind.methods import gaussian_encoder_model
from dl_condind.utils import errors
from dl_condind.utils import files

_SEED = tf.TensorSpec([2], tf.int32, name="seed")


class _Exported(tf.Module):
  """The signatures of a Gaussian encoder model."""

  def __init__(self, model: gaussian_encoder_model.GaussianEncoderModel):
    super().__init__()
    # Listed one by one, since TensorFlow Lite drops variables it only finds inside Keras models.
    self.tracked_variables = [v.value for v in model.encoder.variables + model.decoder.variables]
    self.draws = tf.Variable(0, trainable=False)
    images = tf.TensorSpec([None, *model.observation_shape], tf.float32, name="images")
    latent_vectors = tf.TensorSpec([None, model.num_latent], tf.float32, name="latent_vectors")

    def gaussian_encoder(images):
      z_mean, z_logvar = model.encode(images)
      return {
        "mean": z_mean,
        "logvar": z_logvar,
        "scale_tril": model.posterior.scale_tril(z_logvar),
      }

    def reconstructions(images):
      seed = tf.stack([tf.constant(0), self.draws.assign_add(1)])
      z = model.posterior.distribution(*model.encode(images)).sample(seed=seed)
      return {"images": model.decode(z)}

    self.gaussian_encoder = tf.function(gaussian_encoder, [images])
    self.reconstructions = tf.function(reconstructions, [images])
    self.decoder = tf.function(lambda z: {"images": model.decode(z)}, [latent_vectors])
    self.elbo_terms = tf.function(model.elbo_terms, [images, _SEED])

  def signatures(self) -> dict[str, Any]:
    """Returns the functions a caller can name."""
    names = ("gaussian_encoder", "reconstructions", "decoder", "elbo_terms")
    return {name: getattr(self, name) for name in names}


def export(model: gaussian_encoder_model.GaussianEncoderModel, path: str | os.PathLike) -> None:
  """Writes a model with disentanglement_lib's signatures, each for any batch size.

  `gaussian_encoder(images)` returns mean, logvar and scale_tril of q(z|x);
  `decoder(latent_vectors)` the logits `images`; `reconstructions(images)` the logits `images` of a
  sampled z, anew in every call; `elbo_terms(images, seed)` reconstruction_loss, kl_loss and
  kl_loss_full of each image.

  Raises:
    TryAgainError: If the disk is full.
    ConfigError: If path cannot be written.
  """
  exported = _Exported(model)
  save(exported, exported.signatures(), path)


def save(module: tf.Module, signatures: dict[str, Any], path: str | os.PathLike) -> None:
  """Writes a module atomically, with the checksums of its files."""
  path = pathlib.Path(path)
  with checkpoints.tensorflow_writes(path), files.atomic_directory(path) as temporary:
    tf.saved_model.save(module, str(temporary), signatures=signatures)


def load(path: str | os.PathLike) -> Any:
  """Loads a model written by this package, after checking that its files are unchanged.

  A SavedModel is a program: one without the manifest it was written with is refused.

  Raises:
    DatasetError: If the model is missing, has no manifest or was changed.
  """
  if not pathlib.Path(path).is_dir():
    raise errors.DatasetError(f"No model at {path}: train it, or name the folder of its run.")
  files.verify_manifest(path)
  return tf.saved_model.load(str(path))
