"""Where things are in the folder of a run, and in that of each of its stages. Nothing else knows.

{run}/model/                              the training
{run}/postprocessed/{representation}/     a representation
{run}/metrics/{representation}/{metric}/  a metric; the representation `model` is the model itself
{run}/metrics/{representation}/{metric}_{number}/  a further evaluation of it, from 1
{run}/validation/{representation}/{name}/  its scores on a labelled sample
{run}/reasoning/{representation}/{name}/   a training that solves puzzles from its codes
{run}/visualizations/                     pictures
{training}/snapshots/step_{step}/         a run of its own: the state of this one on its way
{run}/done.json, diverged.json, failed.json, unpacked.json, log.txt    see `studies.run_state`

{stage}/results/                          its record, see `results`
{stage}/saved_model/                      the model that it stored
{training}/run.json, tf_checkpoint/, train_log.jsonl, tensorboard/    identity, checkpoints, logs
{reasoning}/                              as a training, and
{reasoning}/iterations.jsonl, visualizations/    its scores on the way, pictures of puzzles
"""

import dataclasses
import fnmatch
import os
import pathlib

MODEL = "model"  # What stands for a representation where a metric takes the model itself.
TRAIN_LOG = "train_log.jsonl"
DIVERGED, FAILED = "diverged.json", "failed.json"

_POSTPROCESSED, _PICTURES = "postprocessed", "visualizations"
_METRICS, VALIDATION, REASONING = "metrics", "validation", "reasoning"
# The folders of what is done with a representation, and the step that it records.
_EVALUATED = {_METRICS: "evaluation", VALIDATION: "validation", REASONING: "abstract_reasoning"}
_EVALUATIONS = [f"{f}/*/*/results/aggregate/{step}.json" for f, step in _EVALUATED.items()]
EVALUATIONS = _EVALUATIONS[0]  # Of metrics.

SNAPSHOTS = "snapshots"
TRAINING_RECORD = f"{MODEL}/results/aggregate/train.json"
BEGUN = (f"{MODEL}/run.json", DIVERGED, FAILED)  # One of them is in a run that was begun.
DONE = "done.json"
PICTURE_SETTINGS = "visualization.json"

# The folders of records in a run, and the single files that say what it is and how it ended.
_OF_STAGES = (
  f"{MODEL}/results",
  f"{_POSTPROCESSED}/*/results",
  *(f"{folder}/*/*/results" for folder in _EVALUATED),
)
_RECORDS = (*_OF_STAGES, *(f"{MODEL}/{SNAPSHOTS}/*/{folder}" for folder in _OF_STAGES))
_SINGLE_RECORDS = (
  DONE,
  DIVERGED,
  f"{MODEL}/run.json",
  f"{MODEL}/{TRAIN_LOG}",
  f"{_PICTURES}/{PICTURE_SETTINGS}",
)
# The files in the folder of a record lie in it or one folder deeper.
_DEPTHS = ("*", "*/*")
_ARCHIVED = (*_SINGLE_RECORDS, *(f"{folder}/{name}" for folder in _RECORDS for name in _DEPTHS))


@dataclasses.dataclass(frozen=True)
class RecordFolder:
  """The folder of a record, with those of the steps before."""

  path: pathlib.Path

  def gin_file(self, step: str) -> pathlib.Path:
    """Returns the configuration that a step, such as "train", saved."""
    return self.path / "gin" / f"{step}.gin"

  def part(self, step: str, part: str) -> pathlib.Path:
    """Returns one part of the record of a step: "config", "results" or "provenance"."""
    return self.path / "json" / f"{step}_{part}.json"

  def parts(self) -> list[pathlib.Path]:
    """Returns the parts of all steps, sorted."""
    return sorted((self.path / "json").iterdir())

  def flat(self, step: str) -> pathlib.Path:
    """Returns the flat record of a step and of those before it."""
    return self.path / "aggregate" / f"{step}.json"


@dataclasses.dataclass(frozen=True)
class StageFolder:
  """The folder of a training, a representation or a metric."""

  path: pathlib.Path

  @property
  def saved_model(self) -> pathlib.Path:
    """Folder of the model that the stage stored."""
    return self.path / "saved_model"

  @property
  def results(self) -> RecordFolder:
    """Folder of the record."""
    return RecordFolder(self.path / "results")

  @property
  def identity(self) -> pathlib.Path:
    """What a training was begun with."""
    return self.path / "run.json"

  @property
  def log(self) -> pathlib.Path:
    """The log of a training."""
    return self.path / TRAIN_LOG

  @property
  def checkpoints(self) -> pathlib.Path:
    """Folder of the checkpoints of a training."""
    return self.path / "tf_checkpoint"

  @property
  def tensorboard(self) -> pathlib.Path:
    """Folder of the log of a training for TensorBoard."""
    return self.path / "tensorboard"

  @property
  def iterations(self) -> pathlib.Path:
    """The scores of a training that solves puzzles, a line for each iteration."""
    return self.path / "iterations.jsonl"

  @property
  def pictures(self) -> pathlib.Path:
    """Folder of the pictures of a stage that makes some."""
    return self.path / _PICTURES

  def snapshot(self, step: int) -> "RunFolder":
    """Returns the run that is the state of this one after some steps."""
    return RunFolder(self.path / SNAPSHOTS / f"step_{step:09d}")

  def snapshots(self) -> list["RunFolder"]:
    """Returns the snapshots that are complete, first step first."""
    records = sorted(self.path.glob(f"{SNAPSHOTS}/step_*/{TRAINING_RECORD}"))
    return [RunFolder(stage_of(path).path.parent) for path in records]

  def contents(self) -> list[pathlib.Path]:
    """Returns all that a training writes but its identity, its record first."""
    folders = [self.results.path, self.saved_model, self.checkpoints, self.path / SNAPSHOTS]
    return [*folders, self.log, self.tensorboard, self.iterations, self.pictures]


def stage_of(path: str | os.PathLike) -> StageFolder:
  """Returns the stage in whose record a gin file or a flat record is."""
  return StageFolder(pathlib.Path(path).parents[2])


@dataclasses.dataclass(frozen=True)
class RunFolder:
  """The folder of a run."""

  path: pathlib.Path

  @property
  def model(self) -> StageFolder:
    """The training."""
    return StageFolder(self.path / MODEL)

  def representation(self, name: str) -> StageFolder:
    """Returns the stage of a representation, such as "mean"."""
    return StageFolder(self.path / _POSTPROCESSED / name)

  def metric(self, representation: str, name: str, number: int = 0) -> StageFolder:
    """Returns the stage of a metric of a representation, or of a further evaluation of it."""
    folder = f"{name}_{number}" if number else name
    return StageFolder(self.path / _METRICS / representation / folder)

  def validation(self, representation: str, name: str) -> StageFolder:
    """Returns the stage of a validation of a representation."""
    return StageFolder(self.path / VALIDATION / representation / name)

  def reasoning(self, representation: str, name: str) -> StageFolder:
    """Returns the stage of a training that solves puzzles from the codes of a representation."""
    return StageFolder(self.path / REASONING / representation / name)

  @property
  def pictures(self) -> pathlib.Path:
    """Folder of the pictures."""
    return self.path / _PICTURES

  @property
  def done(self) -> pathlib.Path:
    """What is written when everything is done."""
    return self.path / DONE

  @property
  def diverged(self) -> pathlib.Path:
    """What is written when the training diverged."""
    return self.path / DIVERGED

  @property
  def failed(self) -> pathlib.Path:
    """What is written when an engine gave the run up."""
    return self.path / FAILED

  @property
  def unpacked(self) -> pathlib.Path:
    """What is written when the records came out of an archive, without the models."""
    return self.path / "unpacked.json"

  @property
  def log(self) -> pathlib.Path:
    """What all attempts of engines printed."""
    return self.path / "log.txt"

  def stages(self) -> list[pathlib.Path]:
    """Returns the folders that stages write into."""
    return [self.path / name for name in (MODEL, _POSTPROCESSED, *_EVALUATED, _PICTURES)]

  def records(self) -> list[pathlib.Path]:
    """Returns the flat records of all stages and the settings of the pictures, as far as made.

    Those of its snapshots are among them.
    """
    found = [*self.path.glob(f"{MODEL}/results/aggregate/*.json")]
    found += self.path.glob("*/*/results/aggregate/postprocess.json")
    found += [path for pattern in _EVALUATIONS for path in self.path.glob(pattern)]
    found += self.path.glob(f"{_PICTURES}/{PICTURE_SETTINGS}")
    return sorted(found + [path for run in self.model.snapshots() for path in run.records()])

  def record_folders(self) -> list[pathlib.Path]:
    """Returns the folders of the records of all stages, as far as made, sorted."""
    return sorted(path for pattern in _RECORDS for path in self.path.glob(pattern))

  def archived(self) -> list[pathlib.Path]:
    """Returns all that tells what the run is and what came out of it, sorted.

    These are the records, the identity and the log of the training and how the run ended. Models,
    checkpoints and pictures are left out.
    """
    found = [path for folder in self.record_folders() for path in folder.rglob("*")]
    found += [self.path / name for name in _SINGLE_RECORDS]
    return sorted(path for path in found if path.is_file())


def is_archived(name: str) -> bool:
  """Returns whether `RunFolder.archived` can return a file of this name, relative to the run.

  >>> is_archived("metrics/mean/mig/results/aggregate/evaluation.json")
  True
  >>> is_archived("model/saved_model/saved_model.pb")
  False
  """
  parts = name.split("/")
  if not all(map(is_plain, parts)):
    return False
  patterns = [pattern.split("/") for pattern in _ARCHIVED]
  return any(
    len(pattern) == len(parts) and all(map(fnmatch.fnmatchcase, parts, pattern))
    for pattern in patterns
  )


def is_plain(part: str) -> bool:
  """Returns whether a text names a file or folder in a folder: not "", ".", ".." or "a/b"."""
  return part not in ("", ".", "..") and not {"/", "\0"} & set(part)


@dataclasses.dataclass(frozen=True)
class Evaluated:
  """What the record of an evaluation, a validation or a training on puzzles is of.

  Attributes:
    run: The run.
    representation: Its representation, or `model`.
    name: Name of the metric; of the others with their kind, such as `validation.labelled_mig`.
    step: Name of the step in the record.
  """

  run: RunFolder
  representation: str
  name: str
  step: str


def evaluated(record: str | os.PathLike) -> Evaluated | None:
  """Returns what a record is of; None if it is of a training or a representation."""
  path = pathlib.Path(record)
  if not any(map(path.match, _EVALUATIONS)):
    return None
  kind, representation, name = (folder.name for folder in (path.parents[i] for i in (4, 3, 2)))
  name = name if kind == _METRICS else f"{kind}.{name}"
  return Evaluated(RunFolder(path.parents[5]), representation, name, _EVALUATED[kind])
