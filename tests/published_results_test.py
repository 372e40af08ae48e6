"""The tables of docs/results on families of posteriors, computed again from their archive."""

import importlib
import pathlib
import re

import numpy as np
import pytest

from dl_condind.reports import claim_sections
from dl_condind.reports import families
from dl_condind.reports import grouping
from dl_condind.reports import study_runs
from dl_condind.reports.vae import family_claims
from dl_condind.studies import archive_file

RESULTS = pathlib.Path(__file__).parents[1] / "docs" / "results"
COLUMNS = {
  "MIG along latents": "mean.mig.discrete_mig",
  "along the noise's axes": "mean.aligned_mig.noise_eigenbasis.mig",
  "best rotation": "mean.rotated_mig.rotated_mig",
  "random rotations": "mean.rotated_mig.random_rotation_mig",
  "trees": "mean.dci.informativeness_test",
  "InfoE": "mean.info_mec.info_e",
  "cost of independent noise": "mean.posterior_family_cost.cost.independent",
  "of rotated noise": "mean.posterior_family_cost.cost.rotated",
}
DIGITS = {"cost of independent noise": 2, "of rotated noise": 2}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
  folder = tmp_path_factory.mktemp("study")
  archive_file.extract(RESULTS / "posterior_families_spots.tar.xz", folder)
  return grouping.group_by_setting(study_runs.read_runs(folder))


def table(heading):
  """Returns the rows of the table of the page whose first heading is given, as texts."""
  text = (RESULTS / "posterior_families_spots.md").read_text(encoding="utf-8")
  lines = re.search(rf"^\| {heading} .*\n(?:\|.*\n)+", text, re.M)[0].splitlines()
  head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
  return [dict(zip(head, row, strict=True)) for row in rows]


def test_means_over_seeds(settings):
  (runs,) = settings.values()
  by_family = family_claims.by_family(runs)
  rows = {row["family"].replace("`", ""): row for row in table("family")}
  assert list(rows) == list(by_family)
  for family, members in by_family.items():
    assert rows[family]["runs"] == str(len(members))
    for heading, column in COLUMNS.items():
      values = [float(run.row[column]) for run in members]
      expected = f"{np.mean(values):.{DIGITS.get(heading, 3)}f}"
      if heading.startswith("MIG"):
        expected += f" ({np.std(values, ddof=1):.3f})"
      assert rows[family][heading] == expected, (family, heading)


def test_costs_of_the_noise_are_what_the_bound_loses(settings):
  (runs,) = settings.values()
  by_family = family_claims.by_family(runs)
  baseline = {run.seed: run for run in by_family["independent"]}
  terms = {
    "reconstruction": ["vae_terms.reconstruction_loss"],
    "KL, factorized": ["vae_terms.kl_loss"],
    "KL, full": ["vae_terms.kl_loss_full"],
    "reconstruction + full KL": ["vae_terms.reconstruction_loss", "vae_terms.kl_loss_full"],
    "cost of its family": ["posterior_family_cost.own_cost"],
  }
  rows = table("noise")
  assert len(rows) == len(by_family) - 1
  for row in rows:
    for heading, columns in terms.items():
      differences = [
        sum(run.row[f"mean.{c}"] - baseline[run.seed].row[f"mean.{c}"] for c in columns)
        for run in by_family[row["noise"].strip("`")]
      ]
      expected = f"{np.mean(differences):+.2f}"
      if heading in ("reconstruction + full KL", "cost of its family"):
        expected += f" ({np.std(differences, ddof=1):.2f})"
      assert row[heading] == expected, (row["noise"], heading)


@pytest.mark.slow
def test_tables_of_the_switch(tmp_path, capsys, monkeypatch):
  monkeypatch.syspath_prepend(RESULTS.parents[1] / "benchmarks")
  switch_tables = importlib.import_module("switch_tables")
  archive_file.extract(RESULTS / "switch_spots.tar.xz", tmp_path)
  switch_tables.main(str(tmp_path))
  first, second = capsys.readouterr().out.strip().split("\n\n")
  page = (RESULTS / "switch.md").read_text(encoding="utf-8")
  assert first in page and second in page


def test_verdicts(settings):
  (section,) = claim_sections.of_others(families.by_family(settings))
  expected = {claim.text[0]: claim.verdict for claim in section.judged}
  assert {row["claim"][0]: row["verdict"].strip("*") for row in table("claim")} == expected
