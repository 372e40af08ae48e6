"""The figure that tells families of posteriors apart: what each keeps, and along which axes."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

from dl_condind.reports import axes
from dl_condind.reports import charts
from dl_condind.reports import comparisons
from dl_condind.reports import figures
from dl_condind.reports import measures
from dl_condind.reports import study_runs
from dl_condind.reports.vae import family_claims

NAME = "families"
_MIGS = ("mig_mean", "mig_noise_axes", "mig_best_rotation")  # on one scale
_PROBES = ("probe_accuracy", "info_e")


def draw(settings: study_runs.Settings, tables: comparisons.Tables) -> list[figures.Drawn]:
  """Draws the measures of each setting with several families, a panel for each measure.

  Args:
    settings: Name of a setting of VAEs -> its runs, as `grouping.group_by_setting` returns them.
    tables: `comparisons.compare_all` of all settings.
  """
  drawn: list[figures.Drawn] = []
  for name, runs in settings.items():
    by_family = family_claims.by_family(runs)
    if not by_family:
      continue
    # Correlation label -> name, in the order of the claims.
    families = {members[0].correlation_label: family for family, members in by_family.items()}
    migs, probes = (
      [panel for m in chosen for panel in _panels(name, runs, families, m, tables)]
      for chosen in (_MIGS, _PROBES)
    )
    panels = [*_on_one_scale(migs), *probes]
    if panels:
      drawn.append(
        figures.Drawn(
          f"{NAME}_{len(drawn)}",
          f"Families of posteriors: {name}",
          "Of the mean representation. What falls along the latents and comes back along other "
          "axes was turned, not lost.",
          charts.Chart(tuple(panels), tuple(families)),
        )
      )
  return drawn


def _panels(
  name: str,
  runs: Sequence[study_runs.Run],
  families: Mapping[str, str],
  measure_name: str,
  tables: comparisons.Tables,
) -> list[charts.Panel]:
  """Returns the panel of a measure over the families; none without values."""
  measure = measures.find(measure_name)
  table, label = tables[measure_name], measure.axis_label
  chart = charts.of_values({name: runs}, measure_name, table, list(families), label, measure.digits)
  if chart is None:
    return []
  (panel,) = chart.panels
  ticks = tuple((float(i), family) for i, family in enumerate(families.values()))
  lines = tuple(line for line in panel.lines if line.kind != charts.TREND)
  x = axes.Axis("", panel.x.limits, ticks)
  y = dataclasses.replace(panel.y, label="")
  return [dataclasses.replace(panel, title=label, x=x, y=y, lines=lines)]


def _on_one_scale(panels: Sequence[charts.Panel]) -> list[charts.Panel]:
  """Returns panels with the y-axis of that which reaches highest."""
  highest = [panel.y for panel in sorted(panels, key=lambda panel: panel.y.limits[1])]
  return [dataclasses.replace(panel, y=highest[-1]) for panel in panels]
