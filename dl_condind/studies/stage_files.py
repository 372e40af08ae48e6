"""The gin files of the stages that follow a training, each named by its file or by a path."""

import pathlib


def stage_name(stage: str) -> str:
  """Returns the name of the folder of a metric, a validation or a reasoning: that of its file."""
  return pathlib.Path(stage).stem


def postprocess_file(representation: str) -> str:
  """Returns the gin file of a representation."""
  return f"postprocess/{representation}.gin"


def metric_file(metric: str) -> str:
  """Returns the gin file of a metric."""
  return _file("metrics", metric)


def validation_file(validation: str) -> str:
  """Returns the gin file of a validation."""
  return _file("validation", validation)


def reasoning_file(reasoning: str) -> str:
  """Returns the gin file of a training on puzzles."""
  return _file("reasoning", reasoning)


def _file(folder: str, stage: str) -> str:
  return stage if stage.endswith(".gin") else f"{folder}/{stage}.gin"
