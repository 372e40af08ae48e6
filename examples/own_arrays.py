r"""Images of your own in one file: writes own.npz, squares of 4 sizes at 16 x 16 places.

Make the file and train on it:

  python examples/own_arrays.py
  dl_condind_train --model_dir=output/own/model --gin_config=shared.gin \
    --gin_config=methods/vae.gin --gin_bindings="dataset.name = 'arrays'" \
    --gin_bindings="arrays.path = 'own.npz'" --gin_bindings="model.training_steps = 200"

Later stages find the file by themselves, from the same folder.
"""

import itertools

import numpy as np

FACTORS = np.array(list(itertools.product(range(4), range(16), range(16))))  # [1024, 3]


def draw(size, x, y):
  """Returns an image of a white square, `[64, 64, 1]`."""
  image = np.zeros((64, 64, 1), np.uint8)
  width = 4 * (size + 1)
  image[3 * y : 3 * y + width, 3 * x : 3 * x + width] = 255
  return image


if __name__ == "__main__":
  np.savez_compressed(
    "own.npz",
    observations=np.stack([draw(*factors) for factors in FACTORS]),
    factors=FACTORS,
    factor_names=["size", "x", "y"],
    factor_sizes=[4, 16, 16],
  )
