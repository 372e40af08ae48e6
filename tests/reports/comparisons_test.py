import dataclasses

import numpy as np
import pytest
from scipy import stats

from dl_condind.reports import comparisons
from dl_condind.reports import equivalence
from dl_condind.reports import grouping
from dl_condind.reports import measures
from dl_condind.reports import paired
from dl_condind.reports import statistics

MIG, RECONSTRUCTION = (measures.find(name) for name in ("mig_mean", "reconstruction_loss"))


def values(mean, num=10, seed=0):
  return np.random.default_rng(seed).normal(mean, 0.05, num).tolist()


def study(generated, cells):
  """Returns settings from {(method, correlation): values of MIG}."""
  runs = []
  for (method, correlation), mig in cells.items():
    name = f"{method}-{correlation}"
    runs += generated.make_runs({"mig_mean": mig}, name, method=method, correlation=correlation)
  return grouping.group_by_setting(runs)


def test_two_cells_are_compared_within_each(generated):
  low, high, other = values(0.3), values(0.2, seed=1), values(0.25, seed=2)
  cells = {("vae", 0.0): low, ("vae", 0.9): high, ("factor_vae", 0.0): high}
  settings = study(generated, {**cells, ("factor_vae", 0.9): other})
  table = comparisons.compare(settings, MIG)
  assert list(table) == [
    (f"{method} on dsprites_full, 10 latents", label)
    for method in ("VAE", "FactorVAE")
    for label in ("0", "0.9")
  ]
  baseline, entry, _, reverse = table.values()
  assert baseline.comparison is None and baseline.summary == statistics.summarize(low)
  found = entry.comparison
  p_values = [
    stats.mannwhitneyu(a, b, alternative="greater", method="exact").pvalue
    for a, b in ((low, high), (high, other))
  ]
  assert found.p_value == pytest.approx(p_values[0])
  assert found.adjusted == pytest.approx(2 * p_values[0])
  assert reverse.comparison.adjusted == pytest.approx(p_values[1])  # The larger of two.
  assert found.effect == np.mean(np.array(low)[:, None] > np.array(high))
  assert found.change == pytest.approx(np.mean(high) / np.mean(low) - 1)
  assert found.detectable == statistics.detectable_shift(10, 10, 0.05 / 2)
  assert found.equivalence == equivalence.of_ratio(high, low, 0.1)


def test_measures_are_compared_among_the_methods_that_have_them(generated):
  settings = study(generated, {("vae", 0.0): values(0.3), ("vae", 0.9): values(0.1)})
  for correlation, rates in ((0.0, [0.2, 0.3, 0.4]), (0.9, [0.5, 0.6, 0.7])):
    runs = generated.make_runs(
      {"digit_change_rate": rates}, method="infogan", num_latent=2, correlation=correlation
    )
    settings.setdefault("InfoGAN", []).extend(runs)
  tables = comparisons.compare_all(settings)
  assert {setting for setting, _ in tables["mig_mean"]} == {"VAE on dsprites_full, 10 latents"}
  table = tables["digit_change_rate"]
  assert list(table) == [("InfoGAN", "0"), ("InfoGAN", "0.9")]
  # The VAEs are none of Holm's comparisons: 1 / 20, the smallest p of three against three.
  assert table["InfoGAN", "0.9"].comparison.adjusted == pytest.approx(0.05)


def test_directions_are_those_of_the_paper_or_of_what_training_asks_for():
  falls = {measure.name for measure in measures.compared() if measure.expected == measures.FALLS}
  either = {measure.name for measure in measures.compared() if measure.expected == measures.CHANGES}
  assert either >= {"discriminator_loss", "generator_loss", "mutual_information_penalty"}
  assert falls == {
    "mig_mean",
    "mig_sampled",
    "kl_loss",
    "total_correlation",
    "conditional_r2_mean_gap",
    "conditional_r2_assigned",
  }


def test_a_change_in_the_other_direction_is_told(generated):
  settings = study(generated, {("vae", 0.0): values(0.2), ("vae", 0.9): values(0.4, seed=1)})
  (_, falls), (_, rises) = (
    comparisons.compare(settings, measure).values()
    for measure in (MIG, dataclasses.replace(MIG, expected=measures.RISES))
  )
  assert falls.comparison.p_value > 0.99
  assert rises.comparison.adjusted < 0.001
  assert falls.comparison.effect == pytest.approx(1 - rises.comparison.effect)


def test_every_correlation_is_compared_with_factorized_noise(generated):
  cells = {("vae", c): values(0.3 - 0.2 * c, seed=int(10 * c)) for c in (-0.05, 0.0, 0.5, 0.9)}
  table = comparisons.compare(study(generated, cells), MIG)
  compared = {label: entry.comparison for (_, label), entry in table.items()}
  assert [label for label, found in compared.items() if found is None] == ["0"]
  p_value = statistics.mann_whitney(cells["vae", 0.0], cells["vae", 0.9])
  assert compared["0.9"].adjusted == pytest.approx(3 * p_value)


def test_without_factorized_noise_the_lowest_correlation_is_the_baseline(generated):
  cells = {("vae", 0.3): values(0.3), ("vae", 0.9): values(0.2, seed=1)}
  (_, low), (_, high) = (
    list(comparisons.compare(study(generated, cells), MIG).items())[i] for i in range(2)
  )
  assert low.comparison is None and high.comparison.p_value < 0.01


@pytest.mark.parametrize(("num", "is_tested"), [(1, False), (2, False), (3, True)])
def test_too_few_runs_are_not_tested(generated, num, is_tested):
  cells = {("vae", 0.0): values(0.4, num), ("vae", 0.9): values(0.1, num, seed=1)}
  found = list(comparisons.compare(study(generated, cells), MIG).values())[1].comparison
  assert (found.p_value is not None) == is_tested
  assert (found.adjusted is not None) == is_tested
  assert (found.detectable is not None) == is_tested
  assert found.effect == 1.0
  assert (found.equivalence is not None) == (num > 1)


def test_untested_comparisons_count_as_tests(generated):
  cells = {("vae", 0.0): values(0.3), ("vae", 0.9): values(0.2, seed=1)}
  cells |= {("factor_vae", 0.0): [0.3], ("factor_vae", 0.9): [0.1]}
  first, second = (
    entry.comparison
    for (_, label), entry in comparisons.compare(study(generated, cells), MIG).items()
    if label == "0.9"
  )
  assert first.adjusted == pytest.approx(2 * first.p_value)
  assert second.p_value is None


def test_runs_are_too_few_only_where_no_step_of_holm_could_show_them(generated):
  # Of 3 against 3 runs the smallest p-value is 0.05: not in the first of two steps, but in the
  # second.
  cells = {("vae", 0.0): values(0.4, 10), ("vae", 0.9): values(0.1, 10, seed=1)}
  cells |= {("factor_vae", 0.0): [0.3, 0.31, 0.32], ("factor_vae", 0.9): [0.1, 0.11, 0.12]}
  table = comparisons.compare(study(generated, cells), MIG)
  _, three = (entry.comparison for (_, label), entry in table.items() if label == "0.9")
  assert three.p_value == pytest.approx(0.05) and three.adjusted == pytest.approx(0.05)
  assert three.detectable is None  # at the first step


def test_measures_that_no_run_has(generated):
  settings = study(generated, {("vae", 0.0): values(0.3), ("vae", 0.9): values(0.2)})
  low, high = comparisons.compare(settings, RECONSTRUCTION).values()
  assert low.summary.count == high.summary.count == 0
  assert high.comparison.effect is None and high.comparison.p_value is None


def test_one_correlation_has_nothing_to_compare(generated):
  (entry,) = comparisons.compare(study(generated, {("vae", 0.9): values(0.2)}), MIG).values()
  assert entry.comparison is None and entry.summary.count == 10


def infogans(generated, measure, low, high):
  """Returns the entry at c = 0.9 of InfoGANs with these values of a measure."""
  runs = [
    run
    for correlation, found in ((0.0, low), (0.9, high))
    for run in generated.make_runs(
      {measure: found}, method="infogan", num_latent=2, correlation=correlation
    )
  ]
  table = comparisons.compare({"InfoGAN": runs}, measures.find(measure))
  return table["InfoGAN", "0.9"].comparison


def test_losses_are_tested_in_both_directions(generated):
  low, high = values(1.0), values(1.05, seed=1)
  found = infogans(generated, "generator_loss", low, high)
  expected = stats.mannwhitneyu(low, high, method="exact").pvalue
  assert found.p_value == pytest.approx(expected)
  assert found.detectable == statistics.detectable_shift(10, 10, 0.05 / 2)


def test_change_of_a_correlation_near_0_is_a_difference(generated):
  found = infogans(generated, "error_correlation", [0.01, 0.02, 0.0], [0.6, 0.65, 0.55])
  assert found.change == pytest.approx(0.59) and found.equivalence is None


def test_runs_of_the_same_seeds_are_compared_in_pairs(generated):
  low = values(0.3)
  high = [value - 0.02 for value in low]
  high[3] += 0.021
  other = values(0.2, 10, seed=2)
  cells = {("vae", 0.0): low, ("vae", 0.9): high, ("factor_vae", 0.0): low}
  table = comparisons.compare(study(generated, {**cells, ("factor_vae", 0.9): other}), MIG)
  found, second = (e.comparison.paired for (_, label), e in table.items() if label == "0.9")
  differences = np.subtract(high, low)
  assert found.num_pairs == 10
  assert found.mean == pytest.approx(differences.mean())
  interval = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
  assert found.interval == pytest.approx((interval.low, interval.high))
  # All signs as found, and those with the one rise, the smallest difference, the other way.
  assert found.p_value == pytest.approx(2 / 1024)
  assert second.p_value == paired.permutation_test(np.subtract(low, other))
  assert [found.adjusted, second.adjusted] == statistics.holm([found.p_value, second.p_value])
  # What differs between seeds hides the fall from the test that does not use pairs.
  assert next(iter(table.values())).comparison is None
  assert table["VAE on dsprites_full, 10 latents", "0.9"].comparison.p_value > 0.05


def test_runs_of_other_seeds_are_no_pairs_and_the_comparison_says_why(generated):
  settings = study(generated, {("vae", 0.0): values(0.3), ("vae", 0.9): values(0.2, 9, seed=1)})
  _, entry = comparisons.compare(settings, MIG).values()
  assert entry.comparison.paired is None
  assert entry.comparison.unpaired == "seed 9 on one side only"
  assert entry.comparison.p_value < 0.001


@pytest.mark.parametrize(("num", "is_tested"), [(1, False), (4, False), (5, True)])
def test_too_few_pairs_are_not_tested(generated, num, is_tested):
  cells = {("vae", 0.0): values(0.4, num), ("vae", 0.9): values(0.1, num, seed=1)}
  _, entry = comparisons.compare(study(generated, cells), MIG).values()
  found = entry.comparison.paired
  assert found.num_pairs == num
  assert (found.p_value is not None) == is_tested == (found.adjusted is not None)
  assert (found.interval is not None) == (num > 1)


def test_pairs_of_losses_are_tested_in_both_directions(generated):
  low, high = values(1.0), values(1.05, seed=1)
  found = infogans(generated, "generator_loss", low, high)
  assert found.paired.p_value == paired.two_sided(np.subtract(high, low))
