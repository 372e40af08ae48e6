import pathlib

import numpy as np
import pytest

from dl_condind.reports import charts
from dl_condind.reports import comparisons
from dl_condind.reports import study_runs
from dl_condind.reports import verdicts
from dl_condind.reports.vae import family_claims
from dl_condind.reports.vae import family_figures

COST = "mean.posterior_family_cost_beta_4.cost."
NOISE = {
  "independent": {"posterior.noise_correlation": "@independent"},
  "equicorrelated 0.5": {
    "posterior.noise_correlation": "@equicorrelated",
    "equicorrelated.correlation": "0.5",
  },
  "equicorrelated 0.9": {
    "posterior.noise_correlation": "@equicorrelated",
    "equicorrelated.correlation": "0.9",
  },
  "random correlation": {
    "posterior.noise_correlation": "@random_correlation",
    "random_correlation.seed": "0",
  },
  "rotated": {"posterior.family": "@rotated", "rotated.seed": "0"},
  "learned correlation": {"posterior.family": "@learned_correlation"},
  "full": {"posterior.family": "@full"},
  "isotropic": {"posterior.family": "@isotropic"},
}


def make(generated, family, num, rng, **means):
  """Returns runs of a family whose numbers scatter little around means."""
  values = {
    "mean.mig.discrete_mig": 0.1,
    "mean.aligned_mig.noise_eigenbasis.mig": 0.3,
    "mean.rotated_mig.random_rotation_mig": 0.1,
    "mean.dci.informativeness_test": 0.9,
    f"{COST}independent": 4.0,
    f"{COST}equicorrelated_0.9": 4.0,
    f"{COST}random_correlation": 4.0,
    f"{COST}rotated": 4.0,
    **means,
  }
  made = []
  for seed in range(num):
    config = generated.config_of(seed=seed)
    del config["posterior.noise_correlation"], config["equicorrelated.correlation"]
    config |= {"vae.beta": "4.0", **NOISE[family]}
    row = {f"train_config.{key}": v for key, v in config.items()}
    row |= {column: value + 0.005 * rng.normal() for column, value in values.items()}
    made.append(study_runs.Run(f"{family}-{seed}", pathlib.Path(), row, {}))
  return made


def study(generated, num=10, **changed):
  """Returns a study in which what theory predicts is so."""
  rng = np.random.default_rng(0)
  means = {
    "independent": {"mean.mig.discrete_mig": 0.3, f"{COST}independent": 1.0},
    "equicorrelated 0.9": {f"{COST}equicorrelated_0.9": 1.0},
    "random correlation": {f"{COST}random_correlation": 1.0},
    "rotated": {f"{COST}rotated": 1.0},
  }
  for family, values in changed.items():
    means[family] = {**means.get(family, {}), **values}
  runs = [run for f in NOISE for run in make(generated, f, num, rng, **means.get(f, {}))]
  return {"VAE on dsprites_full": runs}


def verdicts_of(settings):
  return {claim.text[0]: claim.verdict for claim in family_claims.judge(settings)}


def test_what_theory_predicts_holds(generated):
  assert verdicts_of(study(generated)) == dict.fromkeys("ABCDEFG", verdicts.HOLDS)


@pytest.mark.parametrize(
  "claim, family, column, value",
  [
    ("A", "random correlation", "mean.mig.discrete_mig", 0.4),
    ("B", "equicorrelated 0.9", "mean.aligned_mig.noise_eigenbasis.mig", 0.2),
    ("C", "rotated", "mean.aligned_mig.noise_eigenbasis.mig", 0.4),
    ("D", "full", "mean.mig.discrete_mig", 0.2),
    ("E", "isotropic", "mean.mig.discrete_mig", 0.4),
    ("F", "learned correlation", "mean.dci.informativeness_test", 0.8),
    ("G", "rotated", f"{COST}rotated", 9.0),
    ("G", "equicorrelated 0.9", f"{COST}independent", 0.5),
  ],
)
def test_one_family_that_is_otherwise_turns_one_claim(generated, claim, family, column, value):
  # Twelve pairs: a p-value of 1 / 4096 is enough for the six tests of G and seven claims.
  found = verdicts_of(study(generated, num=12, **{family: {column: value}}))
  assert found.pop(claim) == verdicts.OPPOSITE
  assert set(found.values()) == {verdicts.HOLDS}


def test_the_margin_is_that_of_the_data_set(generated):
  settings = study(generated, rotated={"mean.aligned_mig.noise_eigenbasis.mig": 0.37})
  assert verdicts_of(settings)["C"] == verdicts.OPPOSITE  # More than 0.05 above 0.3.
  for run in settings["VAE on dsprites_full"]:
    run.row["train_config.dataset.name"] = "'spots'"
  assert verdicts_of(settings)["C"] == verdicts.HOLDS  # Less than 0.1.


def test_the_cost_is_that_at_the_beta_of_the_runs(generated):
  settings = study(generated)
  for run in settings["VAE on dsprites_full"]:
    del run.row["train_config.vae.beta"]  # As of FactorVAE, which weighs the KL once.
  assert verdicts_of(settings)["G"] == verdicts.OPEN
  for run in settings["VAE on dsprites_full"]:
    for column in [column for column in run.row if column.startswith(COST)]:
      run.row[column.replace("_beta_4", "")] = run.row.pop(column)
  assert verdicts_of(settings)["G"] == verdicts.HOLDS


def test_few_runs_leave_claims_open_and_missing_ones_are_said(generated):
  claims = family_claims.judge(study(generated, num=2))
  assert next(c for c in claims if c.text.startswith("A")).verdict == verdicts.OPEN
  settings = study(generated)
  (name,) = settings
  runs = [run for run in settings[name] if run.noise_correlation != "full"]
  found = {claim.text[0]: claim for claim in family_claims.judge({name: runs})}
  assert found["D"].verdict == verdicts.OPEN and "no runs" in found["D"].evidence
  assert found["C"].verdict == verdicts.HOLDS


def test_a_study_of_the_papers_noise_has_none_of_these_claims(generated):
  settings = study(generated)
  (name,) = settings
  for families in (("independent", "equicorrelated 0.9"), ("rotated", "full", "isotropic")):
    runs = [run for run in settings[name] if run.name.rpartition("-")[0] in families]
    assert family_claims.judge({name: runs}) == []


def test_claims_are_about_beta_vae(generated):
  runs = study(generated)["VAE on dsprites_full"]
  for run in runs:
    run.row["train_config.model.model"] = "@group_vae_argmax()"
  assert family_claims.judge({"Ada-GVAE on dsprites_full": runs}) == []


def test_figure_has_a_panel_for_each_measure_and_a_point_for_each_run(generated):
  settings = study(generated, 3)
  (drawn,) = family_figures.draw(settings, comparisons.compare_all(settings))
  panels = drawn.content.panels
  titles = ["MIG", "MIG along the noise's axes", "accuracy of probes"]
  assert [panel.title for panel in panels] == titles
  assert panels[0].y == panels[1].y != panels[2].y
  for panel in panels:
    assert [label for _, label in panel.x.ticks] == list(NOISE)
    assert [len([m for m in panel.marks if m.style == i]) for i in range(len(NOISE))] == [3] * 8
    assert not [line for line in panel.lines if line.kind == charts.TREND]
  for number, runs in enumerate(family_claims.by_family(*settings.values()).values()):
    expected = {run.name: run.row["mean.mig.discrete_mig"] for run in runs}
    assert {m.run: m.y for m in panels[0].marks if m.style == number} == expected


def test_figure_is_of_settings_with_several_families_only(generated):
  runs = [run for run in study(generated, 2)["VAE on dsprites_full"] if "0.5" not in run.name]
  two = {"VAE on dsprites_full": [r for r in runs if r.name[:4] in ("inde", "equi")]}
  assert family_figures.draw(two, comparisons.compare_all(two)) == []
