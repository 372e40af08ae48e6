"""What a metric sees of an InfoGAN: a generator of images from codes, and what reads images.

All functions take and return NumPy arrays; TensorFlow is not needed here.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
from typing import Protocol

import numpy as np

from dl_condind.evaluation import checks
from dl_condind.utils import errors

PRIORS = ("normal", "uniform")


@dataclasses.dataclass(frozen=True)
class Codes:
  """Codes of images, row by row.

  Attributes:
    continuous: float32 `[num, num_continuous]`.
    noise: float32 `[num, num_noise]`, the part of the latent code that is not to be recovered.
    categories: int64 `[num]` in [0, num_categories), or None if there is no categorical code.
  """

  continuous: np.ndarray
  noise: np.ndarray
  categories: np.ndarray | None


class Classifier(Protocol):
  """A classifier of digits.

  Attributes:
    results: What a record says about it.
  """

  results: Mapping[str, float | str]

  def probabilities(self, images: np.ndarray) -> np.ndarray:
    """Returns the probabilities of the ten digits, `[num, 10]`."""


@dataclasses.dataclass(frozen=True)
class CodedGenerator:
  """An InfoGAN together with a classifier of its images.

  Attributes:
    num_continuous: Number of continuous codes.
    num_noise: Number of noise dimensions.
    num_categories: Number of values of the categorical code, 0 if there is none.
    continuous_prior: "normal", N(0, 1), or "uniform", on [-1, 1]: what the codes were drawn from in
      training.
    generate: Codes -> images, `[num, height, width, channels]` in [0, 1].
    recognize: Images -> the recognition network's `mean`, `logvar` `[num, num_continuous]` and
      `scale_tril` `[num, num_continuous, num_continuous]`, and `categorical_logits` `[num,
      num_categories]` if there is a categorical code.
    load_classifier: Returns a classifier of the images, which may have to be trained first.
  """

  num_continuous: int
  num_noise: int
  num_categories: int
  continuous_prior: str
  generate: Callable[[Codes], np.ndarray]
  recognize: Callable[[np.ndarray], dict[str, np.ndarray]]
  load_classifier: Callable[[], Classifier]

  def __call__(self, observations: np.ndarray) -> np.ndarray:
    """Refuses: metrics of a representation have nothing to work on.

    Raises:
      ConfigError: Always.
    """
    raise errors.ConfigError(
      "This is an InfoGAN, whose codes make images and are no representation of given ones: "
      "evaluate it with infogan/infogan_disentanglement.gin."
    )


def draw_codes(generator: CodedGenerator, num: int, random_state: np.random.RandomState) -> Codes:
  """Returns codes drawn as in training: the parts independently, each from its prior.

  Args:
    generator: Whose codes.
    num: Number of rows.
    random_state: State that every draw comes from.

  Raises:
    ConfigError: If the prior of the continuous codes is not one of `PRIORS`.
  """
  shape = (num, generator.num_continuous)
  checks.check_choice("The prior of continuous codes", generator.continuous_prior, PRIORS)
  if generator.continuous_prior == "normal":
    continuous = random_state.normal(size=shape)
  else:
    continuous = random_state.uniform(-1.0, 1.0, size=shape)
  noise = random_state.normal(size=(num, generator.num_noise))
  categories = None
  if generator.num_categories:
    categories = random_state.randint(generator.num_categories, size=num)
  return Codes(continuous.astype(np.float32), noise.astype(np.float32), categories)


def traverse(codes: Codes, code: int, values: np.ndarray) -> Codes:
  """Returns codes in which one continuous code takes each value and all others stay.

  Args:
    codes: `num` rows.
    code: Index of the continuous code.
    values: `[num_values]`.

  Returns:
    `num * num_values` rows, the values of the first row of codes first.
  """
  num_values = len(values)
  continuous = np.repeat(codes.continuous, num_values, axis=0)
  continuous[:, code] = np.tile(values, len(codes.continuous))
  categories = None if codes.categories is None else np.repeat(codes.categories, num_values)
  return Codes(continuous, np.repeat(codes.noise, num_values, axis=0), categories)
