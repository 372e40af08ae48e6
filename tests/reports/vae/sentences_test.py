import pathlib

import pytest

from dl_condind.reports import measures
from dl_condind.reports import study_runs
from dl_condind.reports.vae import sentences as vae_sentences


def make_run(correlation, steps=300000, method="vae", **values):
  row = {
    "train_config.model.model": f"@{method}()",
    "train_config.encoder.num_latent": "10",
    "train_config.posterior.noise_correlation": "@equicorrelated",
    "train_config.equicorrelated.correlation": str(correlation),
    "train_results.global_step": steps,
  }
  row |= {measures.find(name).columns[0]: value for name, value in values.items()}
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
  trained = make_run(0.9, kl_loss=11.0, kl_loss_full=12.0)
  trained.row["train_config.posterior.noise_correlation"] = "None"
  trained.row["train_config.posterior.family"] = "@full"
  assert text_of([*runs, trained]).count("1.00 nats") == 0


def test_limits_of_the_estimator_are_always_told():
  text = text_of(mig_runs([0.2], [0.1]))
  assert "hardly sees c" in text and "factorized densities" in text


def test_correlations_that_are_no_numbers_are_not_said_to_be_one(generated):
  low, other = (generated.make_runs({"mig_mean": [0.1]}) for _ in range(2))
  other[0].row["train_config.posterior.noise_correlation"] = "@given_correlation"
  text = text_of([*low, *other])
  assert "nothing is compared" not in text and "the table of statistics compares them" in text


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


@pytest.mark.parametrize(
  ("losses", "unit"),
  [
    (["@bernoulli_loss"] * 2, "nats"),
    (["@l2_loss"] * 2, "squared error"),
    (["@bernoulli_loss", "@l2_loss"], "units of its loss"),
  ],
)
def test_unit_of_the_reconstruction_error(generated, losses, unit):
  runs = generated.make_runs({"mig_mean": [0.1, 0.2]})
  for run, loss in zip(runs, losses, strict=True):
    run.row["train_config.reconstruction_loss.loss_fn"] = loss
  assert vae_sentences.reconstruction_unit(runs) == unit
