"""How to go on with a study, as texts and commands for a page."""

from collections.abc import Sequence
import os
import pathlib
import shlex
from typing import NamedTuple

from dl_condind.reports import families
from dl_condind.reports import study_runs
from dl_condind.studies import run_state
from dl_condind.studies import study_file
from dl_condind.utils import errors

_PROGRAM = "dl_condind_reproduce"
_TRUST = "--trust_gin_imports"


class NextSteps(NamedTuple):
  """How to go on.

  Attributes:
    introduction: What the commands do.
    commands: Lines for a terminal.
    others: Other ways to go on.
  """

  introduction: str
  commands: list[str]
  others: list[str]


_FROM_TABLE = (
  "This page is of a table of runs, without their folders. More runs go into a study of their own; "
  "this command writes the page again:"
)


def how_to_go_on(
  study_dir: str | os.PathLike,
  output_path: str | os.PathLike,
  runs: Sequence[study_runs.Run],
  left_out: Sequence[study_runs.Run] = (),
  study: study_file.Study | None = None,
  runs_csv: pathlib.Path | None = None,
) -> NextSteps:
  """Says how to go on with the study, or to train more.

  Args:
    study_dir: Folder of the study.
    output_path: Name of the page.
    runs: The runs that count.
    left_out: The other runs that were begun.
    study: The study, if it is known.
    runs_csv: The table that the page was made of, if it was not of the runs' folders.
  """
  study_dir = pathlib.Path(study_dir)
  words = _program_and_study(runs[0], study)
  if runs_csv:
    return NextSteps(_FROM_TABLE, [_again(words, output_path, runs_csv, study)], _others(runs))
  if study:
    more, what = [_whole_study(study_dir, words)], "make what is missing of the study"
  else:
    more, what = _more_seeds(study_dir, runs, left_out), "add a seed to the study"
  last = [str(pathlib.Path(words[0]).with_name("dl_condind_report")), f"--study_dir={study_dir}"]
  last += words[1:2] if study else []
  last += [word for word in words if word == _TRUST]
  last.append(f"--output_path={output_path}")
  seeds = (
    "In the project's folder, with its environment active and DISENTANGLEMENT_LIB_DATA and "
    f"PYTHONPATH set as before, these commands {what}, and write this page again:"
    if more
    else "Train with another model.random_seed into a new folder of the study, evaluate as "
    "before, then write the report again:"
  )
  return NextSteps(seeds, [*more, shlex.join(last)], _others(runs))


def _again(
  words: Sequence[str],
  output_path: str | os.PathLike,
  runs_csv: pathlib.Path,
  study: study_file.Study | None,
) -> str:
  """Returns the command that writes the page of a table again; words of `_program_and_study`."""
  program = str(pathlib.Path(words[0]).with_name("dl_condind_report"))
  named = [*(words[1:2] if study else []), *(word for word in words if word == _TRUST)]
  return shlex.join([program, f"--runs_csv={runs_csv}", *named, f"--output_path={output_path}"])


def _others(runs: Sequence[study_runs.Run]) -> list[str]:
  """Returns further suggestions: those of the kinds of models, and where to read on."""
  kinds = {run.kind for run in runs}
  return [
    *(text for f in families.FAMILIES if f.kind in kinds for text in f.sentences.NEXT_STEPS),
    "docs/pipeline.md describes all commands and settings, docs/differences.md what differs from "
    "disentanglement_lib.",
  ]


def _program_and_study(run: study_runs.Run, study: study_file.Study | None) -> list[str]:
  """Returns the program that made a run, its study and its bindings of all runs, as words."""
  words = _command(run) or [_PROGRAM]
  studies = [word.partition("=")[2] for word in words if word.lstrip("-").startswith("study=")]
  if study and [pathlib.Path(name).stem for name in studies] != [study.name]:
    studies = [study.name]
  bindings = [word for word in words if word.lstrip("-").startswith("gin_bindings=")]
  bindings = [word for word in bindings if run_state.NUM_THREADS not in word]
  trust = [_TRUST] if _TRUST in words else []
  return [words[0], *(f"--study={name}" for name in studies), *bindings, *trust]


def _more_seeds(
  study_dir: pathlib.Path, runs: Sequence[study_runs.Run], left_out: Sequence[study_runs.Run]
) -> list[str]:
  """Returns the commands of a run of each setting and correlation, with a new seed and folder.

  There is none where a run was not made by dl_condind_reproduce.
  """
  seeds = [int(run.seed) for run in (*runs, *left_out) if run.seed.isdecimal()]
  seed = 1 + max(seeds, default=-1)
  commands = []
  firsts = {(run.setting_items, run.correlation_label): run for run in reversed(runs)}
  for run in sorted(firsts.values(), key=runs.index):
    words = _command(run)
    if not words:
      return []
    kept = [word for word in words if not word.lstrip("-").startswith("output_directory=")]
    folder = study_dir / f"{run.name}_seed_{seed}"  # A number may be that of a run to come.
    kept += [f"--output_directory={folder}", f"--gin_bindings=model.random_seed = {seed}"]
    commands.append(shlex.join(kept))
  return commands


def _command(run: study_runs.Run) -> list[str]:
  """Returns the words of the command that made a run, none if it was another program's."""
  words = command_line(run)
  return words if words and pathlib.Path(words[0]).name == _PROGRAM else []


def _whole_study(study_dir: pathlib.Path, words: Sequence[str]) -> str:
  """Returns the command that makes all missing runs; words as of `_program_and_study`."""
  output = f"--output_directory={study_dir / study_file.MODEL_NUM}"
  return shlex.join([*words, "--engine=local", output])


def command_line(run: study_runs.Run) -> list[str]:
  """Returns the words of a run's command, without the folder that a program was found in.

  Raises:
    DatasetError: If the record of the command is damaged.
  """
  command = str(run.provenance.get("command_line", ""))
  try:
    program, *others = shlex.split(command) or [""]
  except ValueError as error:
    raise errors.DatasetError(
      f"The command of run {run.name} is damaged ({str(error).lower()}): {command}"
    ) from error
  name = pathlib.Path(program).name if pathlib.Path(program).is_absolute() else program
  return [name, *others] if name else []
