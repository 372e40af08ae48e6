"""What was run in a study, what is missing and how to go on, as pieces of an HTML page."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import os
import pathlib
import shlex

from dl_condind.studies import findings
from dl_condind.studies import progress
from dl_condind.studies import run_state
from dl_condind.studies import study
from dl_condind.utils import results
from dl_condind.visualize import page
from dl_condind.visualize import study_runs

_VERSIONS = (
  "dl_condind",
  "python",
  "tensorflow",
  "keras",
  "tensorflow_probability",
  "numpy",
  "scipy",
  "scikit-learn",
  "gin-config",
)
# The parts of a run's fingerprint that are not versions: its bits depend on them.
_FINGERPRINT = ("runtime.device", "runtime.intra_op_threads", "runtime.onednn")
_PROGRAM = "dl_condind_reproduce"
_MEASURES = {
  "mig_mean": "MIG (mean)",
  "mig_sampled": "MIG (sampled)",
  "reconstruction_loss": "reconstruction error and KL",
  "total_correlation": "TC",
}


def what_was_run(settings: Mapping[str, Sequence[study_runs.Run]]) -> list[str]:
  """Describes methods, data, training, evaluation, versions and commands."""
  everything = [run for runs in settings.values() for run in runs]
  parts = []
  for name, runs in settings.items():
    parts += [page.heading(name), page.facts_table(_facts(runs))]
  metrics = _evaluation_settings(everything)
  facts = [(metric, "; or ".join(texts)) for metric, texts in metrics.items()]
  facts += [
    (name, _join(run.provenance.get(name) for run in everything))
    for name in (*_VERSIONS, *_FINGERPRINT)
  ]
  facts.append(("processor", _join(run.provenance.get("cpu") for run in everything)))
  parts += [page.heading("Evaluation and versions"), page.facts_table(facts)]
  lines = [f"# run {run.name}\n{shlex.join(_command_line(run)) or '-'}" for run in everything]
  return [*parts, page.details("Commands of the trainings", page.commands(lines))]


def data_sets(runs: Sequence[study_runs.Run]) -> str:
  """Says where the data of a study is from."""
  by_name: dict[str, list[study_runs.Run]] = {}
  for run in runs:
    by_name.setdefault(run.dataset, []).append(run)
  parts = [f"{name}: {_data_source(members)}" for name, members in sorted(by_name.items())]
  return f"Data: {'; '.join(parts)}."


def _facts(runs: Sequence[study_runs.Run]) -> list[tuple[str, str]]:
  first = runs[0]
  parameters = [
    f"{key} = {first.setting(key)}" for key in first.config if key.startswith(f"{first.method}.")
  ]
  by_correlation = [
    f"{study_runs.name_correlation(label)}: "
    f"{', '.join(run.seed for run in runs if run.correlation_label == label)}"
    for label in study_runs.correlation_labels(runs)
  ]
  keys = ("encoder.encoder_fn", "decoder.decoder_fn", "reconstruction_loss.loss_fn")
  networks = ", ".join(first.setting(key).removeprefix("@") for key in keys)
  return [
    ("Method", ", ".join([first.method_name, *parameters])),
    ("Data set", f"{first.dataset}, {_data_source(runs)}"),
    ("Networks", f"{networks}, {first.setting('encoder.num_latent')} latents"),
    (
      "Training",
      f"{first.setting('model.training_steps')} steps, batches of "
      f"{first.setting('model.batch_size')}, learning rate {_learning_rate(first)}",
    ),
    ("Seeds", "; ".join(by_correlation)),
  ]


def _data_source(runs: Sequence[study_runs.Run]) -> str:
  sources = {str(run.provenance.get("dataset_source", "-")) for run in runs}
  source = _join(map(findings.source_name, sources))
  digest = _join(str(run.provenance.get("dataset_sha256", "-"))[:16] for run in runs)
  return f"{source}, sha256 {digest}"


def _learning_rate(run: study_runs.Run) -> str:
  optimizer = run.setting("vae_optimizer.optimizer_fn").removeprefix("@")
  rates = run.setting("vae_optimizer.learning_rate"), run.setting(f"{optimizer}.learning_rate")
  return next((rate for rate in rates if rate not in ("None", "-")), "the optimizer's default")


def _join(values: Iterable[object]) -> str:
  """Returns the different values of the runs."""
  return ", ".join(sorted({str(value) for value in values if value is not None})) or "-"


def _evaluation_settings(runs: Sequence[study_runs.Run]) -> dict[str, list[str]]:
  """Returns the parameters of the metrics the report shows, metric -> those that occur."""
  found: dict[str, list[str]] = {}
  for run in runs:
    for path in sorted(run.folder.glob("metrics/*/*/results/aggregate/evaluation.json")):
      metric = path.parents[2].name
      if metric not in ("mig", "total_correlation", "vae_terms"):
        continue
      prefix = "evaluation_config."
      record = results.read_aggregate(path)
      kept = (f"{prefix}{metric}.", f"{prefix}discretizer.", f"{prefix}evaluation.random_seed")
      items = [f"{k.removeprefix(prefix)} = {v}" for k, v in record.items() if k.startswith(kept)]
      text = ", ".join(sorted(items))
      if text not in found.setdefault(metric, []):
        found[metric].append(text)
  return found


def what_is_missing(
  runs: Sequence[study_runs.Run],
  left_out: Sequence[study_runs.Run],
  grid: study.Study | None = None,
) -> list[str]:
  """Lists runs that do not count, runs of the grid that are absent, and values that runs lack.

  Args:
    runs: The runs that count.
    left_out: The other runs that were begun.
    grid: The study, if it is known; otherwise gaps in the numbers of runs are listed.
  """
  problems: dict[str, list[str]] = {}  # What is wrong -> runs, so that many take one line.
  for run in left_out:
    problems.setdefault(run.problem, []).append(run.name)
  names = {run.name for run in (*runs, *left_out)}
  numbers = [int(name) for name in names if name.isdecimal()]
  for number in grid.model_nums if grid else range(max(numbers, default=0)):
    if str(number) not in names:
      problems.setdefault("not trained", []).append(str(number))
  for run in runs:
    lacking = _lacking(run, grid)
    if lacking:
      problems.setdefault(f"not evaluated: {', '.join(lacking)}", []).append(run.name)
  found = findings.count_of("trained run", len(runs))
  if grid:
    found += f" of {len(grid.model_nums)} of the study {grid.name}"
  if not problems:
    return [page.paragraphs([f"{found}, each with every value; none begun and not finished."])]
  lines = [
    f"{'Run' if len(names) == 1 else 'Runs'} {ranges(names)}: {problem}."
    for problem, names in problems.items()
  ]
  return [
    page.paragraphs([f"{found} count. Not part of the figures, or only of some:"]),
    page.bullets(lines),
  ]


def _lacking(run: study_runs.Run, grid: study.Study | None) -> list[str]:
  """Returns the evaluations that a run lacks: those of its study, or those the report shows."""
  if grid is None:
    return [name for key, name in _MEASURES.items() if run.measure(key) is None]
  evaluated = {tuple(column.split(".")[:2]) for column in run.row}
  wanted = [(r, study.metric_name(metric)) for metric in grid.metrics for r in grid.evaluated]
  return [f"{metric} ({name})" for name, metric in wanted if (name, metric) not in evaluated]


def ranges(names: Sequence[str]) -> str:
  """Returns names of runs with consecutive numbers joined, such as `1-3, 7, other`."""
  numbers = sorted(int(name) for name in names if name.isdecimal())
  parts = progress.format_numbers(numbers).split(",") if numbers else []
  return ", ".join([*parts, *sorted(name for name in names if not name.isdecimal())])


def how_to_go_on(
  study_dir: str | os.PathLike,
  output_path: str | os.PathLike,
  runs: Sequence[study_runs.Run],
  left_out: Sequence[study_runs.Run] = (),
  grid: study.Study | None = None,
) -> list[str]:
  """Says how to go on with the study, or to train more; arguments as `what_is_missing`."""
  study_dir = pathlib.Path(study_dir)
  words = _program_and_study(runs[0], grid)
  if grid:
    more, what = [_whole_study(study_dir, words)], "make what is missing of the study"
  else:
    more, what = _more_seeds(study_dir, runs, left_out), "add a seed to the study"
  last = [str(pathlib.Path(words[0]).with_name("dl_condind_report")), f"--study_dir={study_dir}"]
  last += words[1:2] if grid else []
  last.append(f"--output_path={output_path}")
  seeds = (
    "In the project's folder, with its environment active and DISENTANGLEMENT_LIB_DATA set as "
    f"before, these commands {what}, and write this page again:"
    if more
    else "Train with another model.random_seed into a new folder of the study, postprocess and "
    "evaluate as before, then write the report again:"
  )
  others = [
    "Other methods: copy gin_configs/studies/quickstart.gin, put another file of "
    "gin_configs/methods/ in it (vae.gin, factor_vae.gin, ...), and give the path of the copy to "
    "dl_condind_reproduce --study.",
    "Three methods and three seeds in hours: dl_condind_reproduce --study=paper_reduced "
    "--engine=local; the paper's whole grid: --study=paper. docs/running_many.md says how.",
    "Pictures of any run: dl_condind_visualize_model --model_dir={run}/model --output_dir=...",
    "The README describes all commands, the settings, and what differs from disentanglement_lib.",
  ]
  return [page.paragraphs([seeds]), page.commands([*more, shlex.join(last)]), page.bullets(others)]


def _program_and_study(run: study_runs.Run, grid: study.Study | None) -> list[str]:
  """Returns the program that made a run, its study and its bindings of all runs, as words."""
  words = _command(run) or [_PROGRAM]
  studies = [word.partition("=")[2] for word in words if word.lstrip("-").startswith("study=")]
  if grid and [pathlib.Path(name).stem for name in studies] != [grid.name]:
    studies = [grid.name]
  bindings = [word for word in words if word.lstrip("-").startswith("gin_bindings=")]
  bindings = [word for word in bindings if run_state.NUM_THREADS not in word]
  return [words[0], *(f"--study={name}" for name in studies), *bindings]


def _more_seeds(
  study_dir: pathlib.Path, runs: Sequence[study_runs.Run], left_out: Sequence[study_runs.Run]
) -> list[str]:
  """Returns the command of one run of each correlation with a new seed and a new folder.

  There is none where a run was not made by dl_condind_reproduce.
  """
  seeds = [int(run.seed) for run in (*runs, *left_out) if run.seed.isdecimal()]
  seed = 1 + max(seeds, default=-1)
  commands = []
  for label in study_runs.correlation_labels(runs):
    run = next(run for run in runs if run.correlation_label == label)
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
  words = _command_line(run)
  return words if words and pathlib.Path(words[0]).name == _PROGRAM else []


def _command_line(run: study_runs.Run) -> list[str]:
  """Returns the words of a run's command, without the folder that a program was found in."""
  program, *others = shlex.split(str(run.provenance.get("command_line", ""))) or [""]
  name = pathlib.Path(program).name if pathlib.Path(program).is_absolute() else program
  return [name, *others] if name else []


def _whole_study(study_dir: pathlib.Path, words: Sequence[str]) -> str:
  """Returns the command that makes all missing runs; words as of `_program_and_study`."""
  output = f"--output_directory={study_dir / study.MODEL_NUM}"
  return shlex.join([*words, "--engine=local", output])
