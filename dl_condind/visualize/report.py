"""A study as one self-contained HTML page."""

from collections.abc import Mapping
from collections.abc import Sequence
import os
import pathlib

from absl import logging

from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.visualize import figures
from dl_condind.visualize import findings
from dl_condind.visualize import model_pairs
from dl_condind.visualize import page
from dl_condind.visualize import study_description
from dl_condind.visualize import study_runs

_Settings = Mapping[str, Sequence[study_runs.Run]]

_INTRODUCTION = (
  "Here a variational autoencoder draws its latents as z = mean + stddev * noise with noise of "
  "covariance (1 - c) I + c 1 1ᵀ: c = 0 is the usual, factorized posterior q(z|x), c = 0.9 one in "
  "which all latents are correlated given the image. Yang et al. (2020), arXiv:1911.10922, argue "
  "that disentanglement needs the factorized one, so that the mutual information gap (MIG) falls "
  "when c rises, while reconstruction error, KL and total correlation (TC) change little."
)

# Heading, measure, digits; nats where no unit is named.
_COLUMNS = (
  ("Steps", "steps", 0),
  ("MIG, mean", "mig_mean", 3),
  ("MIG, sampled", "mig_sampled", 3),
  ("Reconstr. error", "reconstruction_loss", 2),
  ("KL, factorized", "kl_loss", 2),
  ("KL, full", "kl_loss_full", 2),
  ("TC", "total_correlation", 2),
  ("TC, std. error", "total_correlation_std_error", 3),
  ("TC, null", "total_correlation_null", 2),
  ("TC, leave‑one‑out", "total_correlation_leave_one_out", 2),
)

_CAPTIONS = {
  "mig": "Mutual information gap of the mean and of the sampled representation. Each point is one "
  "run, the bar is the median of runs with equal correlation; from five runs on, the shape behind "
  "shows their distribution.",
  "reconstruction_error": "Reconstruction error of one sample of q(z|x) for each image, averaged "
  "over images. Each point is one run.",
  "kl_total_correlation": "The paper's estimate of the total correlation over the factorized KL. "
  "Each point is one run.",
  "reconstructions": "The same images, each reconstructed from one sample of q(z|x) by {pair}.",
  "traversals": "Latent traversals from the first of those images, by {pair}. Each row moves one "
  "latent over [-2, 2] and leaves the others at the mean of q(z|x). A row in which nothing moves "
  "is a latent the model does not use.",
}


def write_report(
  study_dir: str | os.PathLike,
  output_path: str | os.PathLike | None = None,
  show_models: bool = True,
) -> pathlib.Path:
  """Writes the report of a study, with its figures in the folder `figures` beside it.

  Args:
    study_dir: Folder of the study, with a folder for each run.
    output_path: Name of the page; `{study_dir}/report.html` if None.
    show_models: Whether to show traversals and reconstructions of two models, for which the data
      set must be there.

  Returns:
    The name of the page.

  Raises:
    ConfigError: If there is no trained run, or the page cannot be written.
    DatasetError: If a record or model is damaged, or the data set is missing.
  """
  study_dir = pathlib.Path(study_dir)
  output_path = pathlib.Path(output_path) if output_path else study_dir / "report.html"
  figure_dir = output_path.parent / "figures"
  _check_replaceable(figure_dir)
  runs = study_runs.read_runs(study_dir)
  settings = study_runs.group_by_setting(runs)
  pictures = _draw_measures(settings, study_runs.correlation_labels(runs))
  pair = model_pairs.choose(settings) if show_models else None
  if pair:
    try:
      pictures |= model_pairs.draw(pair)
    except errors.DatasetError as error:
      message = f"{error} The option --noshow_models leaves the models out of the report."
      raise errors.DatasetError(message) from error
  with files.atomic_directory(figure_dir) as folder:
    for name, png in pictures.items():
      (folder / f"{name}.png").write_bytes(png)
  title = f"Factorized and correlated posteriors: {study_dir.resolve().name}"
  sections = [
    page.section("Results", *_results(settings)),
    page.section("Figures", *_figures(pictures, pair)),
    page.section("What the figures say and do not say", page.bullets(findings.describe(settings))),
    page.section("What was run", *study_description.what_was_run(settings)),
    page.section("Missing or incomplete", *study_description.what_is_missing(study_dir, runs)),
    page.section("How to go on", *study_description.how_to_go_on(study_dir, output_path, runs)),
  ]
  files.write_text(output_path, page.document(title, [_INTRODUCTION], sections))
  logging.info("Wrote %s, a report of %d runs.", output_path, len(runs))
  return output_path


def _check_replaceable(figure_dir: pathlib.Path) -> None:
  is_filled = figure_dir.is_dir() and any(figure_dir.iterdir())
  if is_filled and not (figure_dir / files.MANIFEST).is_file():
    raise errors.ConfigError(
      f"{figure_dir} would be replaced and is not from a report: choose another --output_path."
    )


def _draw_measures(settings: _Settings, correlations: Sequence[str]) -> dict[str, bytes]:
  """Returns PNG files of the figures that show measures."""
  num_columns = min(3, len(settings))

  def by_correlation(runs: Sequence[study_runs.Run], measure: str) -> dict[str, list[float]]:
    return {
      label: findings.values_of([r for r in runs if r.correlation_label == label], measure)
      for label in correlations
    }

  def points(runs: Sequence[study_runs.Run]) -> dict[str, list[tuple[float, float]]]:
    found = {label: [] for label in correlations}
    for run in runs:
      point = run.measure("kl_loss"), run.measure("total_correlation")
      if None not in point:
        found[run.correlation_label].append(point)
    return found

  titles = settings if len(settings) > 1 else {"": next(iter(settings.values()))}
  mig = {
    f"{title}\n{name} representation".strip(): by_correlation(runs, f"mig_{name}")
    for title, runs in titles.items()
    for name in ("mean", "sampled")
  }
  reconstruction = {
    title: by_correlation(runs, "reconstruction_loss") for title, runs in titles.items()
  }
  totals = {title: points(runs) for title, runs in titles.items()}
  error_label = f"reconstruction error [{_reconstruction_unit(settings)}]"
  drawn = {
    "mig": figures.values_by_correlation(mig, correlations, "MIG", 2),
    "reconstruction_error": figures.values_by_correlation(
      reconstruction, correlations, error_label, num_columns
    ),
    "kl_total_correlation": figures.kl_against_total_correlation(totals, correlations, num_columns),
  }
  return {name: figures.to_png(figure) for name, figure in drawn.items()}


def _reconstruction_unit(settings: _Settings) -> str:
  losses = {r.setting("reconstruction_loss.loss_fn") for runs in settings.values() for r in runs}
  if losses == {"@bernoulli_loss"}:
    return "nats"
  return "squared error" if losses == {"@l2_loss"} else "units of its loss"


def _results(settings: _Settings) -> list[str]:
  headings = ["Run", "c", "Seed", *(heading for heading, _, _ in _COLUMNS), "Minutes"]
  rows = []
  for name, runs in settings.items():
    rows.append(page.row([name], "setting", span=len(headings)))
    for run in runs:
      rows.append(page.row([run.name, run.correlation_label, run.seed, *_cells([run])]))
    for label in study_runs.correlation_labels(runs):
      members = [run for run in runs if run.correlation_label == label]
      rows.append(page.row([f"median of {len(members)}", label, "", *_cells(members)], "median"))
  note = (
    "KL and TC in nats; reconstruction error summed over pixels, in "
    f"{_reconstruction_unit(settings)}. TC is the paper's estimate with its standard error over "
    "batches. Medians are of the runs that have the value; “-” is a value that is not there. "
    "Minutes of training are those since it was last continued. The same numbers, and more, are in "
    "runs.csv."
  )
  return [page.numbers_table(headings, rows), page.note(note)]


def _cells(runs: Sequence[study_runs.Run]) -> list[str]:
  """Returns the measures of a run, or the medians of several."""
  values = [(findings.median(runs, measure), digits) for _, measure, digits in _COLUMNS]
  seconds = findings.median(runs, "seconds")
  values.append((None if seconds is None else seconds / 60, 1))
  return ["-" if value is None else f"{value:,.{digits}f}" for value, digits in values]


def _figures(pictures: Mapping[str, bytes], pair: model_pairs.Pair | None) -> list[str]:
  described = " and ".join(
    f"run {run.name} ({study_runs.name_correlation(run.correlation_label)}, seed {run.seed})"
    for run in pair or ()
  )
  parts = [
    page.pictures(
      [
        page.picture(png, name.replace("_", " "), _CAPTIONS[name].format(pair=described))
        for name, png in pictures.items()
      ]
    )
  ]
  if pair is None:
    parts.append(
      page.note(
        "No pictures of models: they were left out, or no setting has stored models of two "
        "correlations."
      )
    )
  return parts
