"""What a metric sees of a model: arrays sampled once, encoded once and handed on.

`Representation` wraps the functions of a stored model, whatever made them; TensorFlow is not needed
here. `generate_batch_factor_code` draws the points of the metrics that compare representations with
factors. Metrics that need the model's own posterior draw theirs with `posterior_samples`.
"""

from collections.abc import Callable

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import codes
from dl_condind.utils import errors


class Representation:
  """A representation function together with what its model can tell about an observation.

  Called on observations `[batch, ...]` it returns representations `[batch, num_latent]`. It keeps
  the codes of each data set, so that metrics share them. Every function takes and returns NumPy
  arrays.

  Attributes:
    gaussian_encoder: Observations -> `{"mean": [batch, num_latent], "logvar": [batch, num_latent],
      "scale_tril": [batch, num_latent, num_latent]}` of q(z|x), or None.
    elbo_terms: Observations -> `{"reconstruction_loss", "kl_loss", "kl_loss_full"}`, each
      `[batch]`, in nats, or None.
    fisher_gram: Latents `[batch, num_latent]` -> Fisher information of the decoder with respect to
      them, `[batch, num_latent, num_latent]`, nats, or None.
  """

  def __init__(
    self,
    representation_fn: Callable[[np.ndarray], np.ndarray],
    gaussian_encoder: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None,
    elbo_terms: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None,
    row_representation_fn: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    fisher_gram: Callable[[np.ndarray], np.ndarray] | None = None,
  ):
    """Takes the functions of a model.

    Args:
      representation_fn: Observations -> representations.
      gaussian_encoder: See above.
      elbo_terms: See above.
      row_representation_fn: Observations and their rows in the data set -> representations, where
        noise is a function of the row; None stands for representation_fn of the observations.
      fisher_gram: See above.
    """
    self.fisher_gram = fisher_gram
    self.gaussian_encoder = gaussian_encoder
    self.elbo_terms = elbo_terms
    self._functions = (representation_fn, row_representation_fn)
    self._codes: dict[int, codes.Codes] = {}

  def __call__(self, observations: np.ndarray) -> np.ndarray:
    """Returns the representations of observations, `[batch, num_latent]`."""
    return self._functions[0](observations)

  def codes(self, ground_truth_data: ground_truth.GroundTruthData) -> codes.Codes:
    """Returns the codes of a data set."""
    key = id(ground_truth_data)  # Which no other can take over, as the codes keep the data set.
    if key not in self._codes:
      self._codes[key] = codes.Codes(ground_truth_data, *self._functions)
    return self._codes[key]


def codes_of(
  representation_function: Callable, ground_truth_data: ground_truth.GroundTruthData
) -> codes.Codes:
  """Returns the codes of a data set, which a `Representation` keeps for later metrics."""
  if isinstance(representation_function, Representation):
    return representation_function.codes(ground_truth_data)
  return codes.Codes(ground_truth_data, representation_function)


def model_function(representation_function: Callable, name: str, metric: str) -> Callable:
  """Returns the model's own function of this name, such as `gaussian_encoder`.

  Raises:
    ConfigError: If the representation does not have it, with the metric that needs it.
  """
  function = getattr(representation_function, name, None)
  if function is None:
    raise errors.ConfigError(
      f"{metric} needs the model's {name}, which this representation function does not have: "
      "evaluate the stored representation of a VAE, or leave this metric out."
    )
  return function


def generate_batch_factor_code(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  num_points: int,
  random_state: np.random.RandomState,
  batch_size: int,
  needs_factors: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
  """Samples observations and returns their representations with their factors.

  The points are drawn in batches of batch_size, the last one smaller, as disentanglement_lib draws
  them: the same random state gives the same points. Encoding goes in larger chunks. The arrays are
  its arrays transposed.

  A `Representation` encodes each row of a data set once and, for a data set without rows, each draw
  from the same state of random_state; see `codes.Codes`.

  Args:
    ground_truth_data: Data set to sample from.
    representation_function: Observations -> representations.
    num_points: Number of points.
    random_state: State that every draw comes from.
    batch_size: Number of points of one draw.
    needs_factors: Whether a data set without factors is an error.

  Returns:
    Representations, `[num_points, num_latent]`, in the floating point type of the representation
    function (bin edges depend on it), and factors, int64 or, if a factor of the data set is
    continuous, float64 `[num_points, num_factors]`.

  Raises:
    ConfigError: If a count is not positive, a representation is misshapen or not finite, or there
      are no factors.
  """
  if needs_factors:
    checks.check_has_factors(ground_truth_data)
  checks.check_count("The number of points to evaluate on", num_points, 1)
  checks.check_count("batch_size", batch_size, 1)
  sizes = [min(batch_size, num_points - start) for start in range(0, num_points, batch_size)]
  representations, factors = codes_of(representation_function, ground_truth_data).sample(
    sizes, random_state
  )
  is_continuous = np.issubdtype(factors.dtype, np.floating)
  return representations, factors.astype(np.float64 if is_continuous else np.int64)


def generate_splits(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: Callable,
  num_train: int,
  num_test: int,
  random_state: np.random.RandomState,
  batch_size: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
  """Returns representations and factors of points to fit and, drawn after those, to test on.

  Arguments, shapes and errors as `generate_batch_factor_code`.
  """
  draws = (ground_truth_data, representation_function)
  train = generate_batch_factor_code(*draws, num_train, random_state, batch_size)
  test = generate_batch_factor_code(*draws, num_test, random_state, batch_size)
  return *train, *test
