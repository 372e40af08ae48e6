import collections
import dataclasses

import numpy as np
import pytest

from dl_condind.reports import paired
from dl_condind.reports import protocol
from dl_condind.reports import verdicts

SHOWN = verdicts.Finding("a", p_claim=0.001, p_opposite=0.999, leans=True)
UNSHOWN = verdicts.Finding("b", p_claim=0.2, p_opposite=0.8, leans=True)
MISSING = verdicts.Finding("c: no runs")
NEITHER = "open: points neither way so far"


def opposite(p_value):
  return verdicts.Finding("b", p_claim=1 - p_value, p_opposite=p_value, leans=False)


def small(p_value):
  return verdicts.Finding("b", p_claim=0.4, p_opposite=0.6, p_small=p_value, leans=True)


@pytest.mark.parametrize(
  ("findings", "verdict"),
  [
    ([SHOWN], verdicts.HOLDS),
    ([SHOWN, SHOWN], verdicts.HOLDS),
    ([SHOWN, UNSHOWN], verdicts.OPEN),
    ([SHOWN, MISSING], verdicts.OPEN),
    ([MISSING], verdicts.OPEN),
    ([opposite(0.02)], verdicts.OPPOSITE),
    ([SHOWN, opposite(0.02)], verdicts.OPEN),  # Adjusted for two cells.
    ([SHOWN, opposite(0.012)], verdicts.OPPOSITE),
    ([MISSING, opposite(0.012)], verdicts.OPPOSITE),
    ([small(0.02)], verdicts.TOO_SMALL),
    ([SHOWN, small(0.02)], verdicts.OPEN),
    ([small(0.01), opposite(0.01)], verdicts.OPPOSITE),
  ],
)
def test_findings_decide_on_a_claim(findings, verdict):
  claim = verdicts.decide("text", "source", findings)
  assert (claim.text, claim.source, claim.verdict) == ("text", "source", verdict)
  assert claim.evidence == "\n".join(finding.text for finding in findings)


@pytest.mark.parametrize(
  ("findings", "words"),
  [
    ([UNSHOWN], "open: points to it so far"),
    ([UNSHOWN, MISSING], "open: points to it so far, in 1 of 2 settings"),
    ([opposite(0.3), opposite(0.4)], "open: points against it so far"),
    ([SHOWN, opposite(0.3), MISSING], "open: mixed so far, 1 of 3 settings point to it"),
    ([MISSING, MISSING], "open: no runs"),
    ([verdicts.directed(True, 3)([0.1, 0.4, 0.5, 0.8], [0.2, 0.3, 0.6, 0.7])], NEITHER),
    ([verdicts.directed(True, 3)([0.1, 0.4], [0.2, 0.3]), MISSING], NEITHER),
    ([SHOWN], "holds"),
  ],
)
def test_open_claims_say_which_way_they_point(findings, words):
  assert verdicts.decide("text", "source", findings).summary == words


def test_verdict_names_a_protocol_that_is_not_the_papers():
  deviations = [protocol.Deviation("training steps", 4000, 300000)] * 2
  claim = verdicts.decide("text", "source", [SHOWN], deviations)
  assert claim.summary == "holds in this shorter protocol"
  assert claim.deviations == (protocol.Deviation("training steps", 4000, 300000),)
  other = [protocol.Deviation("mig.num_train", 100, 10000)]
  summary = verdicts.decide("text", "source", [UNSHOWN], other).summary
  assert summary == "open in this other protocol: points to it so far"
  assert verdicts.decide("text", "source", [MISSING], other).deviations == ()


def verdict_shares(test, draw, num_cells, num_studies):
  """Returns the share of each verdict over simulated studies."""
  counts = collections.Counter(
    verdicts.decide("", "", [test(*draw()) for _ in range(num_cells)]).verdict
    for _ in range(num_studies)
  )
  return {verdict: count / num_studies for verdict, count in counts.items()}


def normal_cells(rng, num_runs, fall):
  """Returns a function that draws values at c = 0 and c = 0.9 of one cell."""
  return lambda: (rng.normal(fall, 1, num_runs).tolist(), rng.normal(0, 1, num_runs).tolist())


FALLS = verdicts.directed(falls=True, digits=2)
# What is true of a fall in standard deviations -> the verdicts that are wrong.
WRONG = {
  1.5: {verdicts.OPPOSITE, verdicts.TOO_SMALL},
  0.0: {verdicts.HOLDS, verdicts.OPPOSITE},
  -1.5: {verdicts.HOLDS, verdicts.TOO_SMALL},
}


def assert_seldom_wrong(shares, wrong, num_studies):
  """No wrong verdict above 5 % beyond three standard errors of the simulation."""
  share = sum(shares.get(verdict, 0) for verdict in wrong)
  assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / num_studies), shares


@pytest.mark.parametrize("num_runs", [3, 10])
@pytest.mark.parametrize("fall", WRONG)
def test_verdicts_on_a_fall_are_seldom_wrong(num_runs, fall):
  num_studies = 100
  draw = normal_cells(np.random.default_rng([num_runs, int(10 * fall) + 15]), num_runs, fall)
  shares = verdict_shares(FALLS, draw, 1, num_studies)
  assert_seldom_wrong(shares, WRONG[fall], num_studies)
  if num_runs == 10:
    right = {1.5: verdicts.HOLDS, -1.5: verdicts.OPPOSITE}.get(fall)
    assert right is None or shares[right] > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("num_cells", [1, 3])
@pytest.mark.parametrize("fall", WRONG)
def test_verdicts_on_falls_for_every_number_of_runs(num_cells, fall):
  num_studies = 300
  of_true = []
  for num_runs in (3, 5, 10, 30):
    rng = np.random.default_rng([num_cells, num_runs, int(10 * fall) + 15])
    shares = verdict_shares(FALLS, normal_cells(rng, num_runs, fall), num_cells, num_studies)
    assert_seldom_wrong(shares, WRONG[fall], num_studies)
    of_true.append(shares.get(verdicts.HOLDS, 0))
  # More runs never turn against a true claim, and show it in the end.
  if fall == 1.5:
    assert of_true == sorted(of_true) and of_true[-1] > 0.99
  if fall == 0.0:
    assert shares[verdicts.TOO_SMALL] > 0.8


# What is true of the ratio of means -> the verdicts that are wrong. 1.1 is the bound.
WRONG_RATIO = {
  1.0: {verdicts.OPPOSITE},
  1.1: {verdicts.HOLDS, verdicts.OPPOSITE},
  1.4: {verdicts.HOLDS},
}


def check_no_change(ratio, num_runs, variation, num_studies):
  rng = np.random.default_rng([num_runs, int(100 * variation), int(10 * ratio)])

  def draw():
    values = rng.normal(1, variation, (2, num_runs))
    return values[0].tolist(), (ratio * values[1]).tolist()

  shares = verdict_shares(verdicts.unchanged, draw, 2, num_studies)
  assert_seldom_wrong(shares, WRONG_RATIO[ratio], num_studies)


@pytest.mark.parametrize("num_runs", [3, 10])
@pytest.mark.parametrize("ratio", WRONG_RATIO)
def test_verdicts_on_no_change_are_seldom_wrong(num_runs, ratio):
  check_no_change(ratio, num_runs, variation=0.18, num_studies=60)


@pytest.mark.slow
@pytest.mark.parametrize("num_runs", [3, 5, 10, 30])
@pytest.mark.parametrize("ratio", WRONG_RATIO)
def test_verdicts_on_no_change_for_every_number_of_runs(num_runs, ratio):
  """With the variation between seeds of a FactorVAE: 10, 18 and 34 % of the mean."""
  for variation in (0.1, 0.18, 0.34):
    check_no_change(ratio, num_runs, variation, num_studies=300)


def test_evidence_on_a_fall_has_numbers_and_what_would_show_it():
  text = FALLS([0.3, 0.2, 0.4], [0.1, 0.2, 0.2]).text.replace("\u00a0", " ")
  assert text == (
    "mean 0.30 → 0.17 (n = 3 and 3), A12 0.89, too few runs for a verdict: 4 on each side are the "
    "least, 18 would show a shift of 1 sd in 80 % of cases"
  )
  low, high = np.linspace(1, 2, 10), np.linspace(0.9, 1.9, 10)
  finding = FALLS(low, high)
  assert "that it falls" in finding.text and "that it rises" in finding.text
  assert "that it changes by less than 1 sd" in finding.text
  assert finding.text.endswith("runs on each side: 18 would show a shift of 1 sd in 80 % of cases")
  assert "would show" not in FALLS(low + 5, high).text
  assert FALLS([1.0], [1.0]).leans is None


def test_evidence_on_no_change_says_how_many_runs_would_show_it():
  low, high = np.linspace(7, 13, 10), np.linspace(7.5, 12.6, 10)
  finding = verdicts.unchanged(low, high)
  assert finding.leans and "would show that an equal mean is equal in 80 % of cases" in finding.text
  assert "too few runs for a test" in verdicts.unchanged([1.0], [1.0]).text
  assert "no positive mean" in verdicts.unchanged([-1.0, -1.1], [-1.0, -1.2]).text


@pytest.mark.parametrize(
  ("p_value", "text"), [(0.00005, "p < 0.0001"), (0.0123, "p = 0.012"), (1.0, "p = 1")]
)
def test_p_values_are_readable(p_value, text):
  assert verdicts.p_text(p_value).replace("\u00a0", " ") == text


def runs_of(generated, low, high):
  """Returns the setting of runs with these values of MIG at c = 0 and c = 0.9."""
  return {
    "VAE": [
      *generated.make_runs({"mig_mean": low}, correlation=0.0),
      *generated.make_runs({"mig_mean": high}, correlation=0.9),
    ]
  }


@pytest.mark.parametrize("test", [FALLS, verdicts.unchanged])
def test_pairs_add_evidence_and_decide_nothing(generated, test):
  rng = np.random.default_rng(7)
  low = rng.normal(10, 3, 10)
  high = low - rng.normal(0.5, 0.1, 10)
  (finding,) = verdicts.compare(runs_of(generated, low, high), "mig_mean", test, "VAE")
  alone = test(low.tolist(), high.tolist())
  assert dataclasses.replace(finding, text="") == dataclasses.replace(alone, text="")
  start, _, pairs = finding.text.replace("\u00a0", " ").partition("; ")
  assert start == f"VAE: {alone.text}".replace("\u00a0", " ")
  low_end, high_end = paired.interval(high - low)
  between = f"(95 % {low_end:+.2f} to {high_end:+.2f})"
  words = f"in 10 pairs of one seed {np.mean(high - low):+.2f} {between}"
  told = {
    FALLS: f"{words}, p = 0.00098 that it falls, p = 1 that it rises",
    verdicts.unchanged: f"{words}, p < 0.0001 that it is within ±10%",
  }
  assert pairs == told[test]


def test_runs_of_other_seeds_are_said_to_be_unpaired(generated):
  settings = runs_of(generated, [0.3, 0.2, 0.4], [0.1, 0.2])
  (finding,) = verdicts.compare(settings, "mig_mean", FALLS, "VAE")
  assert finding.text.endswith(", unpaired (seed 2 on one side only)")
  assert "pairs of one seed" not in finding.text
