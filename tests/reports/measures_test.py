import json

import pytest

from dl_condind.reports import aggregate_results
from dl_condind.reports import measures
from dl_condind.reports import report
from dl_condind.utils import run_config


def test_names_are_unique_and_nulls_are_measures():
  names = [measure.name for measure in measures.MEASURES]
  assert len(set(names)) == len(names)
  assert {measure.null for measure in measures.MEASURES if measure.null} <= set(names)


def test_columns_of_either_representation():
  found = measures.find("kl_loss")
  assert found.columns == ("mean.vae_terms.kl_loss", "sampled.vae_terms.kl_loss")
  assert found.metric == "vae_terms"
  steps = measures.find("steps")
  assert (steps.columns, steps.metric) == (("train_results.global_step",), "")


def test_kinds_have_their_own_measures_and_those_of_all():
  vae, infogan = (measures.of_kind(kind) for kind in (run_config.VAE, run_config.INFOGAN))
  common = {measure.name for measure in vae} & {measure.name for measure in infogan}
  assert common == {"steps", "seconds"}


def test_ends_of_the_log_are_those_of_the_measures():
  assert measures.logged(run_config.INFOGAN) == [
    "discriminator_loss",
    "generator_loss",
    "mutual_information_penalty",
  ]
  assert not measures.logged(run_config.VAE)


@pytest.fixture
def one_line(monkeypatch):
  """One more entry of the table, and what it is of."""
  measure = measures.Measure(
    "sap_mean",
    "mean.sap_score.SAP_score",
    digits=3,
    heading="SAP",
    title="SAP score",
    expected=measures.FALLS,
    evaluation="SAP (mean)",
  )
  monkeypatch.setattr(measures, "MEASURES", (*measures.MEASURES, measure))
  monkeypatch.setitem(measures._BY_NAME, measure.name, measure)


@pytest.mark.usefixtures("one_line")
def test_one_line_is_enough_for_a_report_to_show_a_metric(generated, tmp_path):
  for number in range(8):
    run = tmp_path / str(number)
    generated.write_run(run, generated.config_of(correlation=0.9 * (number % 2), seed=number))
    if number < 7:
      results = {"evaluation_results": {"SAP_score": 0.125 * (1 + number)}}
      generated.write_record(run / "metrics" / "mean" / "sap_score", "evaluation", results)
  page = report.write_report(tmp_path, show_models=False).read_text(encoding="utf-8")
  assert '<th scope="col">SAP</th>' in page and '<td data-value="0.125">0.125</td>' in page
  assert "SAP score; tested: it falls" in page
  assert "SAP score: VAE, dsprites_full, 10 latents" in page
  assert (tmp_path / "figures" / "sap_mean_10_latents.png").is_file()
  assert "SAP score stayed 0.500" in page
  assert "Run 7: not evaluated: MIG (sampled), SAP (mean)." in page
  rows = aggregate_results.read_runs_table(tmp_path / "runs.csv")
  assert rows[0]["mean.sap_score.SAP_score"] == 0.125


def test_the_end_of_a_log_needs_one_line_too(generated, tmp_path, monkeypatch):
  measure = measures.Measure("loss_end", "train_log.loss")
  monkeypatch.setattr(measures, "MEASURES", (*measures.MEASURES, measure))
  generated.write_run(tmp_path / "0", generated.config_of())
  lines = [json.dumps({"step": step, "loss": 2.0}) for step in range(10)]
  (tmp_path / "0" / "model" / "train_log.jsonl").write_text("\n".join(lines))
  (row,) = aggregate_results.runs_table(tmp_path)
  assert row["train_log.loss"] == 2.0
