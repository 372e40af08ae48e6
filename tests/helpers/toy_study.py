"""A study whose runs take a fraction of a second, for tests of engines: real processes, no models.

`python toy_study.py drive FOLDER NUM_RUNS WORKERS [ENGINE [ADDRESS]]` makes its runs,
`python toy_study.py make FOLDER MODEL_NUM` one of them, as `dl_condind_reproduce` would: with the
same locks and records. `FOLDER/behaviour.json` says what a run does other than work: its number ->
a name in BEHAVIOURS.
"""

import hashlib
import json
import os
import pathlib
import signal
import sys
import time

from dl_condind.studies import attempts
from dl_condind.studies import run_state
from dl_condind.studies import sweep
from dl_condind.utils import cli
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import processes

NUM_STEPS = 10
SECONDS_PER_STEP = float(os.environ.get("TOY_SECONDS_PER_STEP", "0.03"))


def settings_of(model_num):
  return {"bindings": [f"model.model_num = {model_num}"], "gin_files": []}


def make_jobs(folder, num_runs):
  return [
    attempts.Job(
      model_num=number,
      folder=str(folder / str(number)),
      command=[sys.executable, __file__, "make", str(folder), str(number)],
      settings=settings_of(number),
      directory=str(folder),
    )
    for number in range(num_runs)
  ]


def digest_of(model_num, num_steps=NUM_STEPS):
  """Returns what a run computes: each step depends on the one before."""
  digest = str(model_num)
  for _ in range(num_steps):
    digest = hashlib.sha256(digest.encode()).hexdigest()
  return digest


def result_of(folder, model_num):
  return json.loads((folder / str(model_num) / "model/results/aggregate/train.json").read_text())


def make(folder, model_num):
  """Makes a run step by step, from where an attempt before stopped."""
  run = folder / str(model_num)
  with run_state.making(run, settings_of(model_num), overwrite=False):
    note(run, "begin")
    behave(folder, model_num)
    work(run, model_num)
    note(run, "end")


def note(run, word):
  with open(run / "writers.txt", "a") as file:
    file.write(f"{word} {os.getpid()}\n")


def work(run, model_num):
  record = run / "model" / "results" / "aggregate" / "train.json"
  if record.is_file():
    return
  checkpoint = run / "checkpoint.json"
  state = {"step": 0, "digest": str(model_num)}
  if checkpoint.is_file():
    state = json.loads(checkpoint.read_text())
  while state["step"] < NUM_STEPS:
    digest = hashlib.sha256(state["digest"].encode()).hexdigest()
    state = {"step": state["step"] + 1, "digest": digest}
    time.sleep(SECONDS_PER_STEP)
    files.write_json(checkpoint, state)
    print(f"12:00:00 INFO step {state['step']} of {NUM_STEPS}", flush=True)
  files.write_json(record, state)


def behave(folder, model_num):
  path = folder / "behaviour.json"
  behaviour = json.loads(path.read_text()).get(str(model_num)) if path.is_file() else None
  if behaviour:
    BEHAVIOURS[behaviour](folder / str(model_num))


def refuse(run):
  raise errors.ConfigError(f"{run} is refused.")


def lack_data(run):
  raise errors.DatasetError(f"{run} has no data.")


def diverge(run):
  raise errors.DivergedError(f"loss is nan at step 17 of {run}: lower the learning rate.", step=17)


def crash(run):
  raise RuntimeError("a bug")


def crash_once(run):
  if (run / "writers.txt").read_text().count("begin") == 1:
    os.kill(os.getpid(), signal.SIGKILL)


def hang(run):
  signal.signal(signal.SIGTERM, signal.SIG_IGN)
  time.sleep(60)


def sleep(run):
  time.sleep(60)


BEHAVIOURS = {
  function.__name__: function
  for function in (refuse, lack_data, diverge, crash, crash_once, hang, sleep)
}


def drive(folder, num_runs, workers, engine="local", address=None):
  options = sweep.Options(engine, int(workers), threads=1, retries=8, ray_address=address)
  print(sweep.make_runs(make_jobs(folder, int(num_runs)), options))


def main(arguments):
  command, folder, *rest = arguments[1:]
  if command == "make":
    make(pathlib.Path(folder), int(rest[0]))
  else:
    drive(pathlib.Path(folder), *rest)


if __name__ == "__main__":
  processes.end_with_parent()
  sys.argv, arguments = sys.argv[:1], list(sys.argv)
  cli.run(lambda _: main(arguments))
