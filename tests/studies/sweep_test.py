import json
import os
import pathlib
import re
import subprocess
import sys

from helpers import programs
import pytest

from dl_condind.studies import run_state
from dl_condind.studies import study_file
from dl_condind.studies import sweep
from dl_condind.utils import errors

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = ROOT / "bin" / "dl_condind_reproduce"


def study(**settings):
  axes = [("vae.beta", [1.0, 2.0]), ("model.random_seed", [0, 1, 2])]
  return study_file.make_study("mine", gin_files=["shared.gin"], axes=axes, **settings)


def start(*arguments, cwd=None):
  """Runs `dl_condind_reproduce` to its end."""
  return subprocess.run(
    [sys.executable, PROGRAM, *arguments],
    capture_output=True,
    text=True,
    check=False,
    cwd=cwd,
    env={**os.environ, "PYTHONPATH": str(ROOT)},
  )


def jobs_in(tmp_path, numbers=range(6), runs=None, command=("false",)):
  return sweep.make_jobs(runs or study(), list(numbers), str(tmp_path / "{model_num}"), command)


def mark_done(job):
  with run_state.making(job.folder, job.settings, overwrite=False):
    pass


@pytest.mark.parametrize(
  ("text", "expected"),
  [(None, [0, 1, 2, 3, 4, 5]), ("4", [4]), ("0-2,5", [0, 1, 2, 5]), (" 3, 1-1", [1, 3])],
)
def test_model_nums(text, expected):
  assert sweep.parse_model_nums(text, study()) == expected


def test_model_nums_of_a_part_of_a_study():
  part = study(only=[("model.random_seed", [0, 2])])
  assert sweep.parse_model_nums(None, part) == [0, 2, 3, 5]
  assert sweep.parse_model_nums("2-5", part) == [2, 3, 5]
  with pytest.raises(errors.ConfigError, match="Run 1 is not part of the study mine"):
    sweep.parse_model_nums("1", part)


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("", "must be numbers and ranges"),
    ("1-", "must be numbers and ranges"),
    ("3-1", "must be numbers and ranges"),
    ("a", "must be numbers and ranges"),
    ("-1", "must be numbers and ranges"),
    ("1" * 5000, "must be numbers and ranges"),
    ("0-6", r"must be in \[0, 6\) for the study mine, got 6"),
    ("0-99999999999", r"must be in \[0, 6\)"),
  ],
)
def test_model_nums_that_are_none_are_refused(text, message):
  with pytest.raises(errors.ConfigError, match=message):
    sweep.parse_model_nums(text, study())


def test_jobs(tmp_path):
  job = sweep.make_jobs(study(), [4], "output/{study}/{model_num}", ["p"], ["vae.beta = 3"])[0]
  assert job.folder == os.path.abspath("output/mine/4")
  assert job.command == ["p", "--model_num=4", "--output_directory=output/mine/4"]
  assert job.settings == study().settings(4, ["vae.beta = 3"])
  assert job.settings["bindings"][-1] == "vae.beta = 3"
  with pytest.raises(errors.ConfigError, match=r"output_directory must have \{model_num\} in it"):
    sweep.make_jobs(study(), [4], "output", ["p"])


@pytest.mark.parametrize(
  ("num_cpus", "options", "gpu_slots", "expected"),
  [
    (2, {}, 0, (1, 2)),
    (2, {"workers": 1}, 0, (2, 1)),
    (8, {"workers": 3}, 0, (2, 3)),
    (2, {"workers": 4}, 0, (1, 4)),
    (8, {"threads": 4}, 0, (4, 2)),
    (8, {"threads": 4, "workers": 8}, 0, (4, 8)),
    (8, {"devices": "gpu"}, 2, (4, 2)),
    (8, {"devices": "gpu", "workers": 9}, 4, (2, 4)),
    (8, {"engine": "ray", "workers": 2}, 0, (1, 2)),
  ],
)
def test_threads_are_split_between_workers(num_cpus, options, gpu_slots, expected):
  assert sweep.split(num_cpus, sweep.Options(**options), gpu_slots) == expected


def test_runs_that_are_done_or_diverged_are_not_missing(tmp_path):
  jobs = jobs_in(tmp_path)
  mark_done(jobs[1])
  run_state.give_up(jobs[2].folder, 3, "no data", 1)
  pathlib.Path(jobs[3].folder).mkdir()
  (pathlib.Path(jobs[3].folder) / "diverged.json").write_text('{"step": 1, "message": "nan"}')
  assert [job.model_num for job in sweep.missing_jobs(jobs, sweep.states_of(jobs))] == [0, 2, 4, 5]


@pytest.mark.parametrize(
  ("exit_code", "error"),
  [(2, errors.ConfigError), (3, errors.DatasetError), (75, errors.TryAgainError)],
)
def test_the_first_failure_decides_how_an_engine_ends(tmp_path, exit_code, error):
  command = [sys.executable, "-c", f"print('error: why'); raise SystemExit({exit_code})"]
  jobs = jobs_in(tmp_path, [0, 1], command=command)
  with pytest.raises(
    error, match=r"2 of 2 runs failed; the first, run 0: why \(dl_condind_reproduce --status"
  ):
    sweep.make_runs(jobs, sweep.Options(retries=0, workers=2))


def test_a_check_that_fails_keeps_every_run_from_starting(tmp_path):
  check = [sys.executable, "-c", "import sys; sys.exit('12:00:00 INFO x\\nerror: beta is wrong')"]
  with pytest.raises(errors.ConfigError, match="^beta is wrong$"):
    sweep.make_runs(jobs_in(tmp_path), sweep.Options(), check)
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
  ("options", "check"),
  [({}, "raise SystemExit('error: beta is wrong')"), ({"devices": "gpu"}, "pass")],
)
def test_overwrite_deletes_nothing_if_no_run_can_start(options, check, tmp_path, monkeypatch):
  monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
  jobs = jobs_in(tmp_path, [0, 1])
  for job in jobs:
    mark_done(job)
  check_command = [sys.executable, "-c", check]
  with pytest.raises(errors.ConfigError, match=r"beta is wrong|no GPU"):
    sweep.make_runs(jobs, sweep.Options(**options), check_command, overwrite=True)
  assert set(sweep.states_of(jobs).values()) == {run_state.DONE}


def test_a_study_that_is_done_needs_no_engine(tmp_path, monkeypatch):
  monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
  jobs = jobs_in(tmp_path, [0])
  mark_done(jobs[0])
  assert sweep.make_runs(jobs, sweep.Options(devices="gpu")).startswith("1 of 1 done")


def test_overwrite_makes_runs_anew(tmp_path):
  code = (
    "import os, sys\nfrom dl_condind.studies import run_state, study_file\n"
    "runs = study_file.make_study('mine', ['shared.gin'], "
    "[('vae.beta', [1.0, 2.0]), ('model.random_seed', [0, 1, 2])])\n"
    "number = int(sys.argv[1].partition('=')[2]); folder = sys.argv[2].partition('=')[2]\n"
    "with run_state.making(folder, runs.settings(number), False): pass"
  )
  jobs = jobs_in(tmp_path, [0], command=[sys.executable, "-c", code])
  for overwrite, num_attempts in ((False, 1), (False, 1), (True, 2)):
    summary = sweep.make_runs(jobs, sweep.Options(workers=1), overwrite=overwrite)
    assert summary.startswith("1 of 1 done")
    log = (tmp_path / "0" / "log.txt").read_text()
    assert log.count(run_state.HEADER) == num_attempts


def test_status_and_flags_of_the_program(tmp_path):
  runs = study_file.load_study("quickstart")
  jobs = jobs_in(tmp_path, [0, 1], runs)
  mark_done(jobs[0])
  run_state.give_up(jobs[1].folder, 3, "no data there", 1)
  output = f"--output_directory={tmp_path}/{{model_num}}"
  status = start("--study=quickstart", "--status", output)
  assert status.returncode == 0, status.stderr
  assert status.stdout.splitlines() == [
    "quickstart:",
    "1 of 2 done, 0 running, 1 failed, 0 diverged, 0 missing",
    "  run 1      failed    no data there",
  ]
  listed = start("--list_studies")
  assert listed.returncode == 0
  counts = {line.split()[0]: int(line.split()[1]) for line in listed.stdout.splitlines()}
  assert counts["paper"] == 360 and counts["unsupervised_study_v1"] == 12600


def test_an_engine_ends_with_the_results_and_the_next_command(generated, tmp_path):
  jobs = jobs_in(tmp_path, [0, 1], study_file.load_study("quickstart"))
  for job, (correlation, mig) in zip(jobs, [(0.0, 0.25), (0.9, 0.125)], strict=True):
    mark_done(job)
    run = pathlib.Path(job.folder)
    generated.write_run(run, generated.config_of(correlation=correlation), mig=mig)
  output = f"--output_directory={tmp_path}/{{model_num}}"
  done = start("--study=quickstart", "--engine=local", output)
  assert done.returncode == 0, done.stderr
  count, _, *table, _, command = done.stdout.splitlines()
  assert count == "2 of 2 done, 0 running, 0 failed, 0 diverged, 0 missing"
  assert [re.split(" {2,}", line)[:4] for line in table] == [
    ["setting", "c", "runs", "MIG, mean"],
    ["VAE on dsprites_full, 10 latents", "0", "1", "0.250"],
    ["VAE on dsprites_full, 10 latents", "0.9", "1", "0.125"],
  ]
  assert command == f"Now: dl_condind_report --study_dir={tmp_path} --study=quickstart"


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["--study=papre", "--status"], r"--study must be one of .*'papre'; did you mean 'paper'"),
    (["--engine=local", "--model_nums=0-2"], r"--model_num must be in \[0, 2\)"),
    (["--model_num=2"], r"--model_num must be in \[0, 2\) for the study quickstart, got 2"),
    (
      ["--engine=local", "--model_num=1"],
      r"--model_num has no meaning with --engine=local; take --",
    ),
    (["--engine=local", "--model_dir=x"], r"--model_dir has no meaning with --engine=local"),
    (["--engine=slurm", "--overwrite"], r"--overwrite has no meaning with --engine=slurm"),
    (["--status", "--ray_address=auto"], r"--ray_address has no meaning with --status"),
    (["--engine=local", "--runs_per_gpu=2"], r"--runs_per_gpu has no meaning with --engine=local"),
    (["--engine=local", "--only_print"], r"--only_print has no meaning with --engine=local"),
    (["--engine=local", "--only_check"], r"--only_check has no meaning with --engine=local"),
    (["--only_check", "--model_num=1"], r"--model_num has no meaning with --only_check"),
    (["--list_studies", "--only_print"], r"--only_print has no meaning with --list_studies"),
    (
      ["--model_dir=x", "--gin_bindings=vae.beta = 2."],
      r"--gin_bindings has no meaning with --model",
    ),
    (["--only_print", "--overwrite"], r"--overwrite has no meaning with --only_print"),
    (["--status", "--list_studies"], r"--list_studies has no meaning with --status"),
    (["--status", "--engine=ray"], r"--engine has no meaning with --status"),
    (["--status", "--trust_model"], r"--trust_model has no meaning with --status"),
    (["--status", "--workers=3"], r"--workers has no meaning with --status"),
    (["--status", "--timeout_hours=3"], r"--timeout_hours has no meaning with --status"),
    (["--model_nums=0-1"], r"--model_nums is about many runs: add --engine or --status"),
    (["--engine=dask"], r"--engine.*local\|ray\|slurm"),
    (["--engine=local", "--devices=gpu"], r"--devices=gpu, but there is no GPU here"),
  ],
)
def test_a_mistake_is_one_line_with_exit_code_2(arguments, message, tmp_path, monkeypatch):
  monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
  monkeypatch.chdir(tmp_path)
  done = programs.run("dl_condind_reproduce", *arguments)
  assert done.returncode == 2
  assert done.stderr.splitlines()[-1].startswith("error: ")
  assert re.search(message, done.stderr.splitlines()[-1]), done.stderr
  assert not (tmp_path / "output").exists()


@pytest.mark.slow
def test_a_study_with_an_unknown_parameter_starts_no_run(tmp_path):
  path = tmp_path / "mine.gin"
  path.write_text(
    'study.gin_files = ["shared.gin", "methods/vae.gin"]\n'
    'study.axes = [("vae.betta", [1.0, 2.0])]\n'
  )
  done = start(f"--study={path}", "--engine=local", cwd=tmp_path)
  assert done.returncode == 2
  assert "vae has no parameter 'betta'; did you mean 'beta'?" in done.stderr.splitlines()[-1]
  assert not (tmp_path / "output").exists()


def test_a_trusted_study_says_so_to_its_runs(tmp_path, monkeypatch):
  path = tmp_path / "mine.gin"
  path.write_text(
    "import colorsys  # Any module that is not this package's.\n"
    'study.gin_files = ["shared.gin", "methods/vae.gin"]\n'
    'study.axes = [("vae.beta", [1.0, 2.0])]\n'
  )
  monkeypatch.chdir(tmp_path)
  arguments = ("dl_condind_reproduce", f"--study={path}", "--engine=slurm")
  refused = programs.run(*arguments)
  assert refused.returncode == 2
  assert re.search(r"`import colorsys` would .* by --trust_gin_imports", refused.stderr)
  done = programs.run(*arguments, "--trust_gin_imports")
  assert done.returncode == 0, done.stderr
  script = (tmp_path / "output" / "mine" / "mine.sbatch").read_text()
  (command,) = [line for line in script.splitlines() if "--engine=local" in line]
  assert f"--study={path} --trust_gin_imports " in command
  status = programs.run(*arguments[:2], "--status", "--trust_gin_imports")
  assert status.stdout.splitlines()[0] == "mine:"


def test_json_of_a_job_is_what_done_says(tmp_path):
  (job,) = jobs_in(tmp_path, [5])
  mark_done(job)
  assert json.loads((tmp_path / "5" / "done.json").read_text())["settings"] == job.settings
