import numpy as np
import pytest

from dl_condind.reports import grouping
from dl_condind.reports import verdicts
from dl_condind.reports.infogan import claims as infogan_claims

# Means at c = 0 and c = 0.9 of which all that the paper says is true.
PAPER = {
  "conditional_r2_mean_gap": (0.5, 0.1),
  "conditional_r2_assigned": (0.7, 0.2),
  "digit_change_rate": (0.1, 0.5),
  "error_correlation": (0.0, 0.6),
  "discriminator_loss": (1.0, 1.0),
  "generator_loss": (1.2, 1.2),
  "mutual_information_penalty": (-0.03, 0.02),
  "discriminator_loss_drift": (0.0, 0.0),
  "generator_loss_drift": (0.02, 0.0),
  "mutual_information_penalty_drift": (0.0, -0.02),
}
R2 = "model.infogan_disentanglement.conditional_r2."
# Means of R² of each attribute with code 0 and code 1, at c = 0 and c = 0.9.
SHARES = {
  "slant": ((0.1, 0.8), (0.3, 0.3)),
  "width": ((0.7, 0.0), (0.2, 0.3)),
  "height": ((0.1, 0.1), (0.1, 0.1)),
  "thickness": ((0.1, 0.0), (0.2, 0.1)),
}
CLAIMS = (
  "slant and width at c = 0",
  "no attribute at c = 0.9",
  "conditional_r2_mean_gap",
  "conditional_r2_assigned",
  "digit_change_rate",
  "uncorrelated errors at c = 0",
  "error_correlation",
  "discriminator_loss_drift",
  "generator_loss_drift",
  "mutual_information_penalty_drift",
  "discriminator_loss",
  "generator_loss",
  "mutual_information_penalty",
)


def judge(generated, means=PAPER, num=5, settings=(), shares=SHARES, **config):
  """Returns the claims by name; settings are other values of the configuration."""
  found = infogan_claims.judge(
    grouping.group_by_setting(make_runs(generated, means, num, settings, shares, **config))
  )
  return dict(zip(CLAIMS, found, strict=True))


def make_runs(generated, means=PAPER, num=5, settings=(), shares=SHARES, **config):
  config = {"method": "infogan", "dataset": "mnist", "num_latent": 2, **config}
  runs = []
  for i, correlation in enumerate((0.0, 0.9)):
    measures = {
      name: np.random.default_rng([i, j]).normal(values[i], 0.02, num).tolist()
      for j, (name, values) in enumerate(means.items())
    }
    found = generated.make_runs(measures, f"c{i}", correlation=correlation, **config)
    for run in found:
      rng = np.random.default_rng([i, int(run.seed)])
      for attribute, of_correlations in shares.items():
        for code, share in enumerate(of_correlations[i]):
          run.row[f"{R2}{attribute}.code_{code}"] = share + rng.uniform(0, 0.02)
    runs += found
  for run in runs:
    run.row.update({f"train_config.{key}": value for key, value in dict(settings).items()})
  return runs


def test_what_the_paper_says_holds_where_it_is_so(generated):
  found = judge(generated)
  assert {name: claim.summary for name, claim in found.items()} == dict.fromkeys(found, "holds")
  sources = [claim.source for claim in found.values()]
  assert sources == (
    ["Section 5.2, Figure 3"] * 5 + ["Section 4.2, Appendix E"] * 2 + ["Appendix E, Figure 4"] * 6
  )
  assert "InfoGAN: mean 0.5" in found["conditional_r2_mean_gap"].evidence
  assert "(n = 5 and 5), A12 1.00" in found["conditional_r2_mean_gap"].evidence
  assert "that it is within ±10%" in found["generator_loss"].evidence
  drifts = found["generator_loss_drift"].evidence.replace("\u00a0", " ").splitlines()
  assert [line.partition(":")[0] for line in drifts] == ["InfoGAN, c = 0", "InfoGAN, c = 0.9"]


@pytest.mark.parametrize("name", PAPER)
@pytest.mark.parametrize("num", [1, 5])
def test_each_measure_decides_on_its_own_claim(generated, name, num):
  """The opposite on one measure: changed where it should not be, or in the other direction."""
  low, high = PAPER[name]
  if name.endswith("_drift"):
    other = (low, 0.4)
  elif "loss" in name or "penalty" in name:
    other = (low, high + 1)
  else:
    other = (high, low)
  found = judge(generated, PAPER | {name: other}, num)
  verdict_of = {key: claim.verdict for key, claim in found.items()}
  if num == 1:
    assert set(verdict_of.values()) == {verdicts.OPEN}
    return
  assert verdict_of.pop(name) == verdicts.OPPOSITE
  if name == "error_correlation":
    assert verdict_of.pop("uncorrelated errors at c = 0") == verdicts.OPPOSITE
  if name == "generator_loss":  # The margin of the penalty stays that of c = 0.
    assert verdict_of["mutual_information_penalty"] == verdicts.HOLDS
  assert set(verdict_of.values()) == {verdicts.HOLDS}


def test_one_code_for_both_attributes_is_not_what_figure_3_shows(generated):
  mixed = {**SHARES, "slant": ((0.9, 0.1), (0.3, 0.3)), "width": ((0.8, 0.1), (0.2, 0.3))}
  found = judge(generated, shares=mixed)["slant and width at c = 0"]
  assert found.verdict == verdicts.OPPOSITE
  assert "mean 0.1" in found.evidence


def test_any_attribute_with_a_code_of_its_own_counts_at_high_correlation(generated):
  named = {**SHARES, "thickness": ((0.1, 0.0), (0.2, 0.9))}
  assert judge(generated, shares=named)["no attribute at c = 0.9"].verdict == verdicts.OPPOSITE
  assert judge(generated, shares={})["no attribute at c = 0.9"].summary == "open: no runs"


@pytest.mark.parametrize(
  "setting",
  [
    ("dataset.name", "'dsprites_full'"),
    ("infogan.num_continuous", "3"),
    ("infogan.info_weight", "1.0"),
    ("infogan.continuous_prior", "'uniform'"),
    ("infogan.num_categories", "0"),
    ("infogan.categorical_weight", "0.5"),
  ],
)
def test_other_settings_than_the_papers_do_not_count(generated, setting):
  found = judge(generated, settings=[setting])
  assert {claim.summary for claim in found.values()} == {"open: no runs"}


def test_settings_are_compared_as_numbers(generated):
  found = judge(generated, settings=[("infogan.categorical_weight", "1")])
  assert {claim.verdict for claim in found.values()} == {verdicts.HOLDS}


def test_shorter_training_is_said_in_the_verdict(generated):
  runs = make_runs(generated)
  for run in runs:
    run.row["train_results.global_step"] = 300
  found = infogan_claims.judge(grouping.group_by_setting(runs))
  assert {claim.summary for claim in found} == {"holds in this shorter protocol"}
  assert [str(d) for d in found[0].deviations] == ["training steps: 300 instead of 15,000"]


def test_cells_are_named_where_several_count(generated):
  longer = make_runs(generated, settings=[("model.batch_size", "32")])
  other = make_runs(generated, settings=[("model.batch_size", "16")])
  settings = grouping.group_by_setting([*longer, *other])
  claim = infogan_claims.judge(settings)[2]
  lines = claim.evidence.splitlines()
  assert [line.partition(":")[0] for line in lines] == [
    f"InfoGAN on mnist, 2 continuous codes (model.batch_size = {size})" for size in (32, 16)
  ]
