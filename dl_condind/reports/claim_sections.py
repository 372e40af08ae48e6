"""The sections of a page that judge claims: those of the paper, and those of others."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from dl_condind.reports import families
from dl_condind.reports import protocol
from dl_condind.reports import study_runs
from dl_condind.reports import tables
from dl_condind.reports import verdicts

Families = Mapping[families.Family, study_runs.Settings]


class Section(NamedTuple):
  """A section of claims: those with runs and their verdicts, and those without."""

  id: str
  title: str
  judged: Sequence[verdicts.Claim]
  without_runs: Sequence[verdicts.Claim]
  notes: Sequence[str]
  banner: str = ""
  reservations: Sequence[str] = ()

  @property
  def are_of_several_protocols(self) -> bool:
    """Whether only some of the verdicts are about the protocol that the title names."""
    return len({bool(claim.deviations) for claim in self.judged}) > 1


def of_paper(
  by_family: Families, reservations: Sequence[str]
) -> tuple[Section, list[verdicts.Claim]]:
  """Returns the section of the paper's claims, whose title says if it is of another protocol."""
  judged = [
    claim for family, members in by_family.items() for claim in family.claims.judge(members)
  ]
  deviations = list(dict.fromkeys(d for claim in judged for d in claim.deviations))
  title, banner = "Claims of the paper", ""
  if deviations:
    title = f"Claims of the paper, judged in {protocol.name(deviations)}"
    banner = protocol.describe(deviations)
  notes = [tables.VERDICT_NOTE, *(family.claims.NOTE for family in by_family)]
  section = Section("claims", title, *_with_and_without_runs(judged), notes, banner, reservations)
  return section, judged


def of_others(by_family: Families) -> list[Section]:
  """Returns a section for each set of claims beside the paper's that is about the runs."""
  return [
    Section(f"claims-{number}", claims.TITLE, *_with_and_without_runs(judged), [claims.NOTE])
    for number, (claims, members) in enumerate(
      (claims, members) for family, members in by_family.items() for claims in family.claim_sets
    )
    if (judged := claims.judge(members))
  ]


def _with_and_without_runs(
  claims: Sequence[verdicts.Claim],
) -> tuple[list[verdicts.Claim], list[verdicts.Claim]]:
  return (
    [claim for claim in claims if claim.has_runs],
    [claim for claim in claims if not claim.has_runs],
  )
