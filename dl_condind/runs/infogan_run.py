"""A trained InfoGAN."""

import functools

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.runs import run
from dl_condind.saved_models import saved_model
from dl_condind.saved_models import stored_infogan
from dl_condind.utils import errors
from dl_condind.utils import priors
from dl_condind.utils import run_config
from dl_condind.utils import run_folder


class InfoGANRun(run.Run):
  """A trained InfoGAN."""

  metrics_folder = "infogan"

  @functools.cached_property
  def model(self) -> stored_infogan.StoredInfoGAN:
    """The SavedModel as functions of NumPy arrays, loaded on first use.

    Raises:
      DatasetError: If it is missing, damaged or not harmless.
    """
    with saved_model.trusting(self.trust_model):
      return stored_infogan.StoredInfoGAN(self.stage.saved_model)

  def evaluated(
    self, representation: str, data: ground_truth_data.GroundTruthData
  ) -> tuple[str, run_folder.StageFolder]:
    """Returns the name and the folder of the model: its metrics need no representation."""
    del representation, data
    return run_folder.MODEL, self.stage

  @property
  def num_continuous(self) -> int:
    """Number of continuous codes."""
    return self.model.num_continuous

  def generate(
    self, continuous: np.ndarray, categories: np.ndarray | None = None, seed: int = 0
  ) -> np.ndarray:
    """Returns the images of codes, [num, height, width, channels] in [0, 1].

    Args:
      continuous: [num, num_continuous].
      categories: Whole numbers from 0, [num]; None draws them.
      seed: Seed of the noise, which is the other part of a code, and of the categories.

    Raises:
      ConfigError: If the codes have another shape, or a category is out of range. It is a
        ValueError.
    """
    continuous = np.asarray(continuous, np.float32)
    if continuous.ndim != 2 or continuous.shape[1] != self.num_continuous:
      raise errors.ConfigError(
        f"continuous must be [num, {self.num_continuous}], got {list(continuous.shape)}."
      )
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((len(continuous), self.model.num_noise), np.float32)
    if not self.model.num_categories:
      categories = None
    elif categories is None:
      categories = rng.integers(self.model.num_categories, size=len(continuous))
    else:
      categories = self._checked_categories(categories, len(continuous))
    return self.model.generate(continuous, noise, categories)

  def _checked_categories(self, categories: np.ndarray, num: int) -> np.ndarray:
    categories, most = np.asarray(categories), self.model.num_categories - 1
    if categories.shape != (num,) or categories.dtype.kind not in "iu":
      raise errors.ConfigError(
        f"categories must be whole numbers, [{num}] as there are codes, got {categories.dtype} "
        f"{list(categories.shape)}."
      )
    if num and not 0 <= categories.min() <= categories.max() <= most:
      raise errors.ConfigError(
        f"categories must be in [0, {most}], got {categories.min()} to {categories.max()}."
      )
    return categories

  def recognize(self, images: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what the recognition network finds in images.

    Args:
      images: [num, height, width, channels], uint8, or floating point in [0, 1].

    Returns:
      `mean`, `logvar` and `scale_tril` of q(z|x) of the continuous codes, and `categorical_logits`.

    Raises:
      ConfigError: If images have another shape or type, or are out of range. It is a ValueError.
    """
    images = run.check_images(images, self.model.image_shape)
    if images.dtype == np.uint8:
      images = images.astype(np.float32) / np.float32(255)
    return self.model.recognize(images)

  def picture(self) -> np.ndarray:
    """Returns images whose first continuous code grows from left to right, all else equal."""
    limit = priors.traversal_limit(
      run_config.setting(self.config, f"{run_config.method(self.config)}.continuous_prior")
    )
    continuous = np.zeros((7, self.num_continuous))
    continuous[:, 0] = np.linspace(-limit, limit, 7)
    num_rows = self.model.num_categories or 1
    noise = np.random.default_rng(0).standard_normal((num_rows, self.model.num_noise), np.float32)
    images = self.model.generate(
      np.tile(continuous, (num_rows, 1)),
      np.repeat(noise, 7, axis=0),
      np.repeat(np.arange(num_rows), 7) if self.model.num_categories else None,
    )
    return images.reshape(num_rows, 7, *images.shape[1:])
