import dataclasses
import pathlib

import pytest

from dl_condind.reports import caveats
from dl_condind.reports import study_runs


def make_run(correlation):
  row = {
    "train_config.model.model": "@vae()",
    "train_config.encoder.num_latent": "10",
    "train_config.posterior.noise_correlation": "@equicorrelated",
    "train_config.equicorrelated.correlation": str(correlation),
  }
  return study_runs.Run("0", pathlib.Path(), row, {})


def caveats_of(runs, lost=()):
  return "\n".join(caveats.describe({"VAE": runs}, lost)).replace("\u00a0", " ")


@pytest.mark.parametrize(
  ("source", "words"),
  [
    ("rendered", "rendered by this package (1 run)"),
    ("synthetic", "synthetic stand-in, not real images (1 run)"),
    ("unofficial npz (synthetic or altered)", "unofficial npz (synthetic or altered) (1 run)"),
  ],
)
def test_data_that_are_not_official_are_told(source, words):
  run = make_run(0)
  run.provenance["dataset_source"] = source
  assert f"Not the official files that the paper used: -: {words}." in caveats_of([run])
  run.provenance["dataset_source"] = "official npz"
  assert caveats_of([run]) == ""


def test_different_data_in_one_setting_are_told():
  runs = [make_run(0), make_run(0.9)]
  for run, digest in zip(runs, ("aa", "bb"), strict=True):
    run.provenance.update(dataset_source="official npz", dataset_sha256=digest)
  assert caveats_of(runs) == "VAE: its runs saw different data (aa, bb)."


def test_metrics_of_other_settings_in_one_setting_are_told():
  runs = [make_run(0), make_run(0), make_run(0.9)]
  for run, bins in zip(runs, ("20", "20.0", "20"), strict=True):
    run.row["mean.mig.config.discretizer.num_bins"] = bins
    run.row["mean.mig.config.evaluation.random_seed"] = bins
    run.provenance["dataset_source"] = "official npz"
  assert caveats_of(runs) == ""
  runs[1].row["mean.mig.config.discretizer.num_bins"] = "100"
  assert caveats_of(runs) == (
    "VAE: its runs were evaluated with different settings "
    "(mean.mig: discretizer.num_bins = 100 or 20)."
  )


def test_diverged_runs_are_counted_by_setting():
  lost = [
    dataclasses.replace(make_run(0.9), state=state) for state in ("diverged", "diverged", "failed")
  ]
  text = caveats_of([make_run(0)], lost)
  assert "no longer a fair sample of seeds: VAE on -, 10 latents, c = 0.9: 2." in text
  nameless = study_runs.Run("7", pathlib.Path(), {}, {}, "diverged")
  assert "run 7, whose configuration is lost: 1" in caveats_of([make_run(0)], [nameless])


def test_diverged_infogans_have_codes(generated):
  (run,) = generated.make_runs({"steps": [1]}, method="infogan", dataset="mnist", num_latent=1)
  text = caveats_of([make_run(0)], [dataclasses.replace(run, state="diverged")])
  assert "InfoGAN on mnist, 1 continuous code, c = 0: 1" in text


def test_infogans_that_collapsed_are_told(generated):
  runs = generated.make_runs(
    {"collapsed": [False, True], "discriminator_collapsed": [True, False]}, method="infogan"
  )
  text = caveats_of(runs)
  assert "run 0-0 (c = 0): the discriminator was right nearly always for a while; run 0-1" in text
  assert "run 0-1 (c = 0): fewer than eight digits are covered" in text
  assert "collapsed" not in caveats_of(generated.make_runs({"collapsed": [False]}))
