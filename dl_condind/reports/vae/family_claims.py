"""Claims on families of posteriors: does independent noise disentangle, or noise with axes?

They are of settings in which several families were trained with the same seeds. What is claimed,
measured and tested, with its margins, was written down before the first run, in
`docs/results/posterior_families.md` and `posterior_families_spots.md`.
"""

from collections.abc import Mapping
from collections.abc import Sequence

from dl_condind.reports import claim_sets
from dl_condind.reports import paired_verdicts
from dl_condind.reports import study_runs
from dl_condind.reports import verdicts

TITLE = "Families of posteriors: independent noise, or noise with axes?"
MIG_MARGINS = {"spots": 0.1}  # by data set; where MIG is high, a difference weighs less
MIG_MARGIN = 0.05  # of the others
PROBE_MARGIN = 0.02  # of the accuracy
NOTE = (
  "Runs of one seed are pairs. MIG is that of the mean representation; equal means within "
  f"±{MIG_MARGIN:g} (spots: ±{MIG_MARGINS['spots']:g}), and probes are not less accurate if their "
  f"accuracy falls by less than {PROBE_MARGIN:g}. p-values are adjusted over the claims of a "
  "setting by Holm's method."
)
_METHOD = "vae"  # What the claims were written down for.
_MIN_FAMILIES = 3  # Fewer are the paper's comparison.
_FIRST_LEVEL = verdicts.LEVEL / 7  # Of the first of seven claims in Holm's method.

# Family -> gin name of its noise, and the correlation where that tells families apart.
FAMILIES = {
  "independent": ("independent", 0.0),
  "equicorrelated 0.5": ("equicorrelated", 0.5),
  "equicorrelated 0.9": ("equicorrelated", 0.9),
  "random correlation": ("random_correlation", None),
  "rotated": ("rotated", None),
  "learned correlation": ("learned_correlation", None),
  "full": ("full", None),
  "isotropic": ("isotropic", None),
}
_COSTS = {
  "equicorrelated 0.9": "equicorrelated_0.9",
  "random correlation": "random_correlation",
  "rotated": "rotated",
}

_Runs = Mapping[str, Sequence[study_runs.Run]]  # by family


def judge(settings: study_runs.Settings) -> list[verdicts.Claim]:
  """Returns the claims with their verdicts; none if no setting of beta-VAE has several families.

  Args:
    settings: Runs of each setting of VAEs, as `grouping.group_by_setting` returns them.
  """
  claims = []
  for name, runs in settings.items():
    if found := by_family(runs):
      claims += claim_sets.decide_all(_questions(found, name))
  return claims


def by_family(runs: Sequence[study_runs.Run]) -> _Runs:
  """Returns the runs of each family of a setting; none if the claims are not about the setting."""
  if runs[0].method != _METHOD or runs[0].initial_model:
    return {}
  found = {
    family: [
      run
      for run in runs
      if run.noise_correlation == noise and correlation in (None, run.correlation)
    ]
    for family, (noise, correlation) in FAMILIES.items()
  }
  present = {family: members for family, members in found.items() if members}
  return present if "independent" in present and len(present) >= _MIN_FAMILIES else {}


def _questions(runs: _Runs, setting: str) -> list[claim_sets.Question]:
  """Returns the seven claims on a setting."""
  falls = paired_verdicts.directed(falls=True, digits=3, level=_FIRST_LEVEL)
  rises = paired_verdicts.directed(falls=False, digits=2, level=_FIRST_LEVEL)
  margin = MIG_MARGINS.get(runs["independent"][0].dataset, MIG_MARGIN)
  equal = paired_verdicts.equivalent(margin, digits=3, level=_FIRST_LEVEL)
  not_lower = paired_verdicts.not_lower(PROBE_MARGIN, digits=3, level=_FIRST_LEVEL)

  def compare(before, after, test, measure, measure_after=None):
    pairing = paired_verdicts.of_runs(
      runs.get(before, ()), runs.get(after, ()), measure, measure_after
    )
    return verdicts.named({setting: test(pairing)}, f"{before} → {after}")[0]

  def within(family, measure, measure_after):
    return compare(family, family, equal, measure, measure_after)

  base = "independent"
  others = [family for family in FAMILIES if family != base]
  costs = [
    finding
    for family, cost in _COSTS.items()
    for finding in (
      # What the family costs models trained with it, then the others; and the other way round.
      compare(family, base, rises, _cost(cost)),
      compare(base, family, rises, _cost("independent")),
    )
  ]
  claims = (
    (
      "A: along the latents, MIG falls with correlated noise",
      [compare(base, f, falls, _MIG) for f in ("equicorrelated 0.9", "random correlation")],
    ),
    (
      "B: along the noise's axes, MIG at c = 0.9 is that of independent noise",
      [compare(base, "equicorrelated 0.9", equal, _MIG, _NOISE_AXES)],
    ),
    (
      "C: rotated noise has the MIG of independent noise along its own axes",
      [compare(base, "rotated", equal, _MIG, _NOISE_AXES)],
    ),
    (
      "D: with a full covariance, the latents' MIG is that of random rotations",
      [within("full", _MIG, _RANDOM_ROTATIONS)],
    ),
    (
      "E: MIG falls with isotropic noise, which is independent given the data",
      [compare(base, "isotropic", falls, _MIG)],
    ),
    (
      "F: no family has less accurate probes than independent noise",
      [compare(base, family, not_lower, _PROBES) for family in others],
    ),
    ("G: a decoder costs least under the family it was trained with", costs),
  )
  return [claim_sets.Question(text, setting, findings) for text, findings in claims]


def _cost(family: str) -> paired_verdicts.MeasureOf:
  """Returns the function from a run to what a family costs its decoder, at the run's own beta."""

  def cost(run: study_runs.Run) -> float | None:
    beta = float(run.config.get("vae.beta", 1))  # Other objectives weigh the KL once.
    metric = "posterior_family_cost" + ("" if beta == 1 else f"_beta_{beta:g}")
    return paired_verdicts.in_column(f"mean.{metric}.cost.{family}")(run)

  return cost


_MIG = paired_verdicts.in_column("mean.mig.discrete_mig")
_NOISE_AXES = paired_verdicts.in_column("mean.aligned_mig.noise_eigenbasis.mig")
_RANDOM_ROTATIONS = paired_verdicts.in_column("mean.rotated_mig.random_rotation_mig")
_PROBES = paired_verdicts.in_column("mean.dci.informativeness_test")
