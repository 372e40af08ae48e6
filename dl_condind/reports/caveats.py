"""What the verdicts of a study do not hold for, in words."""

from collections.abc import Sequence

from dl_condind.reports import grouping
from dl_condind.reports import sentences
from dl_condind.reports import study_runs
from dl_condind.utils import run_config

_LABELS_OF_EVALUATIONS = (".evaluation.name", ".evaluation.random_seed")


def describe(settings: study_runs.Settings, lost: Sequence[study_runs.Run] = ()) -> list[str]:
  """Returns sentences on what the verdicts of a study do not hold for.

  Args:
    settings: Runs grouped by setting.
    lost: Runs that were begun and are not trained.
  """
  everything = [run for runs in settings.values() for run in runs]
  return [
    *_describe_data(settings),
    *_describe_evaluations(settings),
    *_describe_diverged([run for run in lost if run.state == study_runs.DIVERGED]),
    *_describe_collapsed(everything),
  ]


def _describe_data(settings: study_runs.Settings) -> list[str]:
  """Warns of data that are not the official files, and of different data in one setting."""
  found: dict[str, dict[str, int]] = {}
  paragraphs = []
  for name, runs in settings.items():
    digests = {str(run.provenance.get("dataset_sha256", "-")) for run in runs}
    if len(digests) > 1:
      paragraphs.append(
        f"{name}: its runs saw different data ({', '.join(sorted(d[:12] for d in digests))})."
      )
    for run in runs:
      counts = found.setdefault(run.dataset, {})
      source = str(run.provenance.get("dataset_source", "unknown"))
      counts[source] = counts.get(source, 0) + 1
  parts = [
    f"{dataset}: {sentences.source_name(source)} ({sentences.count_of('run', number)})"
    for dataset, counts in sorted(found.items())
    for source, number in sorted(counts.items())
    if not source.startswith("official")
  ]
  if parts:
    paragraphs.append(f"Not the official files that the paper used: {'; '.join(parts)}.")
  return paragraphs


def _describe_evaluations(settings: study_runs.Settings) -> list[str]:
  """Warns of runs of one setting whose metrics were computed with different settings."""
  paragraphs = []
  for name, runs in settings.items():
    values: dict[str, set[str]] = {}
    for run in runs:
      for column, value in run.row.items():
        if ".config." in column and not column.endswith(_LABELS_OF_EVALUATIONS):
          values.setdefault(column, set()).add(run_config.canonical(str(value)))
    parts = [
      f"{column.replace('.config.', ': ')} = {' or '.join(sorted(found))}"
      for column, found in sorted(values.items())
      if len(found) > 1
    ]
    if parts:
      paragraphs.append(
        f"{name}: its runs were evaluated with different settings ({'; '.join(parts)})."
      )
  return paragraphs


def _describe_diverged(runs: Sequence[study_runs.Run]) -> list[str]:
  counts: dict[str, int] = {}
  for run in runs:
    where = f"run {run.name}, whose configuration is lost"
    if run.config:
      correlation = run_config.name_correlation(run.correlation_label)
      where = f"{grouping.setting_name(run)}, {correlation}"
    counts[where] = counts.get(where, 0) + 1
  if not counts:
    return []
  parts = [f"{where}: {number}" for where, number in sorted(counts.items())]
  return [
    "Diverged runs have no values, and those that are left are no longer a fair sample of seeds: "
    f"{'; '.join(parts)}."
  ]


def _describe_collapsed(runs: Sequence[study_runs.Run]) -> list[str]:
  """Warns of runs in which a measure says that something went wrong."""
  parts = [
    f"run {run.name} ({run_config.name_correlation(run.correlation_label)}): {measure.failure}"
    for run in runs
    for measure in run.failures
  ]
  if not parts:
    return []
  return [
    f"Runs that collapsed count in all tables and figures: {'; '.join(parts)}. What their codes do "
    "says little of the posterior."
  ]
