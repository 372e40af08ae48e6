"""Pieces of sentences on the measures of a study, whatever kind of model it has."""

from collections.abc import Callable
from collections.abc import Sequence
import statistics

from dl_condind.reports import measures
from dl_condind.reports import study_runs
from dl_condind.utils import run_config

_MAX_TOLD_SETTINGS = 3  # Of more, the table of statistics says the same in less space.


def tell_each(
  settings: study_runs.Settings,
  tell: Callable[[Sequence[study_runs.Run], Sequence[study_runs.Run]], list[str]],
) -> list[str]:
  """Returns sentences on each setting, which name it if there are several.

  Args:
    settings: Runs grouped by setting.
    tell: Runs of the lowest and of the highest correlation -> sentences.
  """
  if len(settings) > _MAX_TOLD_SETTINGS:
    return []
  paragraphs = []
  for name, runs in settings.items():
    pair = study_runs.extremes(runs)
    start = f"{name}. " if len(settings) > 1 else ""
    paragraphs += [f"{start}{text}" for text in (tell(*pair) if pair else [nothing_told(runs)])]
  return paragraphs


def split_names(settings: study_runs.Settings) -> tuple[str, dict[str, str]]:
  """Returns what the names of all settings have in common, and what tells each from the others.

  Returns:
    What is common, such as `dsprites_full, 10 latents`; name -> what differs, such as `FactorVAE`,
    which is empty if there is one setting only.
  """
  parts = {}
  for name, runs in settings.items():
    method, dataset = runs[0].method_name, runs[0].dataset
    parts[name] = (method, dataset, name.removeprefix(f"{method} on {dataset}, "))
  differ = [len(set(column)) > 1 for column in zip(*parts.values(), strict=True)]
  first = next(iter(parts.values()))
  common = [part for part, is_other in zip(first, differ, strict=True) if not is_other]
  return ", ".join(common), {
    name: ", ".join(part for part, is_other in zip(of_name, differ, strict=True) if is_other)
    for name, of_name in parts.items()
  }


def nothing_told(runs: Sequence[study_runs.Run]) -> str:
  """Returns why there are no two numbers c to compare."""
  if len(study_runs.correlation_labels(runs)) == 1:
    return "All runs have one noise correlation, so nothing is compared."
  return "Not all noise correlations are numbers c: the table of statistics compares them."


def describe_change(
  low: Sequence[study_runs.Run], high: Sequence[study_runs.Run], measure: measures.Measure
) -> str:
  """Returns how the median of a measure, of which there are values, changes from low to high."""
  name, digits = measure.name, measure.digits
  values = [study_runs.values_of(runs, name) for runs in (low, high)]
  before, after = (round(statistics.median(found), digits) for found in values)
  counts = list(map(len, values))
  where = [
    f"at {run_config.name_correlation(runs[0].correlation_label)} ({count_of('run', count)})"
    for runs, count in zip((low, high), counts, strict=True)
  ]
  if after == before:
    return f"stayed {before:.{digits}f}, {where[0]} and {where[1]}"
  verb = "rose" if after > before else "fell"
  return f"{verb} from {before:.{digits}f} {where[0]} to {after:.{digits}f} {where[1]}"


def learning_rate(run: study_runs.Run, name: str) -> str:
  """Returns the learning rate of an optimizer of a run, such as `vae_optimizer`."""
  optimizer = run.setting(f"{name}.optimizer_fn").removeprefix("@")
  rates = run.setting(f"{name}.learning_rate"), run.setting(f"{optimizer}.learning_rate")
  return next((rate for rate in rates if rate not in ("None", "-")), "the optimizer's default")


def source_name(source: str) -> str:
  """Returns what a data set's source is, in words."""
  names = {
    "rendered": "rendered by this package",
    "synthetic": "synthetic stand-in, not real images",
  }
  return names.get(source, source)


def count_of(word: str, number: int) -> str:
  """Returns a number and its noun, such as `1 run` or `2 runs`."""
  return f"{number} {word}" if number == 1 else f"{number} {word}s"
