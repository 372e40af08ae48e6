import re

import numpy as np
import pytest
from scipy import stats

from dl_condind.reports import claim_sets
from dl_condind.reports import equivalence
from dl_condind.reports import paired
from dl_condind.reports import paired_verdicts
from dl_condind.reports import statistics
from dl_condind.reports import verdicts

HIGHER = paired_verdicts.higher_by(0.05, digits=3)
FALLS = paired_verdicts.directed(falls=True, digits=3)
RISES = paired_verdicts.directed(falls=False, digits=3, size=0.05)


def pairing(fall=0.0, num=10, spread=0.02, seed=0):
  """Returns pairs whose seeds differ much more than the two of a pair."""
  rng = np.random.default_rng(seed)
  before = rng.normal(0.3, 0.1, num)
  after = before - fall + rng.normal(0, spread, num)
  return paired.Pairing(tuple(before), tuple(after))


def unpaired(pairs):
  return paired.Pairing(pairs.before, pairs.after[1:], "seed 0 on one side only")


def verdict(finding):
  return verdicts.decide("", "", [finding]).verdict


def told(finding):
  return finding.text.replace("\u00a0", " ")


def test_runs_of_two_settings_are_paired(generated):
  before = generated.make_runs({"mig_mean": [0.1, 0.2, 0.3]})
  after = generated.make_runs({"mig_mean": [0.4, 0.5, 0.6]}, correlation=0.9)[::-1]
  mig = lambda run: run.measure("mig_mean")  # noqa: E731
  found = paired_verdicts.of_runs(before, after, mig)
  assert found == paired.Pairing((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
  found = paired_verdicts.of_runs(before, after, mig, lambda run: int(run.seed) or None)
  assert found.problem == "seed 0 on one side only"
  assert found.after == (2, 1)


@pytest.mark.parametrize(
  ("test", "fall", "expected"),
  [
    (FALLS, 0.05, verdicts.HOLDS),
    (FALLS, -0.05, verdicts.OPPOSITE),
    (FALLS, 0.0, verdicts.OPEN),
    (RISES, -0.09, verdicts.HOLDS),
    (RISES, 0.09, verdicts.OPPOSITE),
    (RISES, 0.0, verdicts.TOO_SMALL),
    (paired_verdicts.equivalent(0.05, 3), 0.01, verdicts.HOLDS),
    (paired_verdicts.equivalent(0.05, 3), 0.09, verdicts.OPPOSITE),
    (paired_verdicts.equivalent(0.05, 3), -0.09, verdicts.OPPOSITE),
    (paired_verdicts.equivalent(0.05, 3), 0.04, verdicts.OPEN),
    (paired_verdicts.not_lower(0.05, 3), -0.2, verdicts.HOLDS),
    (paired_verdicts.not_lower(0.05, 3), 0.01, verdicts.HOLDS),
    (paired_verdicts.not_lower(0.05, 3), 0.09, verdicts.OPPOSITE),
    (paired_verdicts.not_higher(0.05, 3), 0.2, verdicts.HOLDS),
    (paired_verdicts.not_higher(0.05, 3), -0.09, verdicts.OPPOSITE),
    (HIGHER, -0.09, verdicts.HOLDS),
    (HIGHER, -0.05, verdicts.OPEN),
    (HIGHER, -0.01, verdicts.OPPOSITE),
    (HIGHER, 0.09, verdicts.OPPOSITE),
  ],
)
def test_pairs_decide(test, fall, expected):
  assert verdict(test(pairing(fall))) == expected


@pytest.mark.parametrize("margin", ["equivalent", "not_lower", "not_higher"])
def test_p_values_are_those_of_the_tests(margin):
  pairs = pairing(0.03)
  finding = FALLS(pairs)
  differences = np.subtract(pairs.after, pairs.before)
  assert finding.p_claim == paired.permutation_test(-differences)
  assert finding.p_opposite == paired.permutation_test(differences)
  found = paired.within(differences, 0.05)
  expected = {
    "equivalent": (found.p_value, found.opposite_p_value),
    "not_lower": (found.p_above, 1 - found.p_above),
    "not_higher": (found.p_below, 1 - found.p_below),
  }
  finding = getattr(paired_verdicts, margin)(0.05, 3)(pairs)
  assert (finding.p_claim, finding.p_opposite) == pytest.approx(expected[margin])


def test_few_pairs_show_a_rise_beyond_a_margin():
  pairs = pairing(-0.2, num=5)
  finding = HIGHER(pairs)
  beyond = stats.ttest_1samp(pairs.differences, 0.05, alternative="greater")
  assert finding.p_claim == pytest.approx(beyond.pvalue)
  assert finding.p_opposite == pytest.approx(1 - beyond.pvalue)
  assert verdict(finding) == verdicts.HOLDS
  # The permutation test of five pairs shows nothing: its smallest p-value is 1 / 32.
  assert verdict(RISES(pairs)) == verdicts.OPEN
  shown = 0.05 + paired.detectable_margin(pairs.differences, 0.025, two_sided=False)
  assert told(finding).endswith(f"as many would show a rise of {shown:.3f} in 80 % of cases")
  welch = stats.ttest_ind(
    pairs.after[1:], np.add(pairs.before, 0.05), equal_var=False, alternative="greater"
  )
  assert HIGHER(unpaired(pairs)).p_claim == pytest.approx(welch.pvalue)
  assert "too few runs" in HIGHER(pairing(num=1)).text
  assert HIGHER(pairing(num=0)).text == "no runs"


def test_other_seeds_are_not_paired():
  pairs = unpaired(pairing(0.05))
  finding = FALLS(pairs)
  assert finding.p_claim == statistics.mann_whitney(pairs.before, pairs.after)
  assert finding.p_opposite == statistics.mann_whitney(pairs.after, pairs.before)
  assert "(n = 10 and 9), unpaired (seed 0 on one side only), p = " in told(finding)
  finding = RISES(pairs)
  assert finding.p_claim == statistics.mann_whitney(pairs.after, pairs.before)
  same = equivalence.of_difference(pairs.after, [(value, 0.05) for value in pairs.before])
  assert finding.p_small == same.p_value
  finding = paired_verdicts.equivalent(0.05, 3)(pairs)
  assert finding.p_claim == same.p_value
  above = stats.ttest_ind(
    pairs.after, np.subtract(pairs.before, 0.05), equal_var=False, alternative="greater"
  )
  assert paired_verdicts.not_lower(0.05, 3)(pairs).p_claim == pytest.approx(above.pvalue)


def test_text_has_the_interval_and_what_as_many_would_show():
  pairs = pairing(0.03)
  low, high = paired.interval(pairs.differences)
  shown = paired.detectable_difference(pairs.differences, 0.025)
  text = told(FALLS(pairs))
  assert f"in 10 pairs of one seed {np.mean(pairs.differences):+.3f} (95 % {low:+.3f}" in text
  assert f"to {high:+.3f}), p = " in text
  assert text.endswith(f"as many would show {shown:.3f} in 80 % of cases")
  strict = paired_verdicts.directed(falls=True, digits=3, level=0.025 / 7)
  stricter = paired.detectable_difference(pairs.differences, 0.025 / 7)
  assert told(strict(pairs)).endswith(f"as many would show {stricter:.3f} in 80 % of cases")
  text = told(paired_verdicts.equivalent(0.02, 3)(pairing(0.0, seed=4, spread=0.05)))
  assert re.search(r"as many would show a margin of 0\.\d{3} in 80 % of cases where nothing", text)
  assert re.search(r", \d+ pairs would show this margin$", text)


def test_too_few_pairs_leave_a_claim_open():
  finding = FALLS(pairing(0.2, num=5))
  assert finding.p_claim is None and finding.leans
  assert told(finding).endswith("too few runs for a verdict")
  assert FALLS(pairing(0.2, num=6)).p_claim == 1 / 64
  finding = paired_verdicts.equivalent(0.05, 3)(pairing(num=1))
  assert finding.p_claim is None and finding.leans
  assert FALLS(unpaired(pairing(0.5, num=3))).p_claim is None
  assert FALLS(paired.Pairing((), (), "no runs")).text == "no runs"
  assert paired_verdicts.not_lower(1, 2)(paired.Pairing((), (1.0,), "x")).text == "no runs"


def question(p_claim, *others):
  findings = [verdicts.Finding("a", p_claim, 1 - p_claim, leans=True)]
  return claim_sets.Question("text", "source", [*findings, *others])


def test_claims_of_a_set_are_adjusted_for_their_number():
  p_values = [0.004, 0.01, 0.02, 0.3]
  claims = claim_sets.decide_all([question(p) for p in p_values])
  assert statistics.holm(p_values) == pytest.approx([0.016, 0.03, 0.04, 0.3])
  assert [claim.verdict for claim in claims] == [verdicts.HOLDS] + [verdicts.OPEN] * 3
  assert [claim.leaning for claim in claims] == [""] + ["points to it so far"] * 3
  evidence = claims[1].evidence.replace("\u00a0", " ")
  assert evidence == (
    "a\nHolm over 4 claims: p = 0.03 that it holds, p = 1 that it is the opposite, p = 1 that it "
    "is too small"
  )
  # A claim alone is judged as `decide` does.
  for p_value in p_values:
    (alone,) = claim_sets.decide_all([question(p_value)])
    assert alone.verdict == verdicts.decide(*question(p_value)).verdict


def test_each_kind_of_verdict_is_adjusted():
  opposite, small = (
    claim_sets.Question("", "", [verdicts.Finding("", 0.9, *p_values)] * 2)
    for p_values in ((0.005, None), (None, 0.005))
  )
  two = claim_sets.decide_all([opposite, small])
  assert [claim.verdict for claim in two] == [verdicts.OPPOSITE, verdicts.TOO_SMALL]
  # Of two cells each, 0.005 counts as 0.01, and over three claims as 0.03.
  three = claim_sets.decide_all([opposite, question(0.5), question(0.5)])
  assert three[0].verdict == verdicts.OPEN


def test_every_cell_must_show_a_claim():
  missing = verdicts.Finding("no runs")
  assert claim_sets.decide_all([question(0.001, missing)])[0].verdict == verdicts.OPEN
  both = question(0.001, verdicts.Finding("b", 0.01, 0.99))
  assert claim_sets.decide_all([both, question(0.5)])[0].verdict == verdicts.HOLDS


def test_sets_of_claims_are_seldom_wrong():
  rng = np.random.default_rng(9)
  num_studies, wrong = 300, 0
  for _ in range(num_studies):
    pairs = [paired.Pairing(*map(tuple, rng.normal(0, 1, (2, 8)))) for _ in range(4)]
    asked = [claim_sets.Question("", "", [FALLS(found)]) for found in pairs]
    wrong += any(claim.verdict == verdicts.HOLDS for claim in claim_sets.decide_all(asked))
  assert wrong / num_studies <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / num_studies)
