"""What differs between kinds of models in a report, each behind one `Family`."""

from collections.abc import Sequence
import types
from typing import NamedTuple

from dl_condind.reports import measures
from dl_condind.reports import study_runs
from dl_condind.reports.infogan import claims as infogan_claims
from dl_condind.reports.infogan import figures as infogan_figures
from dl_condind.reports.infogan import sentences as infogan_sentences
from dl_condind.reports.vae import claims as vae_claims
from dl_condind.reports.vae import family_claims
from dl_condind.reports.vae import figures as vae_figures
from dl_condind.reports.vae import sentences as vae_sentences
from dl_condind.reports.vae import weak_claims
from dl_condind.utils import errors
from dl_condind.utils import run_config


class Family(NamedTuple):
  """What a report has of one kind of model. The modules have the functions named here.

  Attributes:
    kind: The kind of model, as runs record it.
    name: Its name for readers.
    claims: `judge(settings)` returns the paper's claims with their verdicts, NOTE explains them,
      PROTOCOL is how the paper trains.
    figures: `draw(settings)` returns the figures of runs, `draw_models(pair, described,
      trust_gin_imports)` pictures of two stored models.
    sentences: INTRODUCTION and NEXT_STEPS; `describe(settings)` says what the measures say,
      `explain_columns(runs)` what the columns of the table of every run are; `name_latents(run)`,
      `name_networks(run)` and `name_learning_rates(run)` say what a run has of them.
    claim_sets: Further claims, which are not the paper's: modules with a TITLE, a NOTE and
      `judge(settings)`, which returns none where they are not about the runs.
  """

  kind: str
  name: str
  claims: types.ModuleType
  figures: types.ModuleType
  sentences: types.ModuleType
  claim_sets: Sequence[types.ModuleType] = ()

  @property
  def columns(self) -> Sequence[measures.Measure]:
    """The measures that are columns of the table of every run."""
    return measures.shown(self.kind)


FAMILIES = (
  Family(
    run_config.VAE,
    "VAE",
    vae_claims,
    vae_figures,
    vae_sentences,
    claim_sets=(family_claims, weak_claims),
  ),
  Family(run_config.INFOGAN, "InfoGAN", infogan_claims, infogan_figures, infogan_sentences),
)
_BY_KIND = {family.kind: family for family in FAMILIES}


def of(run: study_runs.Run) -> Family:
  """Returns the family of a run.

  Raises:
    ConfigError: If there is no report of its kind of model.
  """
  if run.kind not in _BY_KIND:
    raise errors.ConfigError(
      f"Run {run.name} has a model of the kind {run.kind!r}, a report shows "
      f"{' and '.join(_BY_KIND)}: move it to another folder."
    )
  return _BY_KIND[run.kind]


def by_family(settings: study_runs.Settings) -> dict[Family, study_runs.Settings]:
  """Returns the settings of each family that occurs, in the order of FAMILIES."""
  found = {name: of(runs[0]) for name, runs in settings.items()}
  return {
    family: {name: runs for name, runs in settings.items() if found[name] == family}
    for family in FAMILIES
    if family in found.values()
  }
