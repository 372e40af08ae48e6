import pathlib

import numpy as np
import pytest

from dl_condind.data.ground_truth import ground_truth_data


class SmallTable(ground_truth_data.TableData):
  """3 x 4 images of 2 x 2 pixels; the factor of 5 values is drawn for every observation."""

  def __init__(self):
    super().__init__(
      name="small_table",
      factor_names=["a", "hidden", "b"],
      factor_sizes=[3, 5, 4],
      latent_factor_indices=[0, 2],
      observation_shape=(2, 2, 1),
      packed=False,
    )

  def read_table(self, folder: pathlib.Path):
    table = np.arange(60 * 4, dtype=np.uint8).reshape(60, 2, 2, 1)
    return table, {"source": "synthetic", "sha256": "none"}


@pytest.fixture
def small_table():
  """Returns the class of a small table of images."""
  return SmallTable
