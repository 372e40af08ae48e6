"""How the programs in bin/ end: one of each as a process of its own, the others without."""

from concurrent import futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

from helpers import programs
import pytest

from dl_condind.utils import files

ROOT = pathlib.Path(__file__).parents[1]
NPZ = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
TRAIN = ["dl_condind_train", "--gin_config=shared.gin", "--gin_config=methods/vae.gin"]
# Our log, and what TensorFlow's C++ says about missing GPUs before it can be told not to.
LOG = re.compile(r"\d\d:\d\d:\d\d (INFO|WARNING) .*")

# Program and arguments, exit code, and what its one line says. {folder} has what the fixture makes.
CASES = {
  "unknown gin name": (
    [
      "dl_condind_evaluate",
      "--input_dir={folder}/run/postprocessed/mean",
      "--output_dir={folder}/a",
      "--gin_config=metrics/mig.gin",
      "--gin_bindings=mig.num_trian = 3",
    ],
    2,
    r"--gin_bindings='mig\.num_trian = 3': mig has no parameter 'num_trian'; did you mean",
  ),
  "value of the wrong type": (
    [
      "dl_condind_postprocess",
      "--model_dir={folder}/run/model",
      "--output_dir={folder}/a",
      "--gin_config=postprocess/mean.gin",
      "--gin_bindings=postprocess.random_seed = 'one'",
    ],
    2,
    r"postprocess\.random_seed must be int, got 'one'",
  ),
  "missing file": (
    ["dl_condind_reproduce", "--study={folder}/absent.gin", "--output_directory={folder}/a"],
    2,
    r"no gin file '.*/absent\.gin'; looked in: ",
  ),
  "no steps": (
    [*TRAIN, "--model_dir={folder}/a", "--gin_bindings=model.training_steps = 0"],
    2,
    r"model\.training_steps must be in \[1, 2147483647\], got 0\.",
  ),
  "correlation of 1": (
    [
      *TRAIN,
      "--model_dir={folder}/a",
      "--gin_config=posteriors/equicorrelated.gin",
      "--gin_bindings=equicorrelated.correlation = 1.0",
    ],
    2,
    r"equicorrelated\.correlation must be in \(-0\.333333, 1\) for 4 latents, got 1\.0\.",
  ),
  "unknown activation": (
    [
      *TRAIN,
      "--model_dir={folder}/a",
      "--gin_bindings=reconstruction_loss.activation = 'relu'",
    ],
    2,
    r"reconstruction_loss\.activation must be \"logits\", \"tanh\" or \"linear\", got 'relu'",
  ),
  "run in use": (
    [*TRAIN, "--model_dir={folder}/locked"],
    75,
    r"locked is in use by process \d+: wait for it to end",
  ),
  "run of another configuration": (
    [*TRAIN, "--model_dir={folder}/run/model", "--gin_bindings=vae.beta = 2.0"],
    2,
    r"vae\.beta is 1\.0 there and 2\.0 here.*--overwrite",
  ),
  "damaged run.json": (
    [*TRAIN, "--model_dir={folder}/damaged"],
    2,
    r"run\.json is damaged \(.*\); start the run again with --overwrite",
  ),
  "nested run.json": (
    ["dl_condind_report", "--study_dir={folder}/nested"],
    3,
    r"nested/1/model/run\.json is damaged \(nested too deeply\)",
  ),
  "damaged data": (
    [*TRAIN, "--model_dir={folder}/a", "--gin_bindings=dataset.name = 'dsprites_full'"],
    3,
    rf"data/dsprites/{re.escape(NPZ)} is damaged or not the official dSprites file",
  ),
  "model without manifest": (
    ["dl_condind_visualize_model", "--model_dir={folder}/unsigned", "--output_dir={folder}/a"],
    3,
    r"unsigned/saved_model has no manifest\.json",
  ),
  "folder below a file": (
    [
      "dl_condind_postprocess",
      "--model_dir={folder}/run/model",
      "--output_dir={folder}/file/a",
      "--gin_config=postprocess/mean.gin",
    ],
    2,
    r"Cannot write .*/file/a \(Not a directory\): choose a folder that can be written to",
  ),
  "nothing to aggregate": (
    [
      "dl_condind_aggregate_results",
      "--result_file_pattern={folder}/absent/*.json",
      "--output_path={folder}/results.json",
    ],
    2,
    r"No file matches '.*/absent/\*\.json'",
  ),
  "missing flag": (["dl_condind_train"], 2, r"--model_dir.*--help lists the flags"),
}

# Some that end a process of their own, the others end `main`.
PROCESSES = ("unknown gin name", "nothing to aggregate")


def start(arguments, folder):
  """Runs a program to its end."""
  environment = {**os.environ, "DISENTANGLEMENT_LIB_DATA": str(folder / "data")}
  del environment["TF_CPP_MIN_LOG_LEVEL"]  # The programs choose it.
  program, *rest = [argument.format(folder=folder) for argument in arguments]
  return subprocess.run(
    [sys.executable, ROOT / "bin" / program, *rest],
    capture_output=True,
    text=True,
    check=False,
    env=environment,
  )


@pytest.fixture(scope="module")
def folder(trained_run, tmp_path_factory):
  """A folder with everything that the cases stumble over."""
  folder = tmp_path_factory.mktemp("bin")
  shutil.copytree(trained_run, folder / "run")
  (folder / "damaged").mkdir()
  (folder / "damaged" / "run.json").write_text('{"model.batch_size": "4", ')
  shutil.copytree(trained_run, folder / "nested" / "0")
  (folder / "nested" / "1" / "model").mkdir(parents=True)
  (folder / "nested" / "1" / "model" / "run.json").write_text('{"a": ' + "[" * 100_000)
  shutil.copytree(trained_run / "model", folder / "unsigned")
  (folder / "unsigned" / "saved_model" / "manifest.json").unlink()
  (folder / "data" / "dsprites").mkdir(parents=True)
  (folder / "data" / "dsprites" / NPZ).write_bytes(b"PK\x03\x04 but no more")
  (folder / "file").write_text("")
  return folder


@pytest.fixture(scope="module")
def outcomes(folder, tiny_training):
  """How each case ended. Two run at a time, since each has to load TensorFlow."""
  small = [f"--gin_bindings={binding}" for binding in tiny_training]

  def command(case):
    program, *rest = CASES[case][0]
    return [program, *(small if program == TRAIN[0] else []), *rest]

  with files.locked(folder / "locked"):
    with futures.ThreadPoolExecutor(2) as pool:
      ended = dict(
        zip(PROCESSES, pool.map(lambda c: start(command(c), folder), PROCESSES), strict=True)
      )
    with pytest.MonkeyPatch.context() as patch:
      patch.setenv("DISENTANGLEMENT_LIB_DATA", str(folder / "data"))
      for case in CASES.keys() - ended.keys():
        ended[case] = programs.run(*(word.format(folder=folder) for word in command(case)))
  return ended


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_ends_with_its_code_and_one_line(case, outcomes, folder):
  _, code, message = CASES[case]
  outcome = outcomes[case]
  *log, last = outcome.stderr.splitlines()
  assert outcome.returncode == code, outcome.stderr
  assert last.startswith("error: ")
  assert re.search(message, last)
  assert [line for line in log if not LOG.fullmatch(line)] == []
  assert outcome.stdout == ""


def test_a_report_without_matplotlib_is_one_line(folder, tmp_path):
  (tmp_path / "matplotlib.py").write_text("raise ImportError('none')")
  command = [sys.executable, ROOT / "bin" / "dl_condind_report", f"--study_dir={folder}"]
  environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
  done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
  assert done.returncode == 2
  (line,) = done.stderr.splitlines()
  assert line.startswith("error: Figures need matplotlib, which is not installed: run `pip install")


def test_mistakes_leave_no_results(outcomes, folder):
  assert outcomes
  assert not (folder / "results.json").exists()
  assert not (folder / "file").is_dir()
  written = [p for p in (folder / "a").rglob("*") if p.name not in (".lock", "run.json")]
  assert written == []
  assert (folder / "damaged" / "run.json").read_text().startswith('{"model.batch_size": "4", ')


def test_aggregation_writes_what_it_says(folder):
  pattern = "{folder}/run/postprocessed/*/results/aggregate/postprocess.json"
  output_path = "--output_path={folder}/table.json"
  outcome = start(
    ["dl_condind_aggregate_results", f"--result_file_pattern={pattern}", output_path], folder
  )
  assert outcome.returncode == 0
  assert outcome.stdout == f"2 results written to {folder}/table.json\n"
  assert (folder / "table.csv").read_text().startswith("path,")


def test_evaluation_goes_on_after_a_metric_that_fails_and_shows_numbers_side_by_side(folder):
  configs = folder / "configs"
  configs.mkdir()
  (configs / "bad.gin").write_text('include "metrics/mig.gin"\nmig.num_train = 0\n')
  (configs / "good.gin").write_text('include "metrics/mig.gin"\nmig.num_train = 40\n')
  outcome = programs.run(
    "dl_condind_evaluate",
    f"--input_dir={folder}/run/postprocessed",
    f"--output_dir={folder}/several",
    f"--gin_evaluation_config_glob={configs}/*.gin",
  )
  assert outcome.returncode == 2
  header, *rows = outcome.stdout.splitlines()
  assert header.split() == ["metric", "result", "mean", "sampled"]
  assert [row.split()[:2] for row in rows] == [["good", "discrete_mig"]]
  last = outcome.stderr.splitlines()[-1]
  assert last.startswith("error: 2 evaluations failed: mean/bad: The number of points to evaluate")
