"""Small images of one bright spot: a data set on which a training takes a minute.

Nothing is downloaded. Its factors are continuous in what they do to an image, none is periodic, and
the spot moves over twice the range in x than in y, so that nothing makes a diagonal as good.
"""

import hashlib
import pathlib

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data

_SIZE = 16  # pixels
_CENTER_X = np.linspace(-0.6, 0.6, 10)  # The edges of an image are at -1 and 1.
_CENTER_Y = np.linspace(-0.3, 0.3, 10)
_WIDTH = np.linspace(0.2, 0.4, 6)
_BRIGHTNESS = np.linspace(0.4, 1.0, 6)


class Spots(ground_truth_data.TableData):
  """All 3,600 images of a Gaussian spot, brightness exp(-distance^2 / (2 width^2)).

  | index | factor     | values                    |
  | ----- | ---------- | ------------------------- |
  | 0     | position_x | 10, over 0.6 of the image |
  | 1     | position_y | 10, over 0.3 of the image |
  | 2     | width      | 6                         |
  | 3     | brightness | 6                         |
  """

  def __init__(self):
    values = (_CENTER_X, _CENTER_Y, _WIDTH, _BRIGHTNESS)
    super().__init__(
      name="spots",
      factor_names=["position_x", "position_y", "width", "brightness"],
      factor_sizes=list(map(len, values)),
      latent_factor_indices=[0, 1, 2, 3],
      observation_shape=(_SIZE, _SIZE, 1),
      packed=False,
    )

  def read_table(self, folder: pathlib.Path) -> tuple[np.ndarray, dict[str, str]]:
    """Returns the images, uint8 `[3600, 16, 16, 1]`, and where they come from."""
    del folder
    pixels = (np.arange(_SIZE) + 0.5) / _SIZE * 2 - 1
    shape = (10, 10, 6, 6, _SIZE, _SIZE)
    x, y, width, brightness = np.ix_(_CENTER_X, _CENTER_Y, _WIDTH, _BRIGHTNESS)
    x, y, width, brightness = (v[..., None, None] for v in (x, y, width, brightness))
    squares = (pixels[None, :] - x) ** 2 + (pixels[:, None] - y) ** 2
    images = np.broadcast_to(brightness * np.exp(-squares / (2 * width**2)), shape)
    table = np.rint(255 * images).astype(np.uint8).reshape(-1, _SIZE, _SIZE, 1)
    return table, {"source": "rendered", "sha256": hashlib.sha256(table.tobytes()).hexdigest()}
