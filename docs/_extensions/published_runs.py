"""The directive `published-runs`: a table of all runs that docs/results has, made at build time.

Runs come from the archives of records below docs/results (`dl_condind_archive` writes them). Tables
`runs.csv` there add the runs that are in no archive.
"""

import html
import os
import pathlib
import tempfile
from typing import NamedTuple

from docutils import nodes
from sphinx.util import docutils

from dl_condind.reports import measures
from dl_condind.reports import study_runs
from dl_condind.studies import archive_file
from dl_condind.utils import run_config

RESULTS = pathlib.Path(__file__).resolve().parents[1] / "results"
_KINDS = {run_config.VAE: "VAEs", run_config.INFOGAN: "InfoGANs"}
_SETTINGS = ("Results", "Run", "Method", "Data", "Latents", "Noise", "Seed")


class Published(NamedTuple):
  """Runs with the page that is about them.

  Attributes:
    name: Name of the study or of the folder.
    page: The page in docs/results, without suffix, or None if there is none.
    runs: The runs.
  """

  name: str
  page: str | None
  runs: list[study_runs.Run]


def sources(results: pathlib.Path = RESULTS) -> list[pathlib.Path]:
  """Returns all archives, then all tables."""
  return [*sorted(results.rglob("*.tar.xz")), *sorted(results.rglob("runs.csv"))]


def read_all(results: pathlib.Path = RESULTS) -> list[Published]:
  """Returns the runs of all sources, each run of a study once."""
  found: list[Published] = []
  seen: set[tuple[str, str]] = set()
  for source in sources(results):
    published = read(source, results)
    runs = [run for run in published.runs if (published.name, run.name) not in seen]
    seen |= {(published.name, run.name) for run in runs}
    found.append(published._replace(runs=runs))
  return found


def _stem(archive: pathlib.Path) -> pathlib.Path:
  return archive.with_name(archive.name.removesuffix(".tar.xz"))


def read(source: pathlib.Path, results: pathlib.Path = RESULTS) -> Published:
  """Returns the runs of an archive or of a table."""
  if source.suffix == ".csv":
    owner, name = source.parent, source.parent.name
    runs = study_runs.read_table(source)
  else:
    owner = _stem(source)
    with tempfile.TemporaryDirectory() as folder:
      name = archive_file.extract(source, pathlib.Path(folder)).study
      runs = study_runs.read_runs(folder)
  candidates = [owner, *owner.parents[: len(owner.relative_to(results).parts) - 1]]
  found = [path for path in candidates if path.with_suffix(".md").is_file()]
  page = found[0].relative_to(results).as_posix() if found else None
  return Published(name, page, runs)


def table(kind: str, published: list[Published], to_results: str) -> str:
  """Returns the table of the runs of a kind of model as HTML; empty if there are none."""
  runs = [(source, run) for source in published for run in source.runs if run.kind == kind]
  shown = [
    m for m in measures.shown(kind) if any(run.measure(m.name) is not None for _, run in runs)
  ]
  if not runs:
    return ""
  heads = [*_SETTINGS, *(measure.heading for measure in shown)]
  rows = [_row(source, run, shown, to_results) for source, run in runs]
  return (
    f'<div class="table-wrapper"><table class="sortable" data-name="{_KINDS[kind]}">'
    f"<thead><tr>{''.join(f'<th>{html.escape(text)}</th>' for text in heads)}</tr></thead>"
    f"<tbody>{''.join(rows)}</tbody></table></div>"
  )


def _row(source, run, shown, to_results) -> str:
  name = html.escape(source.name)
  link = f'<a href="{to_results}{source.page}.html">{name}</a>' if source.page else name
  texts = (
    run.name,
    run.method_name,
    run.dataset,
    run.num_latent,
    run_config.name_correlation(run.correlation_label),
    run.seed,
  )
  cells = [link, *(html.escape(str(text)) for text in texts)]
  for measure in shown:
    value = run.measure(measure.name)
    cells.append("" if value is None else f"{value:.{measure.digits}f}")
  return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


class PublishedRuns(docutils.SphinxDirective):
  """Writes a section for each kind of model."""

  def run(self):
    """Returns the nodes."""
    for source in sources():
      self.env.note_dependency(str(source))
    found = read_all()
    to_results = os.path.relpath("results", pathlib.PurePosixPath(self.env.docname).parent) + "/"
    content = []
    for kind, title in _KINDS.items():
      if text := table(kind, found, to_results):
        content += [nodes.rubric(text=title), nodes.raw("", text, format="html")]
    return content or [nodes.paragraph(text="No runs are published yet.")]


def setup(app):
  """Adds the directive."""
  app.add_directive("published-runs", PublishedRuns)
  return {"parallel_read_safe": True, "parallel_write_safe": True}
