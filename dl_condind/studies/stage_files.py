"""The gin files of the stages that follow a training, each named by its file or by a path."""

import pathlib


def stage_name(stage: str) -> str:
  """Returns the name of the folder of a metric, a validation or a reasoning: that of its file."""
  return pathlib.Path(stage).stem


def postprocess_file(representation: str) -> str:
  """Returns the gin file of a representation."""
  return f"postprocess/{representation}.gin"


def gin_file(folder: str, stage: str) -> str:
  """Returns the gin file of a metric, a validation or a reasoning.

  Args:
    folder: Its folder in `gin_configs`: `metrics`, `validation` or `reasoning`.
    stage: Its name or path.
  """
  return stage if stage.endswith(".gin") else f"{folder}/{stage}.gin"
