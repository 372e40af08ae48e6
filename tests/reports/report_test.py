import base64
import hashlib
import html
from html import parser
import json
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.parse

import numpy as np
import pytest
from scipy import stats

from dl_condind.reports import grouping
from dl_condind.reports import report
from dl_condind.reports import study_runs
from dl_condind.reports.infogan import claims as infogan_claims
from dl_condind.reports.vae import claims as vae_claims
from dl_condind.studies import study_file
from dl_condind.utils import errors
from dl_condind.utils import files

FIGURES = {
  "mig_mean_3_latents",
  "mig_sampled_3_latents",
  "reconstruction_loss_dummy_data_3_latents",
  "kl_loss_dummy_data_3_latents",
  "total_correlation_dummy_data_3_latents",
  "total_correlation_over_kl_dummy_data_3_latents",
  "reconstruction_loss_over_kl_dummy_data_3_latents",
}
MODELS = {"reconstructions", "traversals"}
VOID = {"img", "meta"}


class Page(parser.HTMLParser):
  """Tags, attributes, rows of tables and the text of a page; every tag must be closed."""

  def __init__(self, path):
    super().__init__()
    self.open, self.attributes, self.rows, self.text = [], [], [], ""
    self.label, self.tables = "", []  # Label of a table -> its rows.
    self.source = path.read_text(encoding="utf-8")
    self.feed(self.source)
    self.close()
    assert self.open == []

  def handle_starttag(self, tag, attrs):
    self.attributes += [(tag, name, value) for name, value in attrs]
    if tag not in VOID:
      self.open.append(tag)
    if tag == "div":
      self.label = dict(attrs).get("aria-label", "")
    elif tag == "table":
      self.tables.append((self.label, []))
    elif tag == "tr":
      self.rows.append([])
      self.tables[-1][1].append(self.rows[-1])
    elif tag in ("td", "th"):
      self.rows[-1].append("")

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    if self.open and self.open[-1] in ("td", "th"):
      self.rows[-1][-1] += data.strip()
    if not {"style", "script"} & set(self.open):
      self.text += data

  def values(self, tag, attribute):
    return [value for t, name, value in self.attributes if (t, name) == (tag, attribute)]

  def images(self):
    return self.values("img", "src")

  def claims(self):
    """Returns text of a claim -> its verdict and leaning; the claims without runs have none."""
    found = re.findall(
      r'<b class="verdict">(.*?)</b> <span class="text">(.*?)</span> '
      r'<span class="source"><span class="leaning">(.*?)</span>',
      self.source,
    )
    claims = {html.unescape(text): (verdict, leaning) for verdict, text, leaning in found}
    without = re.findall(r'<li>(.*?) <span class="source">', self.source)
    return claims | {html.unescape(text): ("open", "no runs") for text in without}


@pytest.fixture(scope="module")
def study_dir(trained_study, tmp_path_factory):
  """The trained study with a run that was interrupted, as run 3, and no run 2."""
  copy = tmp_path_factory.mktemp("reports") / trained_study.name
  shutil.copytree(trained_study, copy)
  interrupted = copy / "3" / "model"
  interrupted.mkdir(parents=True)
  shutil.copy(copy / "0" / "model" / "run.json", interrupted)
  (interrupted / "train_log.jsonl").write_text('{"step": 0, "loss": 1.0}\n')
  return copy


@pytest.fixture(scope="module")
def written(study_dir):
  return Page(report.write_report(study_dir))


def test_page_is_complete_and_needs_nothing_else(written):
  (script,) = re.findall(r"<script>(.*?)</script>", written.source, re.DOTALL)
  digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
  (policy,) = (v for v in written.values("meta", "content") if v.startswith("default-src"))
  assert policy == (
    f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
  )
  images = written.images()
  # Two images and three rows of latents of each model, and three rows of reconstructions.
  assert len(images) == 2 * (2 + 3) + 3
  assert all(src.startswith("data:image/png;base64,") for src in images)
  assert all(written.values("img", "alt"))
  assert not re.search(r"url\(|@import|<link|<iframe|\bsrc=\"(?!data:)", written.source)
  hrefs = [v for tag, name, v in written.attributes if name in ("href", "xlink:href")]
  elsewhere = {href for href in hrefs if urllib.parse.urlparse(href).scheme}
  assert elsewhere == {"https://arxiv.org/abs/1911.10922"}
  for heading in (
    "Claims of the paper",
    "Statistics",
    "Figures",
    "Every run",
    "What was run",
    "Missing or incomplete",
    "How to go on",
  ):
    assert f"<h2>{heading}" in written.source


def test_every_link_leads_somewhere(study_dir, written):
  ids = [value for _, name, value in written.attributes if name == "id"]
  assert len(ids) == len(set(ids))
  hrefs = {v for _, name, v in written.attributes if name == "href"}
  inner = {href.removeprefix("#") for href in hrefs if href.startswith("#")}
  assert {"claims", "statistics", "runs", "next", "pictures-of-run-0", "run-1"} <= inner <= set(ids)
  files_beside = {href for href in hrefs if not href.startswith(("#", "https:"))}
  assert "runs.csv" in files_beside
  assert all((study_dir / urllib.parse.unquote(href)).is_file() for href in files_beside)


def test_first_screen_says_and_shows_what_was_found(study_dir, written):
  migs = [run.measure("mig_mean") for run in study_runs.read_runs(study_dir)]
  first = written.text[: written.text.index("Claims of the paper")].replace("\u00a0", " ")
  before, after = (f"{mig:.3f}" for mig in migs)
  change = f"stayed {before} at c = 0 and c = 0.9"
  if before != after:
    verb = "rose" if after > before else "fell"
    change = f"{verb} from {before} at c = 0 to {after} at c = 0.9"
  assert f"MIG of the mean representation {change}; one run per side, so no test." in first
  assert "What each latent does" in first and "MIG, mean representation" in first
  assert "None of the claims of the paper is about these runs." in first


def test_figures_lie_beside_the_page(study_dir, written):
  files.verify_manifest(study_dir / "figures")
  names = {path.name for path in (study_dir / "figures").glob("*.[ps]*g")}
  assert names == {f"{name}.{suffix}" for name in FIGURES | MODELS for suffix in ("png", "svg")}
  for path in (study_dir / "figures").iterdir():
    start = {".png": b"\x89PNG", ".svg": b"<?xml"}.get(path.suffix, b"")
    assert path.read_bytes().startswith(start)


def test_points_lead_to_the_pictures_of_their_models(study_dir, written):
  runs = study_runs.read_runs(study_dir)
  for number, run in enumerate(runs):
    text = f"run {number}, c\u00a0=\u00a0{run.correlation_label}, seed 0: MIG "
    text += f"{run.measure('mig_mean'):.3f}"
    point = f'<a class="point" href="#pictures-of-run-{number}" style="--color: #[0-9a-fA-F]{{6}}">'
    assert re.search(f"{point}<title>{text}</title><use href=", written.source)


def test_table_has_each_run_and_no_median_of_one(study_dir, written):
  runs = {run.name: run for run in study_runs.read_runs(study_dir)}
  ((headings, first, second),) = (rows for label, rows in written.tables if label == "2 VAEs")
  assert headings[:4] == ["Run", "Setting", "c", "Seed"]
  assert all(row[1].startswith("VAE on dummy_data, 3 latents") for row in (first, second))
  assert [*first[:1], *first[2:4]] == ["0", "0", "0"]
  assert [*second[:1], *second[2:4]] == ["1", "0.9", "0"]
  assert first[4:7] == [
    "2",
    f"{runs['0'].measure('mig_mean'):.3f}",
    f"{runs['0'].measure('mig_sampled'):.3f}",
  ]
  assert second[6] == "-"  # The sampled representation was not evaluated.
  assert float(second[9]) - float(second[8]) == pytest.approx(1.79, abs=0.011)
  assert {len(row) for row in (first, second)} == {len(headings)}
  assert "Medians of runs" not in written.text


def test_missing_runs_and_values_are_listed(written):
  assert "Run 3: training not finished, its log ends at step 0." in written.text
  assert "Run 2: not trained." in written.text
  assert "2 trained runs count." in written.text
  assert "Run 1: not evaluated: MIG (sampled)." in written.text


def test_names_are_escaped(study_dir, written):
  assert 'Größe <&> "b"' in written.text
  text = (study_dir / "report.html").read_text(encoding="utf-8")
  assert "Größe &lt;&amp;&gt; &#34;b&#34;" in text


def test_what_the_study_says_is_in_the_page(written):
  text = written.text.replace("\u00a0", " ")
  assert re.search(r"Median MIG of the mean representation (fell from|rose from|stayed) ", text)
  assert "1.79 nats at c = 0.9 (3 latents)" in text
  assert "hardly sees c" in text


def test_data_that_are_not_real_are_told_first(written):
  banner = "Data: dummy_data: synthetic stand-in, not real images"
  assert banner in written.text
  assert written.text.index(banner) < written.text.index("Claims of the paper")
  assert "Not the official files that the paper used: dummy_data" in written.text


def test_one_run_a_side_gives_no_verdict(written):
  expected = {claim.text: ("open", "no runs") for claim in vae_claims.judge({})}
  assert written.claims() == expected
  assert f"{len(expected)} claims need runs of other cells" in written.text


@pytest.mark.slow
def test_the_same_study_gives_the_same_page(study_dir, written):
  before = (study_dir / "report.html").read_bytes()
  report.write_report(study_dir)
  assert (study_dir / "report.html").read_bytes() == before


def test_models_can_be_left_out(study_dir, tmp_path):
  path = report.write_report(study_dir, tmp_path / "new" / "page.html", show_models=False)
  assert path == tmp_path / "new" / "page.html"
  other = report.write_report(study_dir, tmp_path / "new" / "other.html", show_models=False)
  assert "The folder other_figures/ next to this page" in other.read_text(encoding="utf-8")
  for folder in ("page_figures", "other_figures"):
    assert {p.stem for p in (tmp_path / "new" / folder).glob("*.png")} == FIGURES
  assert "No pictures of VAEs" in Page(path).text


def test_study_of_one_run(study_dir, tmp_path):
  page = Page(report.write_report(study_dir / "1", tmp_path / "page.html"))
  assert "nothing is compared" in page.text
  assert "No pictures of VAEs" in page.text


def test_a_folder_of_something_else_is_never_replaced(study_dir, tmp_path):
  (tmp_path / "page_figures").mkdir()
  (tmp_path / "page_figures" / "photo.png").write_text("precious")
  with pytest.raises(errors.ConfigError, match="is not from a report"):
    report.write_report(study_dir, tmp_path / "page.html")
  assert (tmp_path / "page_figures" / "photo.png").read_text() == "precious"


def test_folder_without_runs(tmp_path):
  with pytest.raises(errors.ConfigError, match="No trained run"):
    report.write_report(tmp_path)
  assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
  ("flags", "code", "message"),
  [
    ([], 2, "error: --study, --study_dir or --runs_csv must be given."),
    pytest.param(
      ["--runs_csv={folder}/none.csv"],
      3,
      "error: No .*none.csv: name the runs.csv of a study.",
      marks=pytest.mark.slow,
    ),
    (
      ["--study=paperr"],
      2,
      r"error: --study must be one of .*, got 'paperr'; did you mean 'paper'\?",
    ),
    (["--study_dir={folder}"], 2, "error: No trained run in .*: is it the right folder?"),
    pytest.param(
      ["--study_dir={damaged}"],
      3,
      "error: .*train.json has changed since it was written",
      marks=pytest.mark.slow,
    ),
  ],
)
def test_a_mistake_ends_with_its_code_and_one_line(generated, tmp_path, flags, code, message):
  generated.write_run(tmp_path / "damaged" / "0", generated.config_of())
  aggregate = tmp_path / "damaged" / "0" / "model" / "results" / "aggregate" / "train.json"
  aggregate.write_text(aggregate.read_text().replace("90.0", "91.0"))
  folders = {"folder": tmp_path / "empty", "damaged": tmp_path / "damaged"}
  program = pathlib.Path(__file__).parents[2] / "bin" / "dl_condind_report"
  done = subprocess.run(
    [sys.executable, program, *(flag.format(**folders) for flag in flags)],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == code
  assert re.fullmatch(f"{message}.*\n", done.stderr) and done.stdout == ""


def test_damaged_record_is_an_error(study_dir, tmp_path):
  copy = tmp_path / "study"
  shutil.copytree(study_dir, copy)
  path = copy / "0" / "model" / "results" / "aggregate" / "train.json"
  path.write_text(json.dumps({**json.loads(path.read_text()), "train_results.global_step": 9}))
  with pytest.raises(errors.DatasetError, match="has changed"):
    report.write_report(copy)


@pytest.mark.slow
def test_damaged_model_can_be_left_out(study_dir, tmp_path):
  copy = tmp_path / "study"
  shutil.copytree(study_dir, copy)
  (copy / "0" / "model" / "saved_model" / "saved_model.pb").write_bytes(b"")
  with pytest.raises(errors.DatasetError, match=r"has changed.*show_models=False"):
    report.write_report(copy)
  report.write_report(copy, show_models=False)


def measure_of(path, representation, metric, key):
  record = path / "metrics" / representation / metric / "results" / "aggregate" / "evaluation.json"
  return json.loads(record.read_text())[f"evaluation_results.{key}"]


def config_key(path):
  record = json.loads((path / "model" / "results" / "aggregate" / "train.json").read_text())
  names = {"vae": "VAE", "factor_vae": "FactorVAE", "beta_tc_vae": "beta-TCVAE"}
  config = {key.removeprefix("train_config."): value for key, value in record.items()}
  method = names[config["model.model"].strip("@()")]
  cell = f"{method} on {config['dataset.name'].strip(chr(39))}, 10 latents"
  return cell, f"{float(config['equicorrelated.correlation']):g}"


def number(text):
  return float(text.replace(",", "").removesuffix(" sd"))


MEASURES = {
  "MIG, mean representation; tested: it falls": ("mig", "discrete_mig", 3),
  "reconstruction error; tested: it rises": ("vae_terms", "reconstruction_loss", 2),
  "KL, factorized; tested: it falls": ("vae_terms", "kl_loss", 2),
  "TC estimate; tested: it falls": ("total_correlation", "total_correlation", 2),
}


@pytest.fixture(scope="module")
def generated_page(generated_study, tmp_path_factory):
  return Page(report.write_report(generated_study, tmp_path_factory.mktemp("page") / "report.html"))


def statistics_tables(page):
  """Returns the rows of the tables of statistics, measure -> rows."""
  return {
    label: rows[1:] for label, rows in page.tables if rows[0][:4][2:] == ["Runs", "Not counted"]
  }


def test_numbers_of_the_page_are_those_of_the_records(generated_study, generated_page):
  tables = statistics_tables(generated_page)
  assert list(tables) == list(MEASURES)
  for title, (metric, key, digits) in MEASURES.items():
    values = {}
    for path in sorted(generated_study.glob("[0-9]*"), key=lambda path: int(path.name)):
      values.setdefault(config_key(path), []).append(measure_of(path, "mean", metric, key))
    assert {(row[0], row[1]) for row in tables[title]} == values.keys() and len(values) == 12
    p_values, paired_p_values = {}, {}
    for row in tables[title]:
      found, low = values[row[0], row[1]], values[row[0], "0"]
      assert row[2:4] == ["10", "-"]
      assert number(row[4]) == pytest.approx(np.median(found), abs=0.5001 * 10**-digits)
      assert number(row[5]) == pytest.approx(np.mean(found), abs=0.5001 * 10**-digits)
      interval = [number(text) for text in row[6].split(" to ")]
      again = stats.bootstrap((found,), np.mean, rng=np.random.default_rng(99))
      width = np.ptp(again.confidence_interval)
      assert interval == pytest.approx(list(again.confidence_interval), abs=0.1 * width)
      if row[1] == "0":
        assert row[7:] == [""] * 10
        continue
      change = np.mean(found) / np.mean(low) - 1
      assert float(row[7].removesuffix("%")) == pytest.approx(100 * change, abs=0.05001)
      greater, less = (found, low) if "rises" in title else (low, found)
      test = stats.mannwhitneyu(greater, less, alternative="greater", method="exact")
      assert float(row[8]) == pytest.approx(test.statistic / 100, abs=0.00501)
      p_values[row[0]] = test.pvalue, row[9], row[10]
      assert number(row[11]) == pytest.approx(1.7, abs=0.11)
      p_value = max(
        stats.ttest_ind(found, 0.9 * np.array(low), equal_var=False, alternative="greater").pvalue,
        stats.ttest_ind(found, 1.1 * np.array(low), equal_var=False, alternative="less").pvalue,
      )
      assert row[12] == shown(p_value)
      pairs = np.subtract(found, low)
      assert row[13] == "10"
      assert number(row[14].partition(" ")[0]) == pytest.approx(pairs.mean(), abs=10**-digits)
      rises = pairs if "rises" in title else -pairs
      test = stats.permutation_test(
        (rises,), np.sum, permutation_type="samples", n_resamples=2000, alternative="greater"
      )
      paired_p_values[row[0]] = test.pvalue, row[15], row[16]
    check_p_values(p_values)
    check_p_values(paired_p_values)


def shown(p_value):
  return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def check_p_values(p_values):
  """Compares p-values with those shown; Holm's are computed anew."""
  highest = 0.0
  for rank, (p_value, plain, adjusted) in enumerate(sorted(p_values.values())):
    highest = max(highest, min(1.0, (len(p_values) - rank) * p_value))
    assert (plain, adjusted) == (shown(p_value), shown(highest))


def test_verdicts_of_a_study_in_which_the_paper_is_right(generated_page):
  claims = generated_page.claims()
  without = {text for text, verdict in claims.items() if verdict == ("open", "no runs")}
  assert without == {text for text in claims if re.search("20|SmallNORB|precise", text)}
  assert {verdict for text, verdict in claims.items() if text not in without} == {("holds", "")}
  num = len(claims) - len(without)
  assert f"Of {len(claims)} claims of the paper, {num} have runs: {num} hold." in (
    generated_page.text
  )
  assert "paper's protocol" not in generated_page.text
  assert "Not the official files that the paper used: cars3d: rendered" in generated_page.text


@pytest.mark.slow
def test_verdicts_on_a_shorter_protocol_say_so_in_the_headline(generated, tmp_path):
  for correlation in (0.0, 0.9):
    for seed in range(5):
      config = generated.config_of(correlation=correlation, seed=seed)
      config["model.training_steps"] = "4000"
      run = tmp_path / f"{correlation}_{seed}"
      generated.write_run(run, config, mig=0.3 - 0.1 * correlation + 0.01 * seed)
  page = Page(report.write_report(tmp_path))
  assert "Claims of the paper, judged in this shorter protocol" in page.text
  assert "(training steps: 4,000 instead of 300,000)" in page.text
  verdict = page.claims()["MIG falls on dSprites with 10 latents"]
  assert verdict == ("open", "points to it so far, in 1 of 3 settings")


@pytest.mark.slow
def test_report_from_a_table_is_that_from_the_runs(generated, tmp_path):
  study_dir = tmp_path / "study"
  generated.write_study(study_dir, ("vae", "beta_tc_vae"), ("dsprites_full",), (0.0, 0.9), 2)
  from_runs = Page(
    report.write_report(study_dir, tmp_path / "a" / "report.html", show_models=False)
  )
  copy = shutil.copy(study_dir / "runs.csv", tmp_path / "published.csv")
  path = report.write_report(study_dir, tmp_path / "b" / "report.html", runs_csv=copy)
  from_table = Page(path)
  assert from_table.rows == from_runs.rows
  # How to go on is another matter: a table has no folders.
  told = [page.text.rpartition("\nHow to go on")[0] for page in (from_table, from_runs)]
  assert told[0] == told[1] and "trained runs count" in told[0]
  assert "../published.csv" in from_table.source or "published.csv" in from_table.source


@pytest.mark.parametrize(
  ("content", "message"),
  [
    (b"a,b\n1,2\n", "is not a table of runs"),
    (b"", "is not a table of runs"),
    (b"run,train_config.model.model\n0,@vae(),3\n", "is not a table of runs"),
    (b"run,train_config.model.model\n0\n", "is not a table of runs"),
    (b"run,train_config.model.model\n\xff,@vae()\n", "is damaged"),
    (b'run,train_config.model.model\n"0,@vae()\n', "is damaged"),
  ],
)
def test_table_that_is_none_is_refused(tmp_path, content, message):
  path = tmp_path / "runs.csv"
  path.write_bytes(content)
  with pytest.raises(errors.DatasetError, match=message):
    report.write_report(tmp_path, runs_csv=path)


def test_published_table_gives_the_published_verdicts():
  """The page under docs/results is that of the table beside it."""
  folder = pathlib.Path(__file__).parents[2] / "docs" / "results" / "paper_reduced"
  settings = grouping.group_by_setting(study_runs.read_table(folder / "runs.csv"))
  judged = {claim.text: (claim.verdict, claim.leaning) for claim in vae_claims.judge(settings)}
  assert Page(folder / "report.html").claims() == judged


@pytest.mark.parametrize(
  ("name", "claims"), [("paper_reduced", vae_claims), ("infogan", infogan_claims)]
)
def test_published_text_names_the_verdicts_of_the_published_table(name, claims):
  results = pathlib.Path(__file__).parents[2] / "docs" / "results"
  settings = grouping.group_by_setting(study_runs.read_table(results / name / "runs.csv"))
  judged = [claim for claim in claims.judge(settings) if claim.leaning != "no runs"]
  text = (results / f"{name}.md").read_text(encoding="utf-8")
  rows = re.findall(r"^\| ((?:holds|opposite|too small|open).*?) \|", text, re.MULTILINE)
  told = {row for row in rows if row != "open: no runs"}
  assert told == {claim.summary.replace(" in this shorter protocol", "") for claim in judged}


def test_figures_of_the_paper_are_drawn(generated_page):
  captions = ["mean representation (as in Figure 1)", "On dsprites_full (as in Figure 2)"]
  assert all(caption in generated_page.text for caption in captions)
  # MIG, and five for each data set.
  assert len([i for i in generated_page.values("figure", "id") if i]) == 11
  assert len(generated_page.values("svg", "aria-label")) == 6 + 2 * 5 * 3


def test_every_run_is_in_a_table_with_an_anchor(generated_page):
  (rows,) = (rows for label, rows in generated_page.tables if label == "120 VAEs")
  assert [row[0] for row in rows[1:]] == [str(number) for number in range(120)]
  assert {f"run-{number}" for number in range(120)} <= set(generated_page.values("tr", "id"))
  points = [v for v in generated_page.values("a", "href") if v.startswith("#run-")]
  assert len(points) == 120 * 6  # In a figure of each measure, and in two over the KL.
  (medians,) = (rows for label, rows in generated_page.tables if label.startswith("Medians"))
  assert [row[2] for row in medians[1:]] == ["10"] * 12


@pytest.mark.slow
def test_page_of_many_runs_is_small(generated_study, generated_page):
  assert len(generated_page.source.encode()) < 1_000_000


@pytest.mark.slow
def test_any_part_of_a_study_may_be_done(generated, generated_study, tmp_path):
  configs = [generated.config_of(seed=seed) for seed in range(4)]
  shutil.copytree(generated_study / "0", tmp_path / "0")
  shutil.copytree(generated_study / "0", tmp_path / "7")
  shutil.copytree(generated_study / "1", tmp_path / "9")
  generated.write_begun(tmp_path / "2", configs[2], diverged={"step": 3, "message": "loss is nan"})
  generated.write_begun(tmp_path / "3", configs[3], failed={"message": "no memory"})
  study = study_file.make_study("part", gin_files=[], axes=[("model.random_seed", [*range(9)])])
  page = Page(report.write_report(tmp_path, study=study))
  row = statistics_tables(page)["MIG, mean representation; tested: it falls"][0]
  assert row[1:4] == ["0", "1", "1 repeated, 1 diverged, 1 failed"]
  for line in (
    "1 trained run of 9 of the study part count.",
    "Run 7: repeats run 0 (same configuration and seed), which counts.",
    "Run 2: diverged: loss is nan.",
    "Run 3: failed: no memory.",
    "Run 9: not of this study.",
    "Runs 1, 4-6, 8: not trained.",
    "Diverged runs have no values",
  ):
    assert line in page.text


@pytest.mark.slow
def test_study_with_eight_correlations(generated, tmp_path):
  correlations = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
  generated.write_study(tmp_path, ("vae",), ("dsprites_full",), correlations, 3)
  page = Page(report.write_report(tmp_path))
  rows = statistics_tables(page)["MIG, mean representation; tested: it falls"]
  assert [row[1] for row in rows] == [f"{value:g}" for value in correlations]
  assert {row[9] for row in rows[1:]} == {"too few"}  # 1 / 20, and seven tests.
  assert {(row[13], row[15], row[16]) for row in rows[1:]} == {("3", "too few", "-")}


def test_runs_that_are_no_pairs_say_why(generated, tmp_path):
  for number, (correlation, seed) in enumerate([(0.0, 0), (0.0, 1), (0.9, 0), (0.9, 2)]):
    config = generated.config_of(correlation=correlation, seed=seed)
    generated.write_run(tmp_path / str(number), config, mig=0.1 * number)
  page = Page(report.write_report(tmp_path))
  row = statistics_tables(page)["MIG, mean representation; tested: it falls"][1]
  assert row[13:] == ["none: seeds 1, 2 on one side only", "-", "-", "-"]
  assert "unpaired (seeds 1, 2 on one side only)" in page.text
  assert "Runs of one seed share data, initial weights and noise." in page.text


INFOGAN_FIGURES = {
  "conditional_r2_mean_gap_mnist",
  "conditional_r2_assigned_mnist",
  "digit_change_rate_mnist",
  "error_correlation_mnist",
  "codes_mnist_0",
}
INFOGAN_MODELS = {"losses", "two_codes", "code_0", "code_1"}
INFOGAN_MEASURES = {
  "gap of R² between best and second code; tested: it falls": ("conditional_r2_mean_gap", 3),
  "R² of a code with an attribute of its own; tested: it falls": ("conditional_r2_assigned", 3),
  "share of traversals along which the digit changes; tested: it rises": ("digit_change_rate", 3),
}


@pytest.fixture(scope="module")
def infogan_study(generated, tiny_infogan, tmp_path_factory):
  """Three InfoGANs of each correlation; the first of each has a model."""
  study_dir = tmp_path_factory.mktemp("studies") / "infogans"
  generated.write_infogans(study_dir)
  for number in (0, 3):
    tiny_infogan.write(study_dir / str(number) / "model")
  return study_dir


@pytest.fixture(scope="module")
def infogan_page(infogan_study):
  return Page(report.write_report(infogan_study))


@pytest.mark.slow
def test_report_of_infogans_has_their_numbers(infogan_study, infogan_page):
  tables = statistics_tables(infogan_page)
  for title, (key, digits) in INFOGAN_MEASURES.items():
    for row, numbers in zip(tables[title], ((0, 1, 2), (3, 4, 5)), strict=True):
      found = [
        measure_of(infogan_study / str(n), "model", "infogan_disentanglement", key) for n in numbers
      ]
      assert row[0] == "InfoGAN on mnist, 2 continuous codes"
      assert number(row[4]) == pytest.approx(np.median(found), abs=0.5001 * 10**-digits)
    assert row[9:11] == ["0.05", "0.05"]  # Of three against three, none of which overlap.
  assert not set(MEASURES) & set(tables)


@pytest.mark.slow
def test_report_of_infogans_judges_what_the_paper_sees(infogan_page):
  by_three = ("holds", "")
  contrast = ("open", "points to it so far")  # Three runs do not show a contrast.
  expected = [by_three] * 2 + [contrast] * 3 + [by_three, contrast] + [by_three] * 6
  assert list(infogan_page.claims().values()) == expected
  assert "MIG" not in infogan_page.text and "variational" not in infogan_page.text
  assert "gives no numbers" in infogan_page.text


@pytest.mark.slow
def test_report_of_infogans_shows_every_run_and_what_codes_do(infogan_study, infogan_page):
  (rows,) = (rows for label, rows in infogan_page.tables if label == "6 InfoGANs")
  headings = rows[0]
  assert [row[0] for row in rows[1:]] == [*"012345"]
  metric = "infogan_disentanglement"
  gap = measure_of(infogan_study / "4", "model", metric, "conditional_r2_mean_gap")
  assigned = measure_of(infogan_study / "4", "model", metric, "conditional_r2_assigned")
  change = measure_of(infogan_study / "4", "model", metric, "digit_change_rate")
  assert dict(zip(headings, rows[5], strict=True)) == {
    "Run": "4",
    "Setting": "InfoGAN on mnist, 2 continuous codes",
    "c": "0.9",
    "Seed": "1",
    "Steps": "15,000",
    "R² gap (null)": f"{gap:.3f} (0.001)",
    "R² of own attribute (null)": f"{assigned:.3f} (0.003)",
    "Digit changes (null)": f"{change:.3f} (0.999)",
    "Error correlation (null)": "0.60 (0.01)",
    "Classifier sure": "0.950",
    "Digits covered": "10",
    "Discr. loss": "1.01",  # Of the log, not of the record.
    "Gen. loss": "1.23",
    "MI penalty": "-0.045",
    "Minutes": "50.0",
  }
  pngs = {path.stem for path in (infogan_study / "figures").glob("*.png")}
  assert pngs == INFOGAN_FIGURES | INFOGAN_MODELS
  assert len(infogan_page.images()) == 2 * (11 + 10 + 10)  # Rows of both codes, and of each.
  assert "with category 0 (as in Figure 3), by run 0" in infogan_page.text
  assert "infogan_disentanglement.num_points = 5000" in infogan_page.text
  assert "6 trained runs, each with every value" in infogan_page.text
  assert "dl_condind_visualize_infogan" in infogan_page.text


@pytest.mark.slow
def test_report_of_vaes_and_infogans_has_both(trained_study, infogan_study, tmp_path):
  shutil.copytree(infogan_study, tmp_path / "study" / "infogans")
  shutil.copytree(trained_study, tmp_path / "study" / "vaes")
  page = Page(report.write_report(tmp_path / "study"))
  claims = page.claims()
  assert len(claims) == len(vae_claims.judge({})) + len(infogan_claims.judge({}))
  assert [verdict for verdict, _ in claims.values()].count("holds") == 9
  tables = statistics_tables(page)
  assert {*MEASURES, *INFOGAN_MEASURES} <= set(tables)
  assert {row[0] for row in tables["KL, factorized; tested: it falls"]} == {
    "VAE on dummy_data, 3 latents"
  }
  pngs = {path.stem for path in (tmp_path / "study" / "figures").glob("*.png")}
  assert pngs == FIGURES | MODELS | INFOGAN_FIGURES | INFOGAN_MODELS
  assert [row[:2] for row in page.rows].count(["Run", "Setting"]) == 2
  assert "variational" in page.text and "an InfoGAN recovers" in page.text


@pytest.mark.slow
def test_damaged_log_of_an_infogan_is_an_error_and_a_missing_one_leaves_its_losses_out(
  infogan_study, tmp_path
):
  copy = tmp_path / "study"
  shutil.copytree(infogan_study, copy)
  log = copy / "0" / "model" / "train_log.jsonl"
  log.write_text("")
  with pytest.raises(errors.DatasetError, match=r"0/model/train_log\.jsonl is empty or damaged"):
    report.write_report(copy)
  log.unlink()
  page = Page(report.write_report(copy))
  pngs = {path.stem for path in (copy / "figures").glob("*.png")}
  assert pngs == INFOGAN_FIGURES | INFOGAN_MODELS - {"losses"}
  losses = statistics_tables(page)["loss of the generator; tested: it changes"]
  assert [row[2] for row in losses] == ["2", "3"]


def test_report_of_infogans_without_models(infogan_study, tmp_path):
  page = Page(report.write_report(infogan_study, tmp_path / "page.html", show_models=False))
  assert page.images() == [] and "No pictures of InfoGANs" in page.text
  assert "No pictures of VAEs" not in page.text


@pytest.mark.slow
def test_program_says_one_line_on_each_stream(infogan_study, tmp_path):
  program = pathlib.Path(__file__).parents[2] / "bin" / "dl_condind_report"
  path = tmp_path / "page.html"
  command = [sys.executable, program, f"--study_dir={infogan_study}", f"--output_path={path}"]
  done = subprocess.run(command, capture_output=True, text=True, check=True)
  assert done.stdout == f"Report written to {path}\n"
  assert re.fullmatch(rf"\S+ INFO Wrote {path}, a report of 6 runs\.\n", done.stderr)
