"""The figures of a study of VAEs: those of the paper, from whatever runs there are."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

from dl_condind.reports import study_runs
from dl_condind.visualize import figures

POINTS = (
  "Each point is one run, the bar is the median of runs with equal correlation; from five runs on, "
  "the shape behind shows their distribution."
)

Settings = Mapping[str, Sequence[study_runs.Run]]

_PAPER_FIGURES = {"10": " (as in Figure 1)", "20": " (as in Figure 5)"}


@dataclasses.dataclass(frozen=True)
class Drawn:
  """A figure with the name of its files and its caption."""

  name: str
  figure: figures.Figure
  caption: str


def draw(settings: Settings) -> list[Drawn]:
  """Draws MIG of all data sets, then the other measures of each; leaves out what has no value.

  Args:
    settings: Name of a setting of VAEs -> its runs, as `study_runs.group_by_setting` returns them.
  """
  by_latents: dict[str, dict[str, Sequence[study_runs.Run]]] = {}
  by_dataset: dict[tuple[str, str], dict[str, Sequence[study_runs.Run]]] = {}
  for name, runs in settings.items():
    by_latents.setdefault(runs[0].num_latent, {})[name] = runs
    by_dataset.setdefault((runs[0].dataset, runs[0].num_latent), {})[name] = runs
  labels = study_runs.correlation_labels([run for runs in settings.values() for run in runs])
  drawn = []
  for num_latent, cells in by_latents.items():
    drawn += [_draw_mig(cells, labels, name, num_latent) for name in ("mean", "sampled")]
  for (dataset, num_latent), cells in by_dataset.items():
    drawn.append(_draw_terms(cells, labels, dataset, num_latent))
    drawn.append(_draw_scatter(cells, labels, dataset, num_latent))
  return [found for found in drawn if found]


def reconstruction_unit(runs: Sequence[study_runs.Run]) -> str:
  """Returns the unit of the reconstruction error of runs."""
  losses = {run.setting("reconstruction_loss.loss_fn") for run in runs}
  if losses == {"@bernoulli_loss"}:
    return "nats"
  return "squared error" if losses == {"@l2_loss"} else "units of its loss"


def by_correlation(
  runs: Sequence[study_runs.Run], measure: str, labels: Sequence[str]
) -> dict[str, list[float]]:
  """Returns the values of a measure at each correlation."""
  return {
    label: study_runs.values_of(study_runs.of_correlation(runs, label), measure) for label in labels
  }


def has_values(rows: Sequence[tuple[str, Mapping[str, Mapping[str, Sequence]]]]) -> bool:
  """Returns whether there is a point to draw in rows of panels of correlations."""
  return any(values for _, panels in rows for panel in panels.values() for values in panel.values())


def _draw_mig(cells: Settings, labels: Sequence[str], name: str, num_latent: str) -> Drawn | None:
  panels: dict[str, dict[str, Mapping[str, Sequence[float]]]] = {}
  for title, runs in cells.items():
    row = panels.setdefault(runs[0].method, {})
    row[title] = by_correlation(runs, f"mig_{name}", labels)
  rows = [("MIG", row) for row in panels.values()]
  if not has_values(rows):
    return None
  caption = (
    f"Mutual information gap of the {name} representation, {num_latent} latents"
    f"{_PAPER_FIGURES.get(num_latent, '') if name == 'mean' else ''}. {POINTS}"
  )
  figure = figures.values_by_correlation(rows, labels)
  return Drawn(f"mig_{name}_{num_latent}_latents", figure, caption)


def _draw_terms(
  cells: Settings, labels: Sequence[str], dataset: str, num_latent: str
) -> Drawn | None:
  everything = [run for runs in cells.values() for run in runs]
  names = {
    "reconstruction_loss": f"reconstruction error [{reconstruction_unit(everything)}]",
    "kl_loss": "factorized KL [nats]",
    "total_correlation": "TC estimate [nats]",
  }
  rows = [
    (text, {title: by_correlation(runs, name, labels) for title, runs in cells.items()})
    for name, text in names.items()
  ]
  if not has_values(rows):
    return None
  caption = (
    f"Reconstruction error, KL and total correlation on {dataset}, {num_latent} latents (as in "
    "Figure 2). The reconstruction error is of one sample of q(z|x) for each image."
  )
  figure = figures.values_by_correlation(rows, labels)
  return Drawn(f"terms_{dataset}_{num_latent}_latents", figure, caption)


def _draw_scatter(
  cells: Settings, labels: Sequence[str], dataset: str, num_latent: str
) -> Drawn | None:
  def points(runs: Sequence[study_runs.Run], measure: str) -> dict[str, list[tuple[float, float]]]:
    found = {label: [] for label in labels}
    for run in runs:
      point = run.measure("kl_loss"), run.measure(measure)
      if None not in point:
        found[run.correlation_label].append(point)
    return found

  everything = [run for runs in cells.values() for run in runs]
  names = {
    "total_correlation": "TC estimate [nats]",
    "reconstruction_loss": f"reconstruction error [{reconstruction_unit(everything)}]",
  }
  rows = [
    (text, {title: points(runs, name) for title, runs in cells.items()})
    for name, text in names.items()
  ]
  if not has_values(rows):
    return None
  caption = (
    "The paper's estimate of the total correlation, and the reconstruction error, over the "
    f"factorized KL on {dataset}, {num_latent} latents. Each point is one run."
  )
  figure = figures.scatter(rows, labels, "factorized KL [nats]")
  return Drawn(f"kl_{dataset}_{num_latent}_latents", figure, caption)
