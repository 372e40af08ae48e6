"""Settings: what the runs of a study have in common that differ in posterior and seed only."""

from collections.abc import Sequence

from dl_condind.reports import families
from dl_condind.reports import study_runs


def group_by_setting(runs: Sequence[study_runs.Run]) -> dict[str, list[study_runs.Run]]:
  """Groups runs that differ in nothing but the posterior and the seed.

  Returns:
    Name -> runs. Names say method, data set and number of latents or continuous codes, and whatever
    else is needed to tell them apart.
  """
  groups: dict[tuple, list[study_runs.Run]] = {}
  for run in runs:
    groups.setdefault(run.setting_items, []).append(run)
  named = {}
  for setting, members in groups.items():
    name = setting_name(members[0])
    alike = [set(other) for other in groups if setting_name(groups[other][0]) == name]
    shared = set.intersection(*alike)
    extra = ", ".join(f"{key} = {value}" for key, value in setting if (key, value) not in shared)
    named[f"{name} ({extra})" if extra else name] = members
  return named


def setting_name(run: study_runs.Run) -> str:
  """Returns method, data set and number of latents or continuous codes."""
  return f"{run.method_name} on {run.dataset}, {families.of(run).sentences.name_latents(run)}"
