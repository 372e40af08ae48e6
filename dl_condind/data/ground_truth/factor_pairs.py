"""Joint distributions of two factors that are correlated, as papers and their code have them."""

from collections.abc import Callable
from collections.abc import Mapping
import math
import types

import numpy as np

from dl_condind.utils import errors


def gaussian(sizes: tuple[int, int], strength: float) -> np.ndarray:
  """Returns log weights -(f1/n1 - f2/n2)^2 / (2 s^2), `[n1, n2]`.

  The formula in Section 3 of Traeuble et al. (2021), arXiv:2006.07886.

  Args:
    sizes: Numbers of values n1 and n2 of the factors.
    strength: s.
  """
  first, second = (np.arange(size) / size for size in sizes)
  return -((first[:, None] - second) ** 2) / (2 * strength**2)


def unit_gaussian(sizes: tuple[int, int], strength: float) -> np.ndarray:
  """Returns log weights -(f1/(n1 - 1) - f2/(n2 - 1))^2 / (2 s^2), `[n1, n2]`.

  As the code of Roth et al. (2023), arXiv:2210.07347, which scales each factor to [0, 1]; a factor
  of one value is 0.

  Args:
    sizes: Numbers of values n1 and n2 of the factors.
    strength: s.
  """
  first, second = (np.arange(size) / max(1, size - 1) for size in sizes)
  return -((first[:, None] - second) ** 2) / (2 * strength**2)


def line(sizes: tuple[int, int], strength: float) -> np.ndarray:
  """Returns log weights of a blurred line through the grid of the factors, `[n1, n2]`.

  As the code of Traeuble et al. (2021): a line from (0, 0) to (n1, n2), `ceil(s * min(n1, n2))`
  wide, blurred by a Gaussian kernel of `min(n1, n2) // 4` cells, made odd. Cells that it does not
  reach have probability zero. From s = 1 on, factors are uniform and independent.

  Args:
    sizes: Numbers of values n1 and n2 of the factors.
    strength: s.

  Raises:
    ConfigError: If OpenCV is not installed.
  """
  if strength >= 1:
    return np.zeros(sizes)
  cv2 = _import_opencv()
  raster = np.zeros(sizes, np.uint8)  # [rows, columns] = [f1, f2]; OpenCV's points are (f2, f1).
  cv2.line(raster, (0, 0), sizes[::-1], 255, math.ceil(strength * min(sizes)))
  width = min(sizes) // 4
  width += 1 - width % 2
  blurred = cv2.GaussianBlur(raster, (width, width), 0).astype(np.float64)
  with np.errstate(divide="ignore"):
    return np.log(blurred / blurred.sum())


def _import_opencv() -> types.ModuleType:
  try:
    import cv2
  except ImportError as error:
    raise errors.ConfigError(
      "FactorDistribution.kind='line' needs OpenCV, with which the published code draws the line: "
      "run `pip install opencv-python-headless`, or take kind='gaussian'."
    ) from error
  return cv2


def pearson(joint: np.ndarray) -> float:
  """Returns the correlation of two integers with this joint distribution, 0 if one is constant."""
  x, y = (np.arange(size) for size in joint.shape)
  p_x, p_y = joint.sum(axis=1), joint.sum(axis=0)
  mean_x, mean_y = p_x @ x, p_y @ y
  variance = (p_x @ (x - mean_x) ** 2) * (p_y @ (y - mean_y) ** 2)
  if variance == 0:
    return 0.0
  return float((x - mean_x) @ joint @ (y - mean_y) / np.sqrt(variance))


KINDS: Mapping[str, Callable[[tuple[int, int], float], np.ndarray]] = {
  "gaussian": gaussian,
  "line": line,
  "unit_gaussian": unit_gaussian,
}
