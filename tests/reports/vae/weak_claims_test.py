import pathlib

import numpy as np
import pytest

from dl_condind.reports import report
from dl_condind.reports import study_runs
from dl_condind.reports import verdicts
from dl_condind.reports.vae import weak_claims
from dl_condind.studies import study_file

INDEPENDENT = {"posterior.noise_correlation": "@independent"}
METHODS = {
  "Ada-GVAE": ({"model.model": "@group_vae_argmax()", "group_vae_argmax.beta": "4.0"}, INDEPENDENT),
  "beta-VAE": ({"model.model": "@vae()", "vae.beta": "4.0"}, INDEPENDENT),
  "beta-TCVAE": ({"model.model": "@beta_tc_vae()", "beta_tc_vae.beta": "6.0"}, INDEPENDENT),
  "Ada-GVAE, c = 0.9": (
    {"model.model": "@group_vae_argmax()", "group_vae_argmax.beta": "4.0"},
    {"posterior.noise_correlation": "@equicorrelated", "equicorrelated.correlation": "0.9"},
  ),
  "Ada-GVAE, rotated noise": (
    {"model.model": "@group_vae_argmax()", "group_vae_argmax.beta": "4.0"},
    {"posterior.family": "@rotated", "rotated.seed": "0"},
  ),
}
MIG, DCI = "mean.mig.discrete_mig", "mean.dci.disentanglement"
NOISE_AXES = "mean.aligned_mig.noise_eigenbasis.mig"
RANDOM = "mean.rotated_mig.random_rotation_mig"
PREDICTED = {
  "Ada-GVAE": {MIG: 0.4, DCI: 0.6},
  "Ada-GVAE, c = 0.9": {MIG: 0.4, DCI: 0.6},
  "Ada-GVAE, rotated noise": {MIG: 0.4, DCI: 0.6},
}


def study(generated, num=5, **changed):
  """Returns settings as a report groups them, in which the predictions are so."""
  rng = np.random.default_rng(0)
  settings = {}
  for group, (method, noise) in METHODS.items():
    values = {MIG: 0.1, DCI: 0.1, NOISE_AXES: 0.1, RANDOM: 0.1, **PREDICTED.get(group, {})}
    values |= changed.get(group, {})
    for seed in range(num):
      config = generated.config_of(seed=seed)
      del config["posterior.noise_correlation"], config["equicorrelated.correlation"]
      row = {f"train_config.{k}": v for k, v in {**config, **method, **noise}.items()}
      row |= {column: value + 0.01 * rng.normal() for column, value in values.items()}
      run = study_runs.Run(f"{group}-{seed}", pathlib.Path(), row, {})
      settings.setdefault(method["model.model"], []).append(run)
  return settings


def verdicts_of(settings):
  return {claim.text[0]: claim.verdict for claim in weak_claims.judge(settings)}


def test_what_is_predicted_holds_with_five_pairs(generated):
  assert verdicts_of(study(generated)) == dict.fromkeys("ABCDEF", verdicts.HOLDS)


@pytest.mark.parametrize(
  "claims, group, column, value",
  [
    ("A", "Ada-GVAE", RANDOM, 0.4),
    ("B", "beta-VAE", MIG, 0.4),
    ("B", "beta-TCVAE", MIG, 0.5),
    ("C", "beta-TCVAE", DCI, 0.6),
    ("D", "Ada-GVAE, c = 0.9", MIG, 0.2),
    ("EF", "Ada-GVAE, rotated noise", MIG, 0.05),
    ("F", "Ada-GVAE, rotated noise", NOISE_AXES, 0.5),
  ],
)
def test_one_number_that_is_otherwise_turns_its_claims(generated, claims, group, column, value):
  found = verdicts_of(study(generated, **{group: {column: value}}))
  assert [found.pop(claim) for claim in claims] == [verdicts.OPPOSITE] * len(claims)
  assert set(found.values()) == {verdicts.HOLDS}


def test_evidence_names_groups_pairs_and_margin(generated):
  claims = weak_claims.judge(study(generated))
  (text,) = [claim.evidence for claim in claims if claim.text.startswith("B")]
  first, second, holm = text.replace("\u00a0", " ").splitlines()
  assert first.startswith("beta-VAE → Ada-GVAE: mean 0.")
  assert "in 5 pairs of one seed +0.29" in first and "that the change is above 0.05" in first
  assert second.startswith("beta-TCVAE → Ada-GVAE: ") and holm.startswith("Holm over 6 claims: ")


def test_missing_runs_leave_claims_open(generated):
  settings = study(generated)
  del settings["@beta_tc_vae()"]
  settings["@group_vae_argmax()"] = [
    run for run in settings["@group_vae_argmax()"] if "rotated" not in run.name
  ]
  found = {claim.text[0]: claim for claim in weak_claims.judge(settings)}
  assert {k: c.verdict for k, c in found.items()} == {
    **dict.fromkeys("AD", verdicts.HOLDS),
    **dict.fromkeys("BCEF", verdicts.OPEN),
  }
  assert "no runs" in found["B"].evidence and "no runs" in found["F"].evidence


def test_other_studies_have_none_of_these_claims(generated):
  settings = study(generated)
  only_weak = {"@group_vae_argmax()": settings["@group_vae_argmax()"][:5]}
  assert weak_claims.judge(only_weak) == []
  del settings["@group_vae_argmax()"]
  assert weak_claims.judge(settings) == []


def test_several_weights_of_a_method_are_not_compared(generated):
  settings = study(generated)
  settings["another beta"] = settings["@vae()"]
  assert weak_claims.judge(settings) == []


@pytest.mark.parametrize(
  "study_name, betas",
  [
    ("weakly_supervised_reduced", {"group_vae_argmax": 4.0, "vae": 4.0, "beta_tc_vae": 6.0}),
    ("weakly_supervised_spots", {"group_vae_argmax": 1.0, "vae": 1.0, "beta_tc_vae": 1.5}),
  ],
)
def test_the_studies_make_the_groups(study_name, betas):
  found = study_file.load_study(study_name)
  assert len(found.model_nums) == 25
  groups, seeds = set(), set()
  for model_num in found.model_nums:
    bindings = found.run(model_num)[1]
    (method,) = [name for name in betas if f"{name}.beta = {betas[name]}" in bindings]
    files = {"vae": "beta_vae"}
    assert f"include 'methods/{files.get(method, method)}.gin'" in bindings
    posteriors = [line for line in bindings if "posteriors/" in line]
    groups.add((method, *posteriors))
    seeds |= {line for line in bindings if line.startswith("model.random_seed")}
  weak = "group_vae_argmax"
  noises = ("equicorrelated", "rotated")
  assert groups == {
    *((method,) for method in betas),
    *((weak, f"include 'posteriors/{noise}.gin'") for noise in noises),
  }
  assert seeds == {f"model.random_seed = {seed}" for seed in range(5)}
  assert {"mig", "aligned_mig", "rotated_mig", "dci"} <= set(found.metrics)


def test_the_full_grid_has_300_runs():
  assert len(study_file.load_study("weakly_supervised_v1").model_nums) == 300


@pytest.mark.slow
def test_a_report_shows_pairs_like_any_vae(generated, tmp_path):
  study_dir = tmp_path / "weak"
  generated.write_study(study_dir, ("vae", "group_vae_argmax"), ("dsprites_full",), (0.0, 0.9), 5)
  text = report.write_report(study_dir, show_models=False).read_text(encoding="utf-8")
  assert "Ada-GVAE on dsprites_full, 10 latents" in text
  assert weak_claims.TITLE in text
  assert "D: weak supervision holds the axes when noise is correlated" in text
