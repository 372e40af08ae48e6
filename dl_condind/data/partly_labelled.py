"""Batches of images, some of which have labels: what semi-supervised methods learn from.

As in disentanglement_lib, a few labelled observations are drawn before the training. The first of
them are for the training, in their order again and again, the others for the final evaluation.
Images without labels are drawn anew for each batch.
"""

import copy
import numbers
from typing import Any
from typing import NamedTuple
from typing import Self

import numpy as np

from dl_condind.data import batches
from dl_condind.data import labelled_samples
from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.utils import checks
from dl_condind.utils import errors
from dl_condind.utils import limits
from dl_condind.utils import seeds


class LabelledBatch(NamedTuple):
  """A batch of images and as many labelled ones.

  Attributes:
    images: Images without labels, `[num, height, width, channels]`.
    labelled_images: Others, of the same shape.
    labels: Labels of these, float32 `[num, num_labels]`.
  """

  images: Any
  labelled_images: Any
  labels: Any


class PartlyLabelled(batches.Batches):
  """Images of which a few have labels.

  Attributes:
    num_labelled_samples: Number of labelled observations.
    train_percentage: Fraction of them to train on.
    seed: Seed of the labelled observations, None for that of the run.
    labeller_fn: What makes labels of factors.
  """

  what = "images with labels for some of them"
  how_to_make = "make them of the data set by dl.PartlyLabelled(data, num_labelled_samples=100)"

  def __init__(
    self,
    data: ground_truth_data.GroundTruthData,
    num_labelled_samples: int,
    train_percentage: float = 0.9,
    seed: int | None = None,
    labeller_fn: labelled_samples.Labeller = labelled_samples.perfect_labeller,
  ):
    """Describes the batches. Nothing is drawn yet.

    Args:
      data: The data set.
      num_labelled_samples: Number of labelled observations, those to test on included.
      train_percentage: Fraction of them to train on, in (0, 1), rounded up to a whole observation.
      seed: Seed of the labelled observations and their labels, in [0, 2**32), the same as
        `validation.random_seed` of disentanglement_lib. None stands for the seed of the run.
      labeller_fn: What makes labels of factors, such as `labelled_samples.bin_labeller`.

    Raises:
      ConfigError: If a setting is out of range, nothing would be left to train or to test on, or
        the data set has no factors.
    """
    super().__init__(data)
    name = "model.num_labelled_samples"
    if not isinstance(num_labelled_samples, numbers.Integral):
      raise errors.ConfigError(f"{name} must be a whole number, got {num_labelled_samples!r}.")
    checks.check_in(name, num_labelled_samples, 1, limits.MAX_BATCH_SIZE)
    labelled_samples.split(
      train_percentage, "model.train_percentage", np.arange(num_labelled_samples)
    )
    if seed is not None:
      seeds.check_seed("model.supervised_data_seed", seed)
    labelled_samples.check_has_factors(data)
    self.num_labelled_samples: int = num_labelled_samples
    self.train_percentage: float = train_percentage
    self.seed: int | None = seed
    self.labeller_fn: labelled_samples.Labeller = labeller_fn
    self._sample: labelled_samples.LabelledSample | None = None
    self._is_evaluation: bool = False

  def prepared(self, seed: int, reads_data: bool = True) -> Self:
    """Returns the same with its labelled observations drawn, which are held once.

    Args:
      seed: Seed of the run.
      reads_data: Whether to draw them. Else there are as many labels, maybe of other factors, and
        no images.

    Raises:
      ConfigError: If the labeller refuses the factors.
      DatasetError: If the data set cannot be read.
    """
    found = copy.copy(self)
    if reads_data:
      own_seed = seed if self.seed is None else self.seed
      found._sample = labelled_samples.sample(
        self.data, self.num_labelled_samples, own_seed, self.labeller_fn
      )
    return found

  def for_evaluation(self) -> Self:
    """Returns the same with the labelled observations that are not trained on."""
    found = copy.copy(self)
    found._is_evaluation = True
    return found

  @property
  def num_values(self) -> list[int]:
    """Number of values of each label."""
    if self._sample is not None:
      return self._sample.num_values
    factors = np.zeros((1, self.data.num_factors), np.int64)
    return [int(n) for n in self.labeller_fn(factors, self.data, np.random.RandomState(0))[1]]

  def check_classes(self, loss: str) -> None:
    """Checks that labels are whole numbers from 0 to one less than the number of their values.

    Args:
      loss: The gin name of what needs it.

    Raises:
      ConfigError: If one is not.
    """
    labels = np.zeros((0, 1)) if self._sample is None else self._sample.labels
    sizes = np.array(self.num_values)
    wrong = (labels != np.floor(labels)) | (labels < 0) | (labels >= sizes)
    if wrong.any():
      row, column = np.argwhere(wrong)[0]
      raise errors.ConfigError(
        f"{loss} needs labels that are whole numbers from 0 to one less than the number of their "
        f"values, and label {column} of {self.data.name}, with {sizes[column]} values, is "
        f"{labels[row, column]:g} once: choose another supervised_loss.loss_fn, or a labeller that "
        "gives such labels."
      )

  def layout(self, num: int) -> LabelledBatch:
    """Returns the layouts of both kinds of images and of the labels."""
    images = batches.Layout((num, *self.data.observation_shape), np.float32)
    return LabelledBatch(images, images, batches.Layout((num, len(self.num_values)), np.float32))

  def sample(self, num: int, random_state: np.random.RandomState, step: int = 0) -> LabelledBatch:
    """Returns images drawn from random_state, and the labelled ones whose turn it is in a step."""
    images = self.data.sample_observations(num, random_state)
    return LabelledBatch(images, *self._labelled(np.arange(step * num, (step + 1) * num)))

  def _labelled(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns observations and labels at positions, which begin again after the last one."""
    if self._sample is None:
      raise RuntimeError("The labelled observations are not drawn: `prepared` does.")
    both = labelled_samples.split(
      self.train_percentage,
      "model.train_percentage",
      self._sample.observations,
      self._sample.labels,
    )
    observations, labels = both[self._is_evaluation]
    rows = positions % len(labels)
    return observations[rows], labels[rows]
