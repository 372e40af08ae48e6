import pathlib

import pytest

from dl_condind.reports import grouping
from dl_condind.reports import measures
from dl_condind.reports import study_runs
from dl_condind.utils import errors

CONFIG = {
  "model.model": "@vae()",
  "vae.beta": "1.0",
  "dataset.name": "'dsprites_full'",
  "encoder.num_latent": "10",
  "model.random_seed": "3",
  "model.training_steps": "100",
}


def make_run(name="0", config=None, **columns):
  config = {**CONFIG, **(config or {})}
  row = {"run": name, **{f"train_config.{key}": value for key, value in config.items()}, **columns}
  return study_runs.Run(name, pathlib.Path(name), row, {})


def noise(function, **parameters):
  name = function.removeprefix("@")
  return {
    "posterior.noise_correlation": function,
    **{f"{name}.{key}": str(value) for key, value in parameters.items()},
  }


@pytest.mark.parametrize(
  ("config", "correlation", "label"),
  [
    ({}, 0.0, "0"),
    (noise("@independent"), 0.0, "0"),
    (noise("@equicorrelated", correlation=0.9), 0.9, "0.9"),
    (noise("@equicorrelated", correlation=0.0), 0.0, "0"),
    (noise("@equicorrelated", correlation=-0.05), -0.05, "-0.05"),
    (noise("@strong/equicorrelated", correlation=0.5), 0.5, "0.5"),
    (
      noise("@given_correlation", matrix=[[1, 0.5], [0.5, 1]]),
      None,
      "given matrix=[[1, 0.5], [0.5, 1]]",
    ),
    (noise("@given_correlation", matrix=[[1.0, 0.25], [0.25, 1]]), None, "given matrix=85bdaa"),
    (noise("@block", sizes=[5, 5], correlation=0.9), None, "block correlation=0.9 sizes=[5, 5]"),
    ({**noise("@equicorrelated", correlation="%c"), "c": "%d", "d": "0.5"}, 0.5, "0.5"),
    (noise("@equicorrelated", correlation="%lost"), None, "equicorrelated"),
    (noise("@banded", width=2), None, "banded width=2"),
    (noise("@banded", correlation=0.9), None, "banded correlation=0.9"),
  ],
)
def test_correlation_is_read_from_the_posterior(config, correlation, label):
  run = make_run(config=config)
  assert run.correlation == correlation
  assert run.correlation_label == label


def test_settings_are_plain_text():
  run = make_run(config={"model.model": "@scope/beta_tc_vae()"})
  assert (run.method, run.method_name, run.dataset) == (
    "beta_tc_vae",
    "beta-TCVAE",
    "dsprites_full",
  )
  assert run.seed == "3"
  assert run.setting("no.such") == "-"
  assert make_run(config={"model.model": "@my_vae()"}).method_name == "my_vae"


def test_measures_come_from_either_representation_and_may_be_missing():
  run = make_run(
    **{
      "mean.mig.discrete_mig": 0.25,
      "sampled.vae_terms.kl_loss": 3,
      "mean.total_correlation.total_correlation": None,
      "sampled.total_correlation.total_correlation": 1.5,
    }
  )
  assert run.measure("mig_mean") == 0.25
  assert run.measure("mig_sampled") is None
  assert run.measure("kl_loss") == 3.0
  assert run.measure("total_correlation") == 1.5


def test_correlations_are_sorted_as_numbers():
  values = [0.9, 0.0, 0.55, -0.1]
  runs = [make_run(config=noise("@equicorrelated", correlation=value)) for value in values]
  runs.append(make_run(config=noise("@given_correlation")))
  assert study_runs.correlation_labels(runs) == ["-0.1", "0", "0.55", "0.9", "given"]


def test_trained_runs_are_read_with_their_provenance(trained_study):
  runs = study_runs.read_runs(trained_study)
  assert [run.name for run in runs] == ["0", "1"]
  assert [run.correlation for run in runs] == [0.0, 0.9]
  assert runs[0].provenance["dataset_source"] == "synthetic"
  evaluated = ("mig", "vae_terms", "total_correlation")
  for measure in measures.of_kind("vae"):
    if measure.metric in evaluated or measure.name in ("steps", "seconds"):
      assert runs[0].measure(measure.name) is not None
  assert runs[1].measure("mig_sampled") is None
  assert runs[1].measure("kl_loss_full") - runs[1].measure("kl_loss") == pytest.approx(
    1.7878, abs=1e-3
  )
  assert len(grouping.group_by_setting(runs)) == 1


def test_single_run_is_a_study_of_one(trained_study):
  (run,) = study_runs.read_runs(trained_study / "1")
  assert run.name == "1"
  assert run.measure("mig_mean") is not None


def test_values_and_medians_ignore_what_is_missing():
  runs = [make_run(**{"mean.vae_terms.kl_loss": value}) for value in (1.0, 5.0, 3.0)] + [make_run()]
  assert study_runs.values_of(runs, "kl_loss") == [1, 5, 3]
  assert study_runs.median(runs, "kl_loss") == 3
  assert study_runs.median(runs, "mig_mean") is None


def test_extremes_are_the_lowest_and_highest_correlation():
  values = (0.5, 0.9, 0.0, 0.9)
  runs = [make_run(config=noise("@equicorrelated", correlation=value)) for value in values]
  low, high = study_runs.extremes(runs)
  assert [run.correlation for run in low + high] == [0.0, 0.9, 0.9]
  assert study_runs.extremes(runs[:1]) is None
  assert study_runs.of_correlation(runs, "0.9") == [runs[1], runs[3]]


def test_folder_without_runs(tmp_path):
  with pytest.raises(errors.ConfigError, match="No trained run"):
    study_runs.read_runs(tmp_path)
