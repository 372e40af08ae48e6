"""Pictures of a trained model: reconstructions, samples and latent traversals."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import functools
import os
import pathlib

from absl import logging
import numpy as np
from PIL import Image

from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import irs
from dl_condind.saved_models import saved_model
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import observations as observation_shapes
from dl_condind.utils import run_folder
from dl_condind.visualize import image_grids
from dl_condind.visualize import picture_folders
from dl_condind.visualize import trained_vae
from dl_condind.visualize import traversals

INTERVAL = (-2.0, 2.0)
TRAVERSAL_VALUES = np.linspace(*INTERVAL, num=11)

_SEED = 0
_NUM_PICTURES = 64
_PICTURES_PER_ROW = 8
_EFFECT_CHUNK = 1000  # observations held at a time

# (first value of each latent, number of frames) -> values [num_latent, num_frames]
_Cycle = Callable[[np.ndarray, int], np.ndarray]


def visualize_model(
  model_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  num_animations: int = 5,
  num_frames: int = 20,
  fps: int = 10,
  num_effect_points: int = 10_000,
  trust_gin_imports: bool = False,
  trust_model: bool = False,
) -> None:
  """Writes pictures of a trained model into output_dir, unless they are there already.

  `reconstructions/reconstructions.png` has pairs of an observation and its reconstruction,
  `sampled/samples.png` decoded samples of the prior. `traversals/traversals{j}.png` moves each
  latent over [-2, 2] from the code of observation j, and `animated_traversals/*_cycle{j}.gif` does
  so in time, over the intervals of `cycles`. `interventional_effects/interventional_effect.png`
  shows how each latent depends on the factors, as `score_figures.interventional_effects`; it needs
  matplotlib, and is left out without. The same model always gives the same pictures. Those of a
  model of vectors are lines over the features or, of traversals, over the latent, and need
  matplotlib; there are no animations of them.

  Args:
    model_dir: Folder of the trained model.
    output_dir: Folder of the pictures; replaced as a whole.
    overwrite: Whether to replace pictures of another model or made with other settings.
    num_animations: Number of observations that are traversed.
    num_frames: Frames of an animation.
    fps: Frames per second.
    num_effect_points: Number of points of the figure of effects; 0 leaves it out.
    trust_gin_imports: Whether to run the modules that the training imported.
    trust_model: Whether the model may have operations that no model of this package has.

  Raises:
    DatasetError: If the model is missing or damaged, or its data set cannot be read.
    ConfigError: If a setting is out of range, output_dir holds something else, or the data set
      needs an import that is not trusted.
  """
  picture_folders.check_in(0, _NUM_PICTURES, num_animations=num_animations)
  picture_folders.check_in(2, 1000, num_frames=num_frames)
  picture_folders.check_in(1, 50, fps=fps)
  picture_folders.check_in(0, 1_000_000, num_effect_points=num_effect_points)
  model_dir, output_dir = pathlib.Path(model_dir), pathlib.Path(output_dir)
  with saved_model.trusting(trust_model):
    model = trained_vae.TrainedVAE(model_dir, trust_gin_imports)
  settings = {
    "input_sha256": files.manifest_digest(run_folder.StageFolder(model_dir).saved_model),
    "num_animations": num_animations,
    "num_frames": num_frames,
    "fps": fps,
    "num_effect_points": num_effect_points,
    "random_seed": _SEED,
    "interval": list(INTERVAL),
  }
  if picture_folders.is_complete(output_dir, settings, overwrite):
    logging.info("%s is complete.", output_dir)
    return
  random_state = np.random.RandomState(_SEED)
  observations = model.dataset.sample_observations(_NUM_PICTURES, random_state)
  prior_samples = random_state.normal(size=(_NUM_PICTURES, model.num_latent))
  posterior = model.posterior(observations)
  bases = posterior.mean[:num_animations]
  with picture_folders.written(output_dir, settings) as folder:
    if observation_shapes.is_vector(observations.shape[1:]):
      from dl_condind.visualize import vector_pictures  # It needs matplotlib.

      vector_pictures.save_pictures_of_model(
        model, observations, prior_samples, bases, TRAVERSAL_VALUES, folder
      )
    else:
      _save_reconstructions(model, observations, folder / "reconstructions")
      _save_samples(model, prior_samples, folder / "sampled")
      _save_traversals(model, bases, folder / "traversals")
      moves = cycles(posterior.mean, posterior.stddev)
      _save_animations(model, bases, moves, num_frames, fps, folder / "animated_traversals")
    if num_effect_points and model.dataset.num_factors:
      _save_effects(model, num_effect_points, folder / "interventional_effects")
  logging.info("Wrote pictures of the model to %s.", output_dir)


def cycles(means: np.ndarray, stddevs: np.ndarray) -> Mapping[str, _Cycle]:
  """Returns how latents move in animations, by disentanglement_lib's names.

  `std_gaussian_cycle` goes over the quantiles of the prior; `fitted_gaussian_cycle` over those of a
  Gaussian with mean and variance of the latent over these observations and their noise;
  `fixed_interval_cycle` over [-2, 2]; `conf_interval_cycle` over two stddevs of the fitted Gaussian
  to both sides of its mean; `minmax_interval_cycle` over the range of these means.

  Args:
    means: Of the posteriors of some observations, [num, num_latent].
    stddevs: Their standard deviations, [num, num_latent].
  """
  mean = means.mean(axis=0)
  # var(z) = E[var(z | x)] + var(E[z | x])
  stddev = np.sqrt(np.mean(stddevs**2, axis=0) + np.var(means, axis=0))

  def interval(lowest: np.ndarray | float, highest: np.ndarray | float) -> _Cycle:
    return functools.partial(traversals.cycle_interval, lowest=lowest, highest=highest)

  return {
    "std_gaussian_cycle": traversals.cycle_gaussian,
    "fitted_gaussian_cycle": functools.partial(traversals.cycle_gaussian, mean=mean, stddev=stddev),
    "fixed_interval_cycle": interval(*INTERVAL),
    "conf_interval_cycle": interval(mean - 2 * stddev, mean + 2 * stddev),
    "minmax_interval_cycle": interval(means.min(axis=0), means.max(axis=0)),
  }


def _save_reconstructions(
  model: trained_vae.TrainedVAE, observations: np.ndarray, folder: pathlib.Path
) -> None:
  pairs = np.concatenate([observations, model.reconstruct(observations)], axis=2)
  pairs = image_grids.enlarged(pairs)
  folder.mkdir()
  title = "Each pair: an observation and the reconstruction of a sample of q(z|x)"
  grid = image_grids.image_grid(pairs, _PICTURES_PER_ROW, title)
  _captioned([grid], model)[0].save(folder / "reconstructions.png")


def _save_samples(
  model: trained_vae.TrainedVAE, prior_samples: np.ndarray, folder: pathlib.Path
) -> None:
  folder.mkdir()
  title = "Decoded samples of the prior N(0, I)"
  images = image_grids.enlarged(model.decode(prior_samples))
  grid = image_grids.image_grid(images, _PICTURES_PER_ROW, title)
  _captioned([grid], model)[0].save(folder / "samples.png")


def _save_traversals(
  model: trained_vae.TrainedVAE, bases: np.ndarray, folder: pathlib.Path
) -> None:
  folder.mkdir()
  for index, base in enumerate(bases):
    codes = traversals.traverse(base, TRAVERSAL_VALUES)
    grid = image_grids.image_grid(
      image_grids.enlarged(np.concatenate(model.decode(codes))),
      len(TRAVERSAL_VALUES),
      f"Observation {index}: each row moves one latent over {list(INTERVAL)}, others at the mean",
      row_labels=[f"latent {i}" for i in range(model.num_latent)],
      column_labels=[f"{value:.1f}" for value in TRAVERSAL_VALUES],
    )
    _captioned([grid], model)[0].save(folder / f"traversals{index}.png")


def _save_animations(
  model: trained_vae.TrainedVAE,
  bases: np.ndarray,
  moves: Mapping[str, _Cycle],
  num_frames: int,
  fps: int,
  folder: pathlib.Path,
) -> None:
  folder.mkdir()
  title = f"Latents 0 to {model.num_latent - 1}, row by row"
  for name, cycle in moves.items():
    for index, base in enumerate(bases):
      codes = traversals.traverse(base, cycle(base, num_frames))
      images = image_grids.enlarged(np.concatenate(model.decode(codes)))
      frames = [
        image_grids.image_grid(images[frame::num_frames], num_columns=5, title=title)
        for frame in range(num_frames)
      ]
      path = folder / f"{name}{index}.gif"
      image_grids.save_animation(_captioned(frames, model), path, fps)


def _save_effects(model: trained_vae.TrainedVAE, num_points: int, folder: pathlib.Path) -> None:
  """Draws how the means of latents depend on factors, which are discretized as for IRS."""
  try:
    from dl_condind.visualize import figures
    from dl_condind.visualize import score_figures
  except errors.ConfigError as error:  # Without matplotlib.
    logging.warning("There is no picture of interventional effects: %s", error)
    return
  random_state = np.random.RandomState(_SEED)
  drawn, encoded = [], []
  for start in range(0, num_points, _EFFECT_CHUNK):
    num = min(_EFFECT_CHUNK, num_points - start)
    part, observations = model.dataset.sample(num, random_state)
    drawn.append(part)
    encoded.append(model.posterior(observations).mean)
  factors, means = np.concatenate(drawn), np.concatenate(encoded)
  bins = discretization.histogram_of_20_bins(factors)
  robustness = np.array(irs.robustness_scores(means, bins)["robustness_matrix"])
  values = factors if np.issubdtype(factors.dtype, np.integer) else bins
  figure = score_figures.interventional_effects(
    means, values, robustness.argmax(axis=1), model.dataset.factor_names
  )
  folder.mkdir()
  (folder / "interventional_effect.png").write_bytes(figures.to_png(figure))


def _captioned(pictures: Sequence[Image.Image], model: trained_vae.TrainedVAE) -> list[Image.Image]:
  return image_grids.with_caption(pictures, picture_folders.data_caption(model.dataset))
