"""Mutual information gap along the best rotation of the latents: is it rotated, or destroyed?

`aligned_mig` looks along axes that are known without labels. Here labels choose the axes, on one
half of the points, and the gap along them is that of the other half.
"""

from collections.abc import Callable
import itertools
from typing import Any
from typing import NamedTuple

import numpy as np

from dl_condind.evaluation import checks
from dl_condind.evaluation import gin_settings
from dl_condind.evaluation import latent_axes
from dl_condind.evaluation import metric
from dl_condind.evaluation.information import discrete_information
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import aligned_mig
from dl_condind.evaluation.metrics import mig
from dl_condind.utils import errors

STARTS = ("latents", "noise_eigenbasis", "pca", "class_means")
_MIN_POINTS = 4  # two in each half
_MAX_SWEEPS = 10
_MIN_GAIN = 1e-3  # of the gap by a sweep; less ends the search
_ROUNDING = 1e-9  # of the gap, which chooses no angle
# Degrees by which a plane is turned: first all there are, in steps of 15 (90 only exchanges two
# axes), then beside the best one.
_ANGLES = ((-30.0, -15.0, 15.0, 30.0, 45.0), (-5.0, 5.0), (-5 / 3, 5 / 3))


@metric.metric("rotated_mig", draw=aligned_mig.points_and_noise)
def compute_rotated_mig(
  representations: np.ndarray,
  factors: np.ndarray,
  noise_covariance: np.ndarray | None,
  random_state: np.random.RandomState,
  num_nulls: int = 3,
  num_rotations: int = 10,
) -> dict[str, Any]:
  """Returns `rotated_mutual_information_gap` of sampled points, with gin's `discretizer`."""
  return rotated_mutual_information_gap(
    representations,
    factors,
    noise_covariance,
    random_state,
    gin_settings.discretize,
    num_nulls,
    num_rotations,
  )


def rotated_mutual_information_gap(
  representations: np.ndarray,
  factors: np.ndarray,
  noise_covariance: np.ndarray | None = None,
  random_state: np.random.RandomState | None = None,
  discretize: Callable[[np.ndarray], np.ndarray] = discretization.histogram_of_20_bins,
  num_nulls: int = 3,
  num_rotations: int = 10,
) -> dict[str, Any]:
  """Returns the best mutual information gap over orthonormal axes, fitted on half of the points.

  Jacobi sweeps over all pairs of axes turn each pair to the angle with the largest gap, until a
  sweep gains less than 0.001. They start from the latents, the noise's eigenbasis, the principal
  axes and `latent_axes.class_mean_axes`; what gives the largest gap on the half that was fitted is
  scored on the other half. The search finds local optima, so the best rotation may be a little
  better still.

  Two nulls. The same procedure with the factors of the points shuffled: what fitting gains from
  nothing. And random rotations of the code: what axes without a meaning score.

  Args:
    representations: `[num_points, num_latent]`.
    factors: Ground truth, `[num_points, num_factors]`; columns that are not whole numbers
      everywhere are discretized too.
    noise_covariance: Covariance of z given x, averaged over observations, `[num_latent,
      num_latent]`, or None, which leaves out the noise eigenbasis.
    random_state: State of the halves, shuffles and random rotations; None stands for seed 0.
    discretize: Function of an array that returns the bins of each column; 20 of equal width
      unless it is given.
    num_nulls: Number of shuffles.
    num_rotations: Number of random rotations.

  Returns:
    Along the fitted axes, on the half that was not fitted: `rotated_mig`, and from
    `mig.gap_of_codes` the gap of each factor, `mutual_information_matrix` and the like.
    `rotated_mig_fit`, on the half that was; `rotated_mig_start`, where the search started, and
    `rotated_mig_converged`; `rotation`, `[num_latent][num_latent]`, its columns the axes.
    `rotated_mig_null` and `random_rotation_mig`, the means of the nulls, and their `..._std`.
    On the half that was not fitted, for comparison: `{start}.mig` along each start, or None.

  Raises:
    ConfigError: If there are fewer than two latents or four points, no factor varies in a half, a
      value is not finite or so large that a variance overflows, a number of nulls is not positive
      or noise_covariance is not of the size of the representation.
  """
  checks.check_count("rotated_mig.num_nulls", num_nulls, 1)
  checks.check_count("rotated_mig.num_rotations", num_rotations, 1)
  random_state = np.random.RandomState(0) if random_state is None else random_state
  factors = discretization.discretize_continuous(factors, discretize)
  code = _centered(np.asarray(representations), factors)
  order = random_state.permutation(len(code))
  halves = order[: len(code) // 2], order[len(code) // 2 :]
  starts = {"latents": np.eye(code.shape[1])}
  starts |= latent_axes.axes_without_labels(code[halves[0]], noise_covariance)

  def score(axes: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    coordinates = latent_axes.coordinates(code, axes)[halves[1]]
    return mig.gap_of_codes(discretize(coordinates), labels[halves[1]])

  def fit(labels: np.ndarray) -> _Fit:
    return _best_fit(code[halves[0]], labels[halves[0]], starts, discretize)

  fitted = fit(factors)
  results = score(fitted.axes, factors)
  nulls = []
  for _ in range(num_nulls):
    shuffled = factors[random_state.permutation(len(factors))]
    nulls.append(score(fit(shuffled).axes, shuffled)["discrete_mig"])
  rotations = [
    score(latent_axes.random_axes(code.shape[1], random_state), factors)["discrete_mig"]
    for _ in range(num_rotations)
  ]
  of_starts = dict.fromkeys(STARTS)
  for name, axes in fitted.starts.items():
    of_starts[name] = score(axes, factors)["discrete_mig"]
  return {
    "rotated_mig": results.pop("discrete_mig"),
    "rotated_mig_fit": fitted.gap,
    "rotated_mig_start": fitted.start,
    "rotated_mig_converged": fitted.converged,
    **_mean_and_std("rotated_mig_null", nulls),
    **_mean_and_std("random_rotation_mig", rotations),
    **{f"{name}.mig": gap for name, gap in of_starts.items()},
    "rotation": fitted.axes.tolist(),
    **results,
  }


def _centered(representations, factors):
  """Returns the code with mean 0 in float64, once it is checked."""
  mig.check_points(representations, factors)
  checks.check_finite("The representation", representations)
  checks.check_powers("The representation", representations.astype(np.float64), power=4)
  if len(representations) < _MIN_POINTS:
    raise errors.ConfigError(
      f"rotated_mig needs at least {_MIN_POINTS} points, got {len(representations)}: raise "
      "rotated_mig.num_train."
    )
  return representations - np.mean(representations, axis=0, dtype=np.float64)


def _mean_and_std(name, values):
  return {name: float(np.mean(values)), f"{name}_std": float(np.std(values))}


class _Fit(NamedTuple):
  """Axes with the largest gap that was found on the points to fit."""

  gap: float
  axes: np.ndarray
  converged: bool
  start: str
  starts: dict[str, np.ndarray]


def _best_fit(code, factors, starts, discretize):
  """Returns the best of the searches from each start and from the axes of the class means."""
  mig.check_points(code, factors)
  factors = factors[:, checks.varies(factors)]
  starts = starts | {"class_means": latent_axes.class_mean_axes(code, factors)}
  best = None
  for name, axes in starts.items():
    found = _Fit(*_jacobi_search(code, factors, axes, discretize), start=name, starts=starts)
    if best is None or found.gap > best.gap + _ROUNDING:
      best = found
  return best


def _jacobi_search(code, factors, axes, discretize):
  """Turns pairs of axes until the gap grows no more; returns it, the axes and whether it ended."""
  entropy = discrete_information.discrete_entropy(factors)
  negligible = latent_axes.NEGLIGIBLE_VARIANCE * np.linalg.eigvalsh(np.cov(code.T, ddof=0))[-1]

  def information_of(rows: np.ndarray) -> np.ndarray:
    rows = rows * (np.var(rows, axis=1, keepdims=True) > negligible)
    return discrete_information.discrete_mutual_info(discretize(rows.T), factors)

  axes = axes.copy()
  coordinates = (code @ axes).T.copy()  # [num_latent, num_points]
  information = information_of(coordinates)  # [num_latent, num_factors]
  gap = np.mean(mig.gaps(information, entropy))
  for _ in range(_MAX_SWEEPS):
    gap_before = gap
    for pair in map(list, itertools.combinations(range(len(axes)), 2)):
      # A turn in a plane changes two rows of the coordinates and of the information, no more.
      turn = _best_turn(coordinates[pair], information, pair, gap, entropy, information_of)
      if turn is not None:
        gap, rotation, information[pair] = turn
        axes[:, pair] = axes[:, pair] @ rotation
        coordinates[pair] = rotation.T @ coordinates[pair]
    if gap < gap_before + _MIN_GAIN:
      return float(gap), axes, True
  return float(gap), axes, False


def _best_turn(plane, information, pair, gap, entropy, information_of):
  """Returns the gap, the rotation and the information of two axes at the best angle, None if 0.

  Args:
    plane: Coordinates along the two axes, `[2, num_points]`.
    information: Of all axes, `[num_latent, num_factors]`, nats.
    pair: Indices of the two.
    gap: Mean gap without a turn.
    entropy: Of the factors, `[num_factors]`.
    information_of: Function of coordinates that returns their information.
  """
  best, angle = None, 0.0
  for steps in _ANGLES:
    angles = angle + np.deg2rad(steps)
    cosines, sines = np.cos(angles), np.sin(angles)
    rotations = np.array([[cosines, -sines], [sines, cosines]]).transpose(2, 0, 1)
    turned = np.swapaxes(rotations, 1, 2) @ plane  # [num_angles, 2, num_points]
    rows = information_of(turned.reshape(-1, plane.shape[1])).reshape(len(angles), 2, -1)
    candidates = np.repeat(information[None], len(angles), axis=0)
    candidates[:, pair] = rows
    gaps = np.mean(mig.gaps(candidates, entropy), axis=-1)  # [num_angles]
    first = np.argmax(gaps >= gaps.max() - _ROUNDING)
    if gaps[first] > gap + _ROUNDING:
      gap, angle = gaps[first], angles[first]
      best = gap, rotations[first], rows[first]
  return best
