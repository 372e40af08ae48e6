"""The tables of docs/results, computed again from the archives of their records."""

import importlib
import pathlib
import re

import numpy as np
import pytest

from dl_condind.reports import claim_sections
from dl_condind.reports import families
from dl_condind.reports import grouping
from dl_condind.reports import paired
from dl_condind.reports import study_runs
from dl_condind.reports.vae import family_claims
from dl_condind.reports.vae import weak_claims
from dl_condind.studies import archive_file
from dl_condind.studies import study_file

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


def table(heading, page="posterior_families_spots.md"):
  """Returns the rows of the table of a page whose first headings are given, as texts.

  The page is in docs/results, or any other file by its path.
  """
  text = (RESULTS / page).read_text(encoding="utf-8")
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
  }
  rows = table(r"noise \| reconstruction")
  assert {row["noise"].strip("`") for row in rows} == by_family.keys() - {
    "independent",
    "learned correlation",
  }
  for row in rows:
    for heading, columns in terms.items():
      differences = [
        sum(run.row[f"mean.{c}"] - baseline[run.seed].row[f"mean.{c}"] for c in columns)
        for run in by_family[row["noise"].strip("`")]
      ]
      expected = f"{np.mean(differences):+.2f}"
      if "+" in heading:
        expected += f" ({np.std(differences, ddof=1):.2f})"
      assert row[heading] == expected, (row["noise"], heading)
    family = row["noise"].strip("`")
    cost = "mean.posterior_family_cost.cost."
    costs = [  # A full covariance costs nothing.
      run.row.get(cost + family.replace(" ", "_"), 0.0)
      - baseline[run.seed].row[f"{cost}independent"]
      for run in by_family[family]
    ]
    expected = f"{np.mean(costs):+.2f} ({np.std(costs, ddof=1):.2f})"
    assert row["cost of its family"] == expected, family


@pytest.mark.parametrize(
  "study, program, page",
  [
    pytest.param("switch_spots", "switch_tables", "switch", marks=pytest.mark.slow),
    ("reasoning_spots", "reasoning_tables", "reasoning_spots"),
  ],
)
def test_tables_are_those_of_the_program(study, program, page, tmp_path, capsys, monkeypatch):
  monkeypatch.syspath_prepend(RESULTS.parents[1] / "benchmarks")
  tables = importlib.import_module(program)
  archive_file.extract(RESULTS / f"{study}.tar.xz", tmp_path)
  tables.main(str(tmp_path))
  first, second = capsys.readouterr().out.strip().split("\n\n")
  text = (RESULTS / f"{page}.md").read_text(encoding="utf-8")
  assert first in text and second in text


def test_verdicts(settings):
  (section,) = claim_sections.of_others(families.by_family(settings))
  expected = {claim.text[0]: claim.verdict for claim in section.judged}
  assert {row["claim"][0]: row["verdict"].strip("*") for row in table("claim")} == expected


@pytest.fixture(scope="module")
def weak_settings(tmp_path_factory):
  folder = tmp_path_factory.mktemp("study")
  archive_file.extract(RESULTS / "weakly_supervised_spots.tar.xz", folder)
  return grouping.group_by_setting(study_runs.read_runs(folder))


WEAK = "weak_supervision.md"
WEAK_COLUMNS = {
  "MIG along the latents": "mig.discrete_mig",
  "along the noise's axes": "aligned_mig.noise_eigenbasis.mig",
  "best rotation": "rotated_mig.rotated_mig",
  "random rotations": "rotated_mig.random_rotation_mig",
  "DCI": "dci.disentanglement",
  "trees": "dci.informativeness_test",
  "InfoE": "info_mec.info_e",
  "reconstruction": "vae_terms.reconstruction_loss",
  "KL, full": "vae_terms.kl_loss_full",
}


def test_means_of_weak_supervision(weak_settings):
  groups = weak_claims.by_group([run for runs in weak_settings.values() for run in runs])
  rows = {row["group"]: row for row in table(r"group \| runs", WEAK)}
  assert rows.keys() == groups.keys()
  for group, runs in groups.items():
    assert rows[group]["runs"] == str(len(runs))
    for heading, column in WEAK_COLUMNS.items():
      values = [run.row[f"mean.{column}"] for run in runs]
      digits = 2 if heading in ("reconstruction", "KL, full") else 3
      expected = f"{np.mean(values):.{digits}f}"
      if heading in ("MIG along the latents", "DCI"):
        expected += f" ({np.std(values, ddof=1):.3f})"
      assert rows[group][heading] == expected, (group, heading)


def test_verdicts_of_weak_supervision(weak_settings):
  claims = weak_claims.judge(weak_settings)
  rows = table(r"claim \| verdict", WEAK)
  assert {row["claim"][0]: row["verdict"] for row in rows} == {c.text[0]: c.verdict for c in claims}


def test_pairs_against_none(weak_settings, settings):
  (unsupervised,) = settings.values()
  with_pairs = weak_claims.by_group([run for runs in weak_settings.values() for run in runs])
  without = family_claims.by_family(unsupervised)
  groups = {
    "independent": ("Ada-GVAE", "independent"),
    "c = 0.9": ("Ada-GVAE, c = 0.9", "equicorrelated 0.9"),
    "rotated": ("Ada-GVAE, rotated noise", "rotated"),
  }
  rows = {row["noise"]: row for row in table("noise", WEAK)}
  assert rows.keys() == groups.keys()
  for noise, (group, family) in groups.items():
    migs = [
      {run.seed: run.row["mean.mig.discrete_mig"] for run in runs}
      for runs in (with_pairs[group], without[family])
    ]
    pairs = [(migs[0][seed], migs[1][seed]) for seed in migs[0]]
    differences = [after - before for after, before in pairs]
    low, high = paired.interval(differences)
    means = [f"{mean:.3f}" for mean in np.mean(pairs, axis=0)]
    assert [rows[noise]["MIG with pairs"], rows[noise]["without"]] == means
    expected = f"{np.mean(differences):+.3f} ({low:+.3f} to {high:+.3f})"
    assert rows[noise]["difference (95 % interval)"] == expected


PAPER_COLUMNS = {
  "MIG, mean": ("mig_mean", 3),
  "MIG, sampled": ("mig_sampled", 3),
  "reconstruction": ("reconstruction_loss", 2),
  "KL, factorized": ("kl_loss", 2),
  "KL, full": ("kl_loss_full", 2),
  "TC (its null)": ("total_correlation", 2),
}


@pytest.mark.parametrize("page", ["paper_reduced.md", RESULTS.parents[1] / "README.md"])
def test_medians_of_the_paper_s_comparison(page):
  groups = {}
  for run in study_runs.read_table(RESULTS / "paper_reduced" / "runs.csv"):
    groups.setdefault((run.method_name, run.correlation_label), []).append(run)
  rows, method = table(r"\| c", page), ""
  assert len(rows) == len(groups) == 6
  for row in rows:
    method = row[""] or method
    runs = groups[method, row["c"]]
    for heading, (measure, digits) in PAPER_COLUMNS.items():
      expected = f"{study_runs.median(runs, measure):.{digits}f}"
      if "null" in heading:
        expected += f" ({study_runs.median(runs, 'total_correlation_null'):.{digits}f})"
      assert row[heading] == expected, (method, row["c"], heading)
    if row.get("lower in"):
      migs = [study_runs.values_of(groups[method, c], "mig_mean") for c in ("0", "0.9")]
      lower = sum(with_noise < without for without in migs[0] for with_noise in migs[1])
      assert row["lower in"] == f"{lower} of {len(migs[0]) * len(migs[1])}"


def test_a_run_of_the_paper_s_comparison_is_what_its_number_trains():
  study = study_file.load_study("paper_reduced")
  runs = study_runs.read_table(RESULTS / "paper_reduced" / "runs.csv")
  assert [int(run.name) for run in runs] == list(study.model_nums)
  for number, run in enumerate(runs):
    gin_files, bindings = study.run(number)
    assert f"methods/{run.method}.gin" in gin_files
    assert f"equicorrelated.correlation = {float(run.correlation_label)}" in bindings
    assert f"model.random_seed = {run.seed}" in bindings
    assert f"--model_num={number} " in run.provenance["command_line"]


def test_correlated_noise_costs_the_bound_of_vae():
  sums = {"0": {}, "0.9": {}}
  for run in study_runs.read_table(RESULTS / "paper_reduced" / "runs.csv"):
    if run.method_name == "VAE":
      terms = run.measure("reconstruction_loss") + run.measure("kl_loss_full")
      sums[run.correlation_label][run.seed] = terms
  differences = [after - sums["0"][seed] for seed, after in sums["0.9"].items()]
  before, after = (np.mean(list(side.values())) for side in sums.values())
  low, high = paired.interval(differences)
  text = " ".join((RESULTS / "paper_reduced.md").read_text(encoding="utf-8").split())
  assert (
    f"from {before:.1f} to {after:.1f} ({np.mean(differences):+.2f}, 95 % interval of the pairs "
    f"{low:+.2f} to {high:+.2f})" in text
  )
