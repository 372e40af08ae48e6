"""A trained model with an encoder and a decoder."""

import functools

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.postprocessing import postprocess
from dl_condind.runs import run
from dl_condind.saved_models import saved_model
from dl_condind.saved_models import stored_vae
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import observations
from dl_condind.utils import results
from dl_condind.utils import run_config
from dl_condind.utils import run_folder
from dl_condind.visualize import traversals

_SHOWN_LATENTS = 10
_SHOWN_RANGE = (-2.0, 2.0)


class VAERun(run.Run):
  """A trained model with an encoder and a decoder."""

  metrics_folder = "metrics"

  @functools.cached_property
  def model(self) -> stored_vae.StoredVAE:
    """The SavedModel as functions of NumPy arrays, loaded on first use.

    Raises:
      DatasetError: If it is missing, damaged or not harmless.
    """
    activation = run_config.setting(self.config, "reconstruction_loss.activation")
    with saved_model.trusting(self.trust_model):
      return stored_vae.StoredVAE(self.stage.saved_model, activation)

  @property
  def image_shape(self) -> tuple[int, ...]:
    """(height, width, channels), or (features,) of vectors."""
    return self.model.image_shape

  @property
  def num_latent(self) -> int:
    """Number of latents."""
    return self.model.num_latent

  def posterior(self, images: np.ndarray) -> stored_vae.Posteriors:
    """Returns the posteriors q(z|x) of images.

    Args:
      images: [num, height, width, channels], uint8, or floating point in [0, 1]; or vectors,
        [num, features], any finite numbers.

    Raises:
      ConfigError: If they have another shape or type, or are out of range. It is a ValueError.
    """
    return self.model.posterior(run.check_images(images, self.image_shape))

  def encode(self, images: np.ndarray) -> np.ndarray:
    """Returns the means of q(z|x), [num, num_latent]; argument and errors as `posterior`."""
    return self.posterior(images).mean

  def sample(self, images: np.ndarray, seed: int = 0) -> np.ndarray:
    """Samples z = mean + L noise of each image, [num, num_latent]; errors as `posterior`.

    Args:
      images: [num, *image_shape].
      seed: Seed of the noise.
    """
    mean, _, scale_tril = self.posterior(images)
    noise = np.random.default_rng(seed).standard_normal(mean.shape, np.float32)
    return gaussian_posteriors.place_noise(mean, scale_tril, noise[:, None])

  def decode(self, z: np.ndarray) -> np.ndarray:
    """Returns the images of latents in [0, 1], or their vectors, [..., *image_shape].

    Args:
      z: [..., num_latent].

    Raises:
      ConfigError: If z has another number of latents. It is a ValueError.
    """
    z = np.asarray(z, np.float32)
    if z.shape[-1:] != (self.num_latent,):
      raise errors.ConfigError(f"z must be [..., {self.num_latent}], got {list(z.shape)}.")
    return self.model.decode(z)

  def reconstruct(self, images: np.ndarray, seed: int | None = None) -> np.ndarray:
    """Returns what the decoder makes of the code of each image; errors as `posterior`.

    Args:
      images: [num, *image_shape].
      seed: Seed of a sample of q(z|x) to decode; None stands for the mean.
    """
    return self.decode(self.encode(images) if seed is None else self.sample(images, seed))

  def traverse(
    self, image: np.ndarray | None = None, values: np.ndarray | None = None
  ) -> np.ndarray:
    """Returns images or vectors along each latent, [num_latent, num_values, *image_shape].

    Args:
      image: [*image_shape], from whose code the others differ in one latent; None
        stands for the prior's mean.
      values: Values each latent takes, [num_values]; by default seven from -2 to 2.

    Raises:
      ConfigError: As `posterior`.
    """
    base = np.zeros(self.num_latent) if image is None else self.encode(np.asarray(image)[None])[0]
    values = np.linspace(*_SHOWN_RANGE, 7) if values is None else np.asarray(values)
    return self.decode(traversals.traverse(base, values))

  def evaluated(
    self, representation: str, data: ground_truth_data.GroundTruthData
  ) -> tuple[str, run_folder.StageFolder]:
    """Returns the name and the folder of a representation.

    It is made where it is missing, and again where it is of a model that was there before.
    """
    stage = self.folder.representation(representation)
    is_stale = results.is_complete(stage.path, "postprocess") and results.read_provenance(
      stage.path, "postprocess"
    ).get("input_sha256") != files.manifest_digest(self.stage.saved_model)
    postprocess.postprocess_with_gin(
      self.stage.path,
      stage.path,
      is_stale,
      [f"postprocess/{representation}.gin"],
      [f"dataset.name = {data.name!r}"],
      trust_model=self.trust_model,
      dataset=data,
    )
    return representation, stage

  def picture(self) -> np.ndarray:
    """Returns a traversal from the prior's mean."""
    return self.traverse()[:_SHOWN_LATENTS]

  def picture_png(self) -> bytes:
    """Returns `picture` as a PNG file, of vectors as lines that need matplotlib."""
    if not observations.is_vector(self.image_shape):
      return super().picture_png()
    from dl_condind.visualize import figures  # It needs matplotlib.
    from dl_condind.visualize import vector_figures

    values = np.linspace(*_SHOWN_RANGE, 21)
    return figures.to_png(vector_figures.traversals(self.traverse(values=values), values))
