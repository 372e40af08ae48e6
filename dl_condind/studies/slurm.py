"""Runs of a study as an array job of the batch system SLURM."""

from collections.abc import Sequence
import os
import pathlib
import shlex

from dl_condind.studies import progress
from dl_condind.studies import sweep
from dl_condind.utils import files

_MAX_ARRAY = 1000  # Tasks; the default of SLURM's MaxArraySize allows one more.
_GRACE = 120  # seconds between SIGTERM and the end of a job that has to make room

_SCRIPT = """\
#!/bin/bash
# {num_runs} runs of the study {name}. Submit with: sbatch {path}
# Submitting it again goes on where it stopped.
#SBATCH --job-name={name}
#SBATCH --array=0-{last}{at_once}
#SBATCH --cpus-per-task={num_threads}
{gpu}#SBATCH --output={folder}/slurm-%A_%a.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:TERM@{grace}
cd {directory} || exit 2
{export}runs=({runs})
{command} --model_nums="${{runs[$SLURM_ARRAY_TASK_ID]}}" &
engine=$!
trap 'stopped=1; kill -TERM $engine' TERM
wait $engine; code=$?
[ -z "$stopped" ] && exit $code
wait $engine; code=$?  # The signal ended the first `wait`.
[ $code = 75 ] && scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
exit $code
"""


def write_script(
  path: pathlib.Path,
  name: str,
  model_nums: Sequence[int],
  command: Sequence[str],
  options: sweep.Options,
) -> None:
  """Writes the script of an array job.

  Each task of the array makes one run, or several one after another where there are more than 1000,
  with the local engine, so retries and records are the same.

  Args:
    path: The script to write.
    name: Name of the job.
    model_nums: Numbers of the runs.
    command: Program and arguments that say which study it is.
    options: How the runs are made; `workers` of them at a time, or as many as SLURM likes.

  Raises:
    ConfigError: If the script cannot be written.
  """
  num_tasks = min(len(model_nums), _MAX_ARRAY)
  runs = [progress.format_numbers(model_nums[task::num_tasks]) for task in range(num_tasks)]
  num_threads = options.threads or 1
  local = [*command, "--engine=local", "--workers=1", f"--threads={num_threads}"]
  local += [
    f"--{name}={getattr(options, name)}" for name in ("devices", "retries", "timeout_hours")
  ]
  text = _SCRIPT.format(
    num_runs=len(model_nums),
    name=name,
    path=path,
    last=num_tasks - 1,
    at_once=f"%{options.workers}" if options.workers else "",
    num_threads=num_threads,
    gpu="#SBATCH --gpus-per-task=1\n" if options.devices == "gpu" else "",
    folder=path.parent,
    grace=_GRACE,
    directory=shlex.quote(os.getcwd()),
    export="".join(map(_export, ("DISENTANGLEMENT_LIB_DATA", "PYTHONPATH"))),
    runs=" ".join(runs),
    command=shlex.join(local),
  )
  files.write_text(path, text)


def _export(name: str) -> str:
  """Returns the line that sets a variable of folders as it is here, none if it is not set."""
  folders = os.environ.get(name)
  if not folders:
    return ""
  absolute = os.pathsep.join(map(os.path.abspath, folders.split(os.pathsep)))
  return f"export {name}={shlex.quote(absolute)}\n"
