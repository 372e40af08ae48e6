"""Pictures of the pairs of images that weakly supervised methods learn from."""

import pathlib

import numpy as np

from dl_condind.data import batches
from dl_condind.visualize import image_grids
from dl_condind.visualize import picture_folders

NUM_PAIRS = 10
_SECONDS = 1.0  # of an image in the animation


def save_pairs(
  pairs: batches.Pairs, random_state: np.random.RandomState, folder: pathlib.Path
) -> None:
  """Writes pairs side by side with the names of what changed, and as an animation.

  Args:
    pairs: What the pairs are drawn from; its data set has images.
    random_state: State that every draw comes from.
    folder: Where `pairs.png` and `pairs.gif` go; it is made.
  """
  data = pairs.data
  before = data.sample_factors(NUM_PAIRS, random_state)
  after, changed = zip(*(pairs.step(row, random_state) for row in before), strict=True)
  drawn = data.sample_observations_from_factors(np.concatenate([before, after]), random_state)
  first, second = np.split(image_grids.enlarged(drawn), 2)
  names = [", ".join(data.factor_names[i] for i in sorted(indices)) for indices in changed]
  caption = picture_folders.data_caption(data)
  title = f"Pairs, k = {pairs.k}: what was drawn again (it may keep its value)"
  grid = image_grids.image_grid(
    np.stack([first, second], axis=1).reshape(-1, *first.shape[1:]), 2, title, row_labels=names
  )
  folder.mkdir()
  image_grids.with_caption([grid], caption)[0].save(folder / "pairs.png")
  frames = [
    image_grids.image_grid(images, 5, f"{which} images of pairs, k = {pairs.k}")
    for which, images in (("First", first), ("Second", second))
  ]
  frames = image_grids.with_caption(frames, caption)
  image_grids.save_animation(frames, folder / "pairs.gif", 1 / _SECONDS)
