import numpy as np
import pytest

from dl_condind.studies import claims
from dl_condind.studies import comparisons
from dl_condind.studies import infogan_claims
from dl_condind.visualize import study_runs

MEASURES = (
  "conditional_r2_mean_gap",
  "conditional_r2_assigned",
  "digit_change_rate",
  "discriminator_loss",
  "generator_loss",
)
# Means at c = 0 and c = 0.9 of which all that the paper says is true.
PAPER = {
  "conditional_r2_mean_gap": (0.3, 0.1),
  "conditional_r2_assigned": (0.5, 0.2),
  "digit_change_rate": (0.1, 0.5),
  "discriminator_loss": (1.0, 1.0),
  "generator_loss": (1.2, 1.2),
}


def judge(generated, means=PAPER, num=5, settings=(), **config):
  """Returns the claim on each measure; settings are other values of the configuration."""
  found = judge_runs(make_runs(generated, means, num, settings, **config))
  return dict(zip(MEASURES, found, strict=True))


def make_runs(generated, means=PAPER, num=5, settings=(), **config):
  config = {"method": "infogan", "dataset": "mnist", "num_latent": 2, **config}
  runs = []
  for i, correlation in enumerate((0.0, 0.9)):
    measures = {
      name: np.random.default_rng([i, j]).normal(values[i], 0.02, num).tolist()
      for j, (name, values) in enumerate(means.items())
    }
    runs += generated.make_runs(measures, f"c{i}", correlation=correlation, **config)
  for run in runs:
    run.row.update({f"train_config.{key}": value for key, value in dict(settings).items()})
  return runs


def judge_runs(runs):
  settings = study_runs.group_by_setting(runs)
  return infogan_claims.judge(settings, comparisons.compare_all(settings))


def test_what_the_paper_sees_holds_where_it_is_so(generated):
  found = judge(generated)
  assert {claim.verdict for claim in found.values()} == {claims.HOLDS}
  sources = [claim.source for claim in found.values()]
  assert sources == ["Section 5.2, Figure 3"] * 3 + ["Appendix E, Figure 4"] * 2
  assert "InfoGAN: mean 0.3" in found["conditional_r2_mean_gap"].evidence
  assert "(n = 5 and 5), A12 1.00" in found["conditional_r2_mean_gap"].evidence
  assert "TOST within" in found["generator_loss"].evidence


@pytest.mark.parametrize("name", PAPER)
@pytest.mark.parametrize("num", [1, 3])
def test_each_measure_decides_on_its_own_claim(generated, name, num):
  """The opposite on one measure: changed where it should not be, or in the other direction."""
  low, high = PAPER[name]
  other = (high, low) if low != high else (low, 3 * high)
  verdicts = {key: c.verdict for key, c in judge(generated, PAPER | {name: other}, num).items()}
  if num == 1:
    assert set(verdicts.values()) == {claims.NOT_ENOUGH_RUNS}
  else:
    assert verdicts.pop(name) == claims.FAILS
    assert set(verdicts.values()) == {claims.HOLDS}


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
  assert {claim.evidence for claim in found.values()} == {"InfoGAN: no runs"}
  assert {claim.verdict for claim in found.values()} == {claims.NOT_ENOUGH_RUNS}


def test_cells_are_named_where_several_count(generated):
  longer = make_runs(generated, settings=[("model.training_steps", "20000")])
  (claim, *_) = judge_runs([*make_runs(generated), *longer])
  lines = claim.evidence.splitlines()
  assert [line.partition(":")[0] for line in lines] == [
    f"InfoGAN on mnist, 2 continuous codes (model.training_steps = {steps})"
    for steps in (15000, 20000)
  ]
