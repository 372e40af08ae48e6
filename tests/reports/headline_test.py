import pytest

from dl_condind.reports import comparisons
from dl_condind.reports import families
from dl_condind.reports import grouping
from dl_condind.reports import headline


def said(generated, values, methods=("vae",)):
  """Returns the headline of runs; correlation -> MIG of each run."""
  runs = [
    run
    for method in methods
    for correlation, migs in values.items()
    for run in generated.make_runs(
      {"mig_mean": migs}, f"{method}{correlation}", method=method, correlation=correlation
    )
  ]
  settings = grouping.group_by_setting(runs)
  found = comparisons.compare_all(settings)
  ((family, members),) = families.by_family(settings).items()
  return headline.describe(family, members, found).replace("\u00a0", " ")


@pytest.mark.parametrize(
  ("values", "expected"),
  [
    (
      {0.0: [0.08], 0.9: [0.024]},
      "MIG of the mean representation fell from 0.080 at c = 0 to 0.024 at c = 0.9; one run per "
      "side, so no test.",
    ),
    (
      {0.0: [0.1], 0.9: [0.2, 0.3]},
      "MIG of the mean representation rose, on average over runs, from 0.100 at c = 0 to 0.250 at "
      "c = 0.9; 1 against 2 runs, too few for a test.",
    ),
    (
      {0.0: [0.5, 0.6, 0.7, 1.0], 0.9: [0.1, 0.2, 0.3, 0.4]},
      "MIG of the mean representation fell, on average over runs, from 0.700 at c = 0 to 0.250 at "
      "c = 0.9; p = 0.014 that it falls (Mann-Whitney, 4 against 4 runs).",
    ),
    (
      {0.5: [0.1], 0.9: [0.1]},
      "MIG of the mean representation stayed 0.100 at c = 0.5 and c = 0.9; one run per side, so no "
      "test.",
    ),
    ({0.5: [0.1]}, "All runs have one noise correlation, so nothing is compared."),
  ],
)
def test_one_setting(generated, values, expected):
  assert said(generated, values) == expected


def test_a_test_that_counts_others_says_so(generated):
  values = {c: [0.9 - c + i / 100 for i in range(6)] for c in (0.0, 0.3, 0.9)}
  assert said(generated, values).endswith(
    "p = 0.0022 that it falls (Mann-Whitney, 6 against 6 runs, adjusted for 2 comparisons)."
  )


def test_several_settings(generated):
  one_each = {0.0: [0.3], 0.9: [0.2]}
  assert said(generated, one_each, ("vae", "factor_vae")) == (
    "On average over runs, MIG of the mean representation is lower at c = 0.9 than at c = 0 in 2 "
    "of 2 settings (VAE 0.300 → 0.200, FactorVAE 0.300 → 0.200); one run per side, so no test."
  )
  many = {0.0: [0.5, 0.6, 0.7, 0.8, 0.9], 0.9: [0.1, 0.2, 0.3, 0.4, 0.45]}
  assert said(generated, many, ("vae", "factor_vae")).endswith(
    "; tests that it falls show that in 2 of 2 (smallest p by Holm's method 0.0079)."
  )


def test_without_values(generated):
  settings = grouping.group_by_setting(generated.make_runs({"seconds": [1.0]}))
  found = comparisons.compare_all(settings)
  family = families.of(settings["VAE on dsprites_full, 10 latents"][0])
  assert headline.describe(family, settings, found) == (
    "No run has a value of MIG of the mean representation."
  )
