"""Postprocessing: from a trained model to a representation, stored as a SavedModel."""

from collections.abc import Callable
from collections.abc import Sequence
import os
import pathlib
import time
from typing import Any

from absl import logging
import gin
import numpy as np
import tensorflow as tf

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.data.ground_truth import named_data
from dl_condind.methods import image_inputs
from dl_condind.posteriors import gaussian_formulas
from dl_condind.saved_models import model_errors
from dl_condind.saved_models import saved_model
from dl_condind.utils import errors
from dl_condind.utils import results
from dl_condind.utils import run_folder
from dl_condind.utils import stages

STEP = "postprocess"


@gin.register
def mean_representation(z_mean: tf.Tensor, scale_tril: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
  """Returns the mean of q(z|x), [batch, num_latent]."""
  del scale_tril, noise
  return z_mean


@gin.register
def sampled_representation(z_mean: tf.Tensor, scale_tril: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
  """Returns a sample of q(z|x), with the correlation of its noise, [batch, num_latent]."""
  return gaussian_formulas.add_noise(z_mean, scale_tril, noise)


class _Postprocessed(tf.Module):
  """A trained model's signatures and its representation."""

  def __init__(self, model: Any, postprocess_fn: Callable[..., tf.Tensor], random_seed: int):
    super().__init__()
    self.model = model
    self.draws = tf.Variable(0, trainable=False)
    word = np.uint32(random_seed).astype(np.int32)  # TensorFlow's seeds are signed.
    encode = model.signatures["gaussian_encoder"]
    images = encode.structured_input_signature[1]["images"]

    def from_noise(images, noise):
      encoded = encode(images=images)
      return {"default": postprocess_fn(encoded["mean"], encoded["scale_tril"], noise)}

    def representation(images):
      seed = tf.stack([tf.constant(word), self.draws.assign_add(1)])
      return from_noise(images, tf.random.stateless_normal([tf.shape(images)[0], num_latent], seed))

    num_latent = encode.structured_outputs["mean"].shape[-1]
    noise = tf.TensorSpec([None, num_latent], tf.float32, name="noise")
    self.representation = tf.function(representation, [images])
    self.representation_from_noise = tf.function(from_noise, [images, noise])
    shape = images.shape[1:]
    self.encode = image_inputs.for_all_types(lambda images: encode(images=images), shape)
    self.represent = image_inputs.for_all_types(self.representation, shape)

  def signatures(self) -> dict[str, Any]:
    """Returns the functions a caller can name."""
    return {
      **self.model.signatures,
      "representation": self.representation,
      "representation_from_noise": self.representation_from_noise,
    }


def postprocess_with_gin(
  model_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  gin_config_files: Sequence[str] = (),
  gin_bindings: Sequence[str] = (),
  trust_gin_imports: bool = False,
  trust_model: bool = False,
  dataset: ground_truth_data.GroundTruthData | None = None,
) -> None:
  """Makes the representation that gin files and bindings describe; see `postprocess`.

  `dataset.name = "auto"` stands for the data set the model was trained on. Only with trust_model
  may the model have operations that no model of this package has.
  """
  model_dir = pathlib.Path(model_dir)
  stages.parse_with_dataset(
    gin_config_files,
    gin_bindings,
    trust_gin_imports,
    run_folder.StageFolder(model_dir).results.gin_file("train"),
    named_data.DATA_SETS,
  )
  try:
    with saved_model.trusting(trust_model):
      postprocess(model_dir, output_dir, overwrite, dataset=dataset)
  finally:
    gin.clear_config()


@gin.configurable("postprocess", denylist=["model_dir", "output_dir", "overwrite", "dataset"])
def postprocess(
  model_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  postprocess_fn: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor] = gin.REQUIRED,
  random_seed: int = gin.REQUIRED,
  name: str = "",
  dataset: ground_truth_data.GroundTruthData | None = None,
) -> None:
  """Writes the representation of a trained model into output_dir, unless it is there already.

  The SavedModel has the model's signatures and `representation(images)`, whose samples depend on
  random_seed and on how often it was called, and `representation_from_noise(images, noise)`, whose
  samples are what standard normal noise, [batch, num_latent], makes them. Its functions
  `encode(images)` and `represent(images)`, not signatures, return what `gaussian_encoder` and
  `representation` do and take uint8 images, too.

  Args:
    model_dir: Folder of the trained model.
    output_dir: Folder of the representation.
    overwrite: Whether to replace what is there.
    postprocess_fn: Function of z_mean, scale_tril and standard normal noise, as those above.
    random_seed: Seed of the samples.
    name: Label for the record.
    dataset: The data set; None stands for the one that gin's configuration names.

  Raises:
    DatasetError: If the model is missing or damaged.
    ConfigError: If output_dir holds something made with other settings, or random_seed is out of
      range.
  """
  del name
  if not 0 <= random_seed < 2**32:
    raise errors.ConfigError(f"postprocess.random_seed must be in [0, 2**32), got {random_seed}.")
  start_time = time.monotonic()
  model_dir, output_dir = pathlib.Path(model_dir), pathlib.Path(output_dir)
  made = run_folder.StageFolder(output_dir).saved_model
  trained = run_folder.StageFolder(model_dir).saved_model
  with stages.stage(output_dir, STEP, trained, overwrite, made) as stage:
    if stage.is_complete:
      return
    dataset = dataset or named_data.get_named_ground_truth_data()
    model = saved_model.load(trained)
    if "gaussian_encoder" not in model.signatures:
      raise errors.ConfigError(
        f"{model_dir} holds no VAE. An InfoGAN has no representation: evaluate it as it is."
      )
    with model_errors.clear_errors(f"The model at {model_dir}"):
      module = _Postprocessed(model, postprocess_fn, random_seed)
    saved_model.save(module, module.signatures(), made)
    stage.finish(
      {"elapsed_time": time.monotonic() - start_time},
      results.provenance(dataset.provenance(), {"random_seed": random_seed}),
      previous=model_dir,
    )
  logging.info("Wrote the representation %s.", output_dir)
