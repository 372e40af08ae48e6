"""Figures of an evaluation by `unified_scores`: its matrices, groups of latents and factors."""

import os
import pathlib
from typing import Any

from absl import logging
import numpy as np

from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import results
from dl_condind.utils import run_folder
from dl_condind.visualize import figures
from dl_condind.visualize import picture_folders
from dl_condind.visualize import score_figures
from dl_condind.visualize import trained_vae

_MATRIX = ".matrix"  # ends the names of matrices in the record


def visualize_scores(
  input_dir: str | os.PathLike,
  output_dir: str | os.PathLike,
  overwrite: bool = False,
  trust_gin_imports: bool = False,
) -> None:
  """Writes figures of the matrices of an evaluation into output_dir, unless they are there already.

  Of each matrix `{name}.png` has a square for each latent and factor, `{name}_pr.png` the number of
  groups and of discovered factors over thresholds, and `{name}_dendrogram.png` at which relation
  factors come to share a group. The last is left out where a single factor varies.

  Args:
    input_dir: Folder of the evaluation by `unified_scores`.
    output_dir: Folder of the figures; replaced as a whole.
    overwrite: Whether to replace figures of another evaluation.
    trust_gin_imports: Whether to run the modules that the training imported.

  Raises:
    DatasetError: If the evaluation is missing or damaged.
    ConfigError: If it has no matrices, output_dir holds something else, or the data set needs an
      import that is not trusted.
  """
  input_dir, output_dir = pathlib.Path(input_dir), pathlib.Path(output_dir)
  if not results.is_complete(input_dir, "evaluation"):
    raise errors.DatasetError(
      f"No evaluation at {input_dir}: run dl_condind_evaluate with metrics/unified_scores.gin."
    )
  record: dict[str, Any] = results.read_results(input_dir, "evaluation")
  matrices = {
    key.removesuffix(_MATRIX): np.array(value)
    for key, value in record.items()
    if key.endswith(_MATRIX)
  }
  if not matrices:
    raise errors.ConfigError(
      f"{input_dir} has no matrix of latents and factors: name the folder of an evaluation with "
      "metrics/unified_scores.gin."
    )
  folder = run_folder.StageFolder(input_dir).results
  settings = {"input_sha256": files.manifest_digest(folder.path)}
  if picture_folders.is_complete(output_dir, settings, overwrite):
    logging.info("%s is complete.", output_dir)
    return
  num_factors = len(record["constant_factors"]) + next(iter(matrices.values())).shape[1]
  names = _factor_names(folder, num_factors, trust_gin_imports)
  names = np.delete(names, record["constant_factors"]).tolist()
  with picture_folders.written(output_dir, settings) as pictures:
    for name, matrix in matrices.items():
      drawn = {"": score_figures.squares(matrix, names), "_pr": score_figures.group_curves(matrix)}
      if len(names) > 1:
        drawn["_dendrogram"] = score_figures.dendrogram(matrix, names)
      for suffix, figure in drawn.items():
        (pictures / f"{name}{suffix}.png").write_bytes(figures.to_png(figure))
  logging.info("Wrote figures of %s to %s.", input_dir, output_dir)


def _factor_names(
  folder: run_folder.RecordFolder, num_factors: int, trust_gin_imports: bool
) -> list[str]:
  """Returns the names of the factors, or their numbers if the record does not tell the data set.

  An evaluation in Python has a data set that its gin file does not name: mostly that of the
  training.
  """
  for step in ("evaluation", "train"):
    try:
      names = trained_vae.dataset_of(folder.gin_file(step), trust_gin_imports).factor_names
    except errors.ConfigError as error:
      reason = str(error).splitlines()[0]
      continue
    if len(names) == num_factors:
      return list(names)
    reason = f"the data set of the {step} has {len(names)} factors, the record {num_factors}"
  logging.warning("Factors are named by their numbers: %s", reason)
  return [f"factor {i}" for i in range(num_factors)]
