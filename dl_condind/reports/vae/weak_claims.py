"""Claims on weak supervision: does it find the axes, and does it hold them when the noise turns?

They are of studies that train Ada-GVAE on pairs and methods without supervision on single images.
What is claimed, measured and tested, with its margins, was written down before the first run, in
`docs/results/weak_supervision.md`.
"""

from collections.abc import Mapping
from collections.abc import Sequence

from dl_condind.reports import claim_sets
from dl_condind.reports import paired_verdicts
from dl_condind.reports import study_runs
from dl_condind.reports import verdicts

TITLE = "Weak supervision: does it find the axes, and hold them when the noise turns?"
MIG_MARGIN = 0.05
DCI_MARGIN = 0.05
AXES_MARGIN = 0.1  # Twice that of MIG, so that what is not lower is more than a random rotation.
NOTE = (
  "Runs of one seed are pairs. MIG and DCI are those of the mean representation. Tests are t-tests "
  f"of the differences against a margin: {MIG_MARGIN:g} of MIG and DCI, {AXES_MARGIN:g} of claim "
  "A. p-values are adjusted over the six claims of a data set by Holm's method. D and E mean "
  "something only where A holds."
)
_FIRST_LEVEL = verdicts.LEVEL / 6  # Of the first of six claims in Holm's method.

_MIG = "mean.mig.discrete_mig"
_DCI = "mean.dci.disentanglement"
_NOISE_AXES = "mean.aligned_mig.noise_eigenbasis.mig"
_RANDOM_ROTATIONS = "mean.rotated_mig.random_rotation_mig"

# Group of runs -> gin names of its method and its noise, and the correlation where there is one.
GROUPS = {
  "Ada-GVAE": ("group_vae_argmax", "independent", 0.0),
  "Ada-GVAE, c = 0.9": ("group_vae_argmax", "equicorrelated", 0.9),
  "Ada-GVAE, rotated noise": ("group_vae_argmax", "rotated", None),
  "beta-VAE": ("vae", "independent", 0.0),
  "beta-TCVAE": ("beta_tc_vae", "independent", 0.0),
}
_UNSUPERVISED = ("beta-VAE", "beta-TCVAE")
_ADA_GVAE = "Ada-GVAE"

_Runs = Mapping[str, Sequence[study_runs.Run]]  # by group


def judge(settings: study_runs.Settings) -> list[verdicts.Claim]:
  """Returns the claims with their verdicts, for each data set on which Ada-GVAE was trained.

  A study in which a method has several settings, such as weights, has none: it is not said which
  of them are to be compared.

  Args:
    settings: Runs of each setting of VAEs, as `grouping.group_by_setting` returns them.
  """
  claims = []
  for where in sorted({_where(runs[0]) for runs in settings.values()}):
    chosen = [runs for runs in settings.values() if _where(runs[0]) == where]
    methods = [runs[0].method for runs in chosen]
    groups = by_group([run for runs in chosen for run in runs])
    if _ADA_GVAE in groups and len(groups) > 1 and len(set(methods)) == len(methods):
      claims += claim_sets.decide_all(_questions(groups, where))
  return claims


def _where(run: study_runs.Run) -> str:
  return f"{run.dataset}, {run.num_latent} latents"


def by_group(runs: Sequence[study_runs.Run]) -> _Runs:
  """Returns the runs of each group that has some."""
  found = {
    group: [
      run
      for run in runs
      if (run.method, run.noise_correlation) == (method, noise)
      and correlation in (None, run.correlation)
    ]
    for group, (method, noise, correlation) in GROUPS.items()
  }
  # Noise of correlation 0 is independent, whatever it is called.
  zero = [run for run in runs if run.noise_correlation != "independent" and run.correlation == 0]
  for group, (method, noise, _) in GROUPS.items():
    if noise == "independent":
      found[group] += [run for run in zero if run.method == method]
  return {group: members for group, members in found.items() if members}


def _questions(runs: _Runs, where: str) -> list[claim_sets.Question]:
  """Returns the six claims on a data set."""
  axes = paired_verdicts.higher_by(AXES_MARGIN, digits=3, level=_FIRST_LEVEL)
  higher = paired_verdicts.higher_by(MIG_MARGIN, digits=3, level=_FIRST_LEVEL)
  dci_higher = paired_verdicts.higher_by(DCI_MARGIN, digits=3, level=_FIRST_LEVEL)
  not_lower = paired_verdicts.not_lower(MIG_MARGIN, digits=3, level=_FIRST_LEVEL)
  correlated, rotated = "Ada-GVAE, c = 0.9", "Ada-GVAE, rotated noise"

  def compare(before, after, test, column, column_after=None):
    pairing = paired_verdicts.of_runs(
      runs.get(before, ()),
      runs.get(after, ()),
      paired_verdicts.in_column(column),
      paired_verdicts.in_column(column_after) if column_after else None,
    )
    return verdicts.named({where: test(pairing)}, f"{before} → {after}")[0]

  def within(group, test, column, column_after):
    return compare(group, group, test, column, column_after)

  claims = (
    (
      "A: Ada-GVAE has axes: MIG along its latents exceeds that of random rotations",
      [within(_ADA_GVAE, axes, _RANDOM_ROTATIONS, _MIG)],
    ),
    (
      "B: MIG is higher with weak supervision",
      [compare(group, _ADA_GVAE, higher, _MIG) for group in _UNSUPERVISED],
    ),
    (
      "C: DCI's disentanglement is higher with weak supervision",
      [compare(group, _ADA_GVAE, dci_higher, _DCI) for group in _UNSUPERVISED],
    ),
    (
      "D: weak supervision holds the axes when noise is correlated: MIG is not lower",
      [compare(_ADA_GVAE, correlated, not_lower, _MIG)],
    ),
    (
      "E: weak supervision holds the axes when noise is rotated: MIG is not lower",
      [compare(_ADA_GVAE, rotated, not_lower, _MIG)],
    ),
    (
      "F: with rotated noise, factors lie along the latents rather than along the noise's axes",
      [within(rotated, higher, _NOISE_AXES, _MIG)],
    ),
  )
  return [claim_sets.Question(text, where, findings) for text, findings in claims]
