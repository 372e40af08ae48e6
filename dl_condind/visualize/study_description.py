"""What was run in a study, what is missing and how to go on, as pieces of an HTML page."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import os
import pathlib
import shlex

from dl_condind.visualize import page
from dl_condind.visualize import study_runs

_VERSIONS = (
  "dl_condind",
  "python",
  "tensorflow",
  "keras",
  "tensorflow_probability",
  "numpy",
  "scikit-learn",
  "gin-config",
)
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
  metrics = study_runs.evaluation_settings(everything)
  facts = [(metric, "; or ".join(texts)) for metric, texts in metrics.items()]
  facts += [(name, _join(run.provenance.get(name) for run in everything)) for name in _VERSIONS]
  facts.append(("processor", _join(run.provenance.get("cpu") for run in everything)))
  parts += [page.heading("Evaluation and versions"), page.facts_table(facts)]
  lines = [f"# run {r.name}\n{r.provenance.get('command_line', '-')}" for r in everything]
  return [*parts, page.details("Commands of the trainings", page.commands(lines))]


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
  source = _join(run.provenance.get("dataset_source") for run in runs)
  digest = _join(str(run.provenance.get("dataset_sha256", "-"))[:16] for run in runs)
  rendered = "rendered by this package" if source == "rendered" else f"source: {source}"
  return f"{rendered}, sha256 {digest}"


def _learning_rate(run: study_runs.Run) -> str:
  optimizer = run.setting("vae_optimizer.optimizer_fn").removeprefix("@")
  rates = run.setting("vae_optimizer.learning_rate"), run.setting(f"{optimizer}.learning_rate")
  return next((rate for rate in rates if rate not in ("None", "-")), "the optimizer's default")


def _join(values: Iterable[object]) -> str:
  """Returns the different values of the runs."""
  return ", ".join(sorted({str(value) for value in values if value is not None})) or "-"


def what_is_missing(study_dir: pathlib.Path, runs: Sequence[study_runs.Run]) -> list[str]:
  """Lists runs that are not finished and values that finished runs lack."""
  lines = [f"Run {k}: {v}." for k, v in study_runs.not_finished(study_dir, runs).items()]
  for run in runs:
    lacking = [name for key, name in _MEASURES.items() if run.measure(key) is None]
    if lacking:
      lines.append(f"Run {run.name}: not evaluated: {', '.join(lacking)}.")
  found = f"{len(runs)} trained {'run' if len(runs) == 1 else 'runs'} found"
  if not lines:
    return [page.paragraphs([f"{found}, each with every value; none begun and not finished."])]
  return [
    page.paragraphs([f"{found}. Not part of the figures, or only of some:"]),
    page.bullets(lines),
  ]


def how_to_go_on(
  study_dir: str | os.PathLike, output_path: str | os.PathLike, runs: Sequence[study_runs.Run]
) -> list[str]:
  """Says how to train more seeds and other methods."""
  study, report = shlex.quote(str(study_dir)), shlex.quote(str(output_path))
  more = _more_seeds(pathlib.Path(study_dir), runs)
  folder = pathlib.Path(shlex.split(more[0])[0]).parent if more else pathlib.Path()
  last = [f"{folder / 'dl_condind_report'} --study_dir={study} --output_path={report}"]
  seeds = (
    "In the project's folder, with its environment active and DISENTANGLEMENT_LIB_DATA set as "
    "before, these commands add a seed to the study:"
    if more
    else "Train with another model.random_seed into a new folder of the study, postprocess and "
    "evaluate as before, then write the report again:"
  )
  others = [
    "Other methods: copy gin_configs/studies/quickstart.gin, put another file of "
    "gin_configs/methods/ in it (vae.gin, factor_vae.gin, ...), and give the path of the copy to "
    "dl_condind_reproduce --study.",
    "The paper's grid: dl_condind_reproduce --study=paper_dsprites --model_num=0, to 119; each run "
    "takes hours.",
    "Pictures of any run: dl_condind_visualize_model --model_dir={run}/model --output_dir=...",
    "The README describes all commands, the settings, and what differs from disentanglement_lib.",
  ]
  return [page.paragraphs([seeds]), page.commands([*more, *last]), page.bullets(others)]


def _more_seeds(study_dir: pathlib.Path, runs: Sequence[study_runs.Run]) -> list[str]:
  """Returns the command of one run of each correlation with a new seed and a new folder.

  There is none where a run was not made by dl_condind_reproduce.
  """
  seed = 1 + max((int(run.seed) for run in runs if run.seed.isdecimal()), default=-1)
  number = 1 + max((int(run.name) for run in runs if run.name.isdecimal()), default=-1)
  commands = []
  for label in study_runs.correlation_labels(runs):
    run = next(run for run in runs if run.correlation_label == label)
    words = shlex.split(str(run.provenance.get("command_line", "")))
    if not words or pathlib.Path(words[0]).name != "dl_condind_reproduce":
      return []
    kept = [word for word in words if not word.lstrip("-").startswith("output_directory=")]
    folder = study_dir / str(number + len(commands))
    kept += [f"--output_directory={folder}", f"--gin_bindings=model.random_seed = {seed}"]
    commands.append(shlex.join(kept))
  return commands
