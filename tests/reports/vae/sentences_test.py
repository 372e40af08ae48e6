import dataclasses
import pathlib

import pytest

from dl_condind.reports import study_runs
from dl_condind.reports.vae import sentences as vae_sentences


def make_run(correlation, steps=300000, method="vae", **measures):
  row = {
    "train_config.model.model": f"@{method}()",
    "train_config.encoder.num_latent": "10",
    "train_config.posterior.noise_correlation": "@equicorrelated",
    "train_config.equicorrelated.correlation": str(correlation),
    "train_results.global_step": steps,
  }
  row |= {study_runs.COLUMNS[name][0]: value for name, value in measures.items()}
  return study_runs.Run("0", pathlib.Path(), row, {})


def mig_runs(low, high):
  return [
    *(make_run(0.0, mig_mean=value) for value in low),
    *(make_run(0.9, mig_mean=value) for value in high),
  ]


def text_of(runs):
  return "\n".join(vae_sentences.describe({"VAE": runs})).replace("\u00a0", " ")


@pytest.mark.parametrize(
  ("low", "high", "change"),
  [
    ([0.2, 0.4], [0.1, 0.1], "fell from 0.300 at c = 0 (2 runs) to 0.100 at c = 0.9 (2 runs)"),
    ([0.1], [0.2], "rose from 0.100 at c = 0 (1 run) to 0.200 at c = 0.9 (1 run)"),
    ([0.2], [0.2001], "stayed 0.200, at c = 0 (1 run) and at c = 0.9 (1 run)"),
  ],
)
def test_direction_of_mig(low, high, change):
  text = text_of(mig_runs(low, high))
  assert f"Median MIG of the mean representation {change}" in text


def test_mig_is_given_with_medians_counts_and_pairs():
  text = text_of(mig_runs([0.2, 0.4], [0.1, 0.3, 0.1]))
  assert "fell from 0.300 at c = 0 (2 runs) to 0.100 at c = 0.9 (3 runs)" in text
  assert "In 5 of 6 pairs of one run each, the one with c = 0.9 has the lower MIG" in text
  assert "MIG of the sampled representation is missing on one side" in text


def test_one_correlation_is_not_compared():
  text = text_of([make_run(0.9, mig_mean=0.1)])
  assert "nothing is compared" in text
  assert "fell" not in text


def test_other_terms_are_described():
  runs = [
    make_run(0.0, reconstruction_loss=30.0, kl_loss=20.0, total_correlation=5.0),
    make_run(0.9, reconstruction_loss=31.5, kl_loss=19.0, total_correlation=5.0),
  ]
  text = text_of(runs)
  assert "reconstruction error rose from 30.00 at c = 0 (1 run) to 31.50" in text
  assert "factorized KL fell from 20.00" in text
  assert "TC estimate stayed" in text


def test_kl_differs_by_a_constant_of_the_noise():
  runs = [
    make_run(0.0, kl_loss=20.0, kl_loss_full=20.0 - 1e-9),
    make_run(0.9, kl_loss=18.0, kl_loss_full=18.0 + 9.2575),
    make_run(0.9, kl_loss=11.0, kl_loss_full=11.0 + 9.2576),
  ]
  text = text_of(runs)
  assert "by 0.00 nats at c = 0 (10 latents); 9.26 nats at c = 0.9 (10 latents)" in text
  assert "-1/2 log det R" in text


def test_limits_of_the_estimator_are_always_told():
  text = text_of(mig_runs([0.2], [0.1]))
  assert "hardly sees c" in text and "factorized densities" in text


def caveats_of(runs, lost=()):
  return "\n".join(vae_sentences.caveats({"VAE": runs}, lost)).replace("\u00a0", " ")


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


def test_different_data_in_one_cell_are_told():
  runs = [make_run(0), make_run(0.9)]
  for run, digest in zip(runs, ("aa", "bb"), strict=True):
    run.provenance.update(dataset_source="official npz", dataset_sha256=digest)
  assert caveats_of(runs) == "VAE: its runs saw different data (aa, bb)."


def test_diverged_runs_are_counted_by_cell():
  lost = [
    dataclasses.replace(make_run(0.9), state=state) for state in ("diverged", "diverged", "failed")
  ]
  text = caveats_of([make_run(0)], lost)
  assert "no longer a fair sample of seeds: VAE on -, 10 latents, c = 0.9: 2." in text
  nameless = study_runs.Run("7", pathlib.Path(), {}, {}, "diverged")
  assert "run 7, whose configuration is lost: 1" in caveats_of([make_run(0)], [nameless])


def test_correlations_that_are_no_numbers_are_not_said_to_be_one(generated):
  low, other = (generated.make_runs({"mig_mean": [0.1]}) for _ in range(2))
  other[0].row["train_config.posterior.noise_correlation"] = "@given_correlation"
  text = text_of([*low, *other])
  assert "nothing is compared" not in text and "the table of statistics compares them" in text


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


def test_many_settings_are_left_to_the_table():
  settings = {name: mig_runs([0.2], [0.1]) for name in "ABCD"}
  text = "\n".join(vae_sentences.describe(settings))
  assert "Median MIG" not in text and "hardly sees c" in text


def test_runs_without_any_measure():
  text = text_of([make_run(0.0), make_run(0.9)])
  assert "MIG of the mean representation is missing on one side" in text
  assert "The other measures are missing on one side" in text


def test_settings_are_named_where_there_are_several():
  first, second = mig_runs([0.2], [0.1]), mig_runs([0.2], [0.3])
  paragraphs = vae_sentences.describe({"A": first, "B": second, "C": second[:1]})
  assert [text.partition(". ")[0] for text in paragraphs[:5]] == ["A", "A", "B", "B", "C"]
  assert "fell" in paragraphs[0] and "rose" in paragraphs[2] and "nothing" in paragraphs[4]
  assert not vae_sentences.describe({"A": first})[0].startswith("A")
