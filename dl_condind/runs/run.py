"""A trained run as an object: NumPy in, NumPy out."""

import abc
import base64
import functools
import html
import io
import os
import pathlib
from typing import Any
from typing import ClassVar

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.explorer import explore
from dl_condind.methods import image_inputs
from dl_condind.saved_models import export
from dl_condind.training import trainer
from dl_condind.utils import errors
from dl_condind.utils import observations
from dl_condind.utils import run_config
from dl_condind.utils import run_folder
from dl_condind.visualize import image_grids


class Run(abc.ABC):
  """A trained model in its folder.

  Attributes:
    folder: Folder of the run, for its representations and metrics.
    stage: Folder of the trained model.
    config: What it was trained with: gin key to gin value, both as text.
    losses: What its training recorded, by name.
    provenance: What the result depends on in addition: versions, data, seeds.
    metrics_folder: Folder of `gin_configs` with the metrics of this kind of model.
  """

  metrics_folder: ClassVar[str]

  def __init__(
    self,
    folder: run_folder.RunFolder,
    stage: run_folder.StageFolder,
    record: dict[str, Any],
    trust_model: bool,
  ):
    """Describes a run; `load` makes it.

    Args:
      folder: Folder of the run.
      stage: Folder of the trained model.
      record: The aggregate of its training.
      trust_model: Whether its SavedModel may have operations that no model of this package has.
    """
    self.folder = folder
    self.stage = stage
    self.config = _part_of(record, "config")
    self.losses = _part_of(record, "results")
    self.provenance = _part_of(record, "provenance")
    self.trust_model = trust_model

  @functools.cached_property
  @abc.abstractmethod
  def model(self) -> Any:
    """The SavedModel as functions of NumPy arrays, loaded on first use.

    Raises:
      DatasetError: If it is missing, damaged or not harmless.
    """

  @abc.abstractmethod
  def evaluated(
    self, representation: str, data: ground_truth_data.GroundTruthData
  ) -> tuple[str, run_folder.StageFolder]:
    """Returns what metrics evaluate, made where it is missing: its name and its folder.

    Args:
      representation: "mean" or "sampled".
      data: The data set that it is evaluated on.
    """

  @abc.abstractmethod
  def picture(self) -> np.ndarray:
    """Returns what shows the model at a glance, [rows, columns, height, width, channels]."""

  def picture_png(self) -> bytes:
    """Returns `picture` as a PNG file."""
    images = self.picture()
    buffer = io.BytesIO()
    grid = images.reshape(-1, *images.shape[2:])
    image_grids.image_grid(grid, images.shape[1]).save(buffer, "PNG")
    return buffer.getvalue()

  def explore(
    self,
    output_path: str | os.PathLike,
    other: "Run | None" = None,
    num_images: int = 8,
    max_megabytes: float = explore.MAX_MEGABYTES,
    show_data: bool = True,
  ) -> pathlib.Path:
    """Writes one HTML file with sliders for the latents, whose decoder runs in the browser.

    Args:
      output_path: Name of the page.
      other: A second run to show side by side.
      num_images: Number of images, or draws of an InfoGAN's noise, to start from.
      max_megabytes: How much room each decoder may take in the page.
      show_data: Whether to read the data set, for its images and the axes of the noise.

    Returns:
      The name of the page.

    Raises:
      ValueError: If a setting is out of range, or a page cannot show a model or be written.
      DatasetError: If the model is damaged, or its data set cannot be read.
    """
    runs = [self] if other is None else [self, other]
    return explore.write_explorer(
      [run.stage.path for run in runs],
      output_path,
      num_images,
      max_megabytes,
      show_data,
      trust_model=all(run.trust_model for run in runs),
    )

  def export(
    self,
    output_path: str | os.PathLike,
    format: str,
    overwrite: bool = False,
  ) -> pathlib.Path:
    """Writes the networks as files that others read; see `saved_models.export.export_model`.

    Args:
      output_path: Folder to write.
      format: "keras" or "onnx".
      overwrite: Whether to replace an export that is there.

    Returns:
      The folder.

    Raises:
      ValueError: If the format is unknown or cannot hold the model, packages that it needs are not
        installed, or output_path is not empty or cannot be written.
      DatasetError: If the model is damaged or not harmless.
    """
    return export.export_model(self.stage.path, output_path, format, overwrite, self.trust_model)

  def __repr__(self) -> str:
    return f"{type(self).__name__}({str(self.folder.path)!r}: {self._description()})"

  def _description(self) -> str:
    source = str(self.provenance.get("dataset_source", "unknown"))
    return run_config.describe_training(self.config, source)

  def _repr_html_(self) -> str:
    png = base64.b64encode(self.picture_png()).decode()
    return (
      f"<p><b>{html.escape(self._description())}</b><br>{html.escape(str(self.stage.path))}</p>"
      f'<img alt="One latent per row" src="data:image/png;base64,{png}">'
      f"<details><summary>Losses</summary>{_table(self.losses)}</details>"
      f"<details><summary>Settings</summary>{_table(self.config)}</details>"
    )


def check_images(images: np.ndarray, image_shape: tuple[int, ...]) -> np.ndarray:
  """Returns images as float32 or uint8, or vectors as float32, if they are what a model takes.

  Raises:
    ConfigError: If they have another shape or type, are outside [0, 1], or are vectors with a value
      that is not finite. It is a ValueError.
  """
  images = np.asarray(images)
  if images.shape[1:] != image_shape:
    shape = ", ".join(map(str, image_shape))
    what = "observations" if observations.is_vector(image_shape) else "images"
    raise errors.ConfigError(f"{what} must be [num, {shape}], got {list(images.shape)}.")
  if observations.is_vector(image_shape):
    return _check_vectors(images)
  if images.dtype == np.uint8:
    return images
  if images.dtype.kind != "f":
    raise errors.ConfigError(f"images must be uint8 or floating point, got {images.dtype}.")
  if not (np.abs(images - 0.5) <= 0.5 + image_inputs.TOLERANCE).all():
    raise errors.ConfigError(
      f"images must be in [0, 1], got values from {images.min():g} to {images.max():g}: divide "
      "pixels of 0...255 by 255, or give them as uint8."
    )
  return images.astype(np.float32, copy=False)


def _check_vectors(vectors: np.ndarray) -> np.ndarray:
  if vectors.dtype.kind not in "fiub":
    raise errors.ConfigError(f"observations must be numbers, got {vectors.dtype}.")
  vectors = vectors.astype(np.float32, copy=False)
  if not np.isfinite(vectors).all():
    raise errors.ConfigError("observations must be finite numbers in float32.")
  return vectors


def _part_of(record: dict[str, Any], part: str) -> dict[str, Any]:
  prefix = f"{trainer.STEP}_{part}."
  return {key.removeprefix(prefix): v for key, v in record.items() if key.startswith(prefix)}


def _table(values: dict[str, Any]) -> str:
  rows = "".join(
    f"<tr><td>{html.escape(key)}</td><td>{html.escape(str(value))}</td></tr>"
    for key, value in values.items()
  )
  return f"<table>{rows}</table>"
