import base64
from html import parser
import json
import re
import shutil

import pytest

from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.visualize import model_pairs
from dl_condind.visualize import report
from dl_condind.visualize import study_runs

FIGURES = {"mig", "reconstruction_error", "kl_total_correlation", "reconstructions", "traversals"}
VOID = {"img", "meta"}


class Page(parser.HTMLParser):
  """Tags, attributes, rows of tables and the text of a page; every tag must be closed."""

  def __init__(self, path):
    super().__init__()
    self.open, self.attributes, self.rows, self.text = [], [], [], ""
    self.feed(path.read_text(encoding="utf-8"))
    self.close()
    assert self.open == []

  def handle_starttag(self, tag, attrs):
    self.attributes += [(tag, name, value) for name, value in attrs]
    if tag not in VOID:
      self.open.append(tag)
    if tag == "tr":
      self.rows.append([])
    elif tag in ("td", "th"):
      self.rows[-1].append("")

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    if self.open and self.open[-1] in ("td", "th"):
      self.rows[-1][-1] += data
    if "style" not in self.open:
      self.text += data

  def images(self):
    return [value for tag, name, value in self.attributes if (tag, name) == ("img", "src")]


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


def test_page_is_complete_and_needs_nothing_else(study_dir, written):
  text = (study_dir / "report.html").read_text(encoding="utf-8")
  assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
  images = written.images()
  assert len(images) == 5 and all(src.startswith("data:image/png;base64,") for src in images)
  without_images = re.sub(r'src="data:image/png;base64,[^"]*"', "", text)
  assert not re.search(r"https?:|//|url\(|@import|<script|<link|\bsrc=|\bhref=", without_images)
  for heading in (
    "Results",
    "Figures",
    "What the figures say and do not say",
    "What was run",
    "Missing or incomplete",
    "How to go on",
  ):
    assert f"<h2>{heading}</h2>" in text


def test_figures_lie_beside_the_page(study_dir, written):
  files.verify_manifest(study_dir / "figures")
  pngs = {path.stem: path.read_bytes() for path in (study_dir / "figures").glob("*.png")}
  assert set(pngs) == FIGURES
  embedded = {base64.b64decode(src.partition(",")[2]) for src in written.images()}
  assert embedded == set(pngs.values())


def test_table_has_each_run_and_the_medians(study_dir, written):
  runs = {run.name: run for run in study_runs.read_runs(study_dir)}
  first = next(row for row in written.rows if row[:3] == ["0", "0", "0"])
  second = next(row for row in written.rows if row[:3] == ["1", "0.9", "0"])
  assert first[3:6] == [
    "2",
    f"{runs['0'].measure('mig_mean'):.3f}",
    f"{runs['0'].measure('mig_sampled'):.3f}",
  ]
  assert second[5] == "-"  # The sampled representation was not evaluated.
  assert float(second[8]) - float(second[7]) == pytest.approx(1.79, abs=0.011)
  medians = [row for row in written.rows if row[0].startswith("median of 1")]
  assert [row[1] for row in medians] == ["0", "0.9"]
  assert [row[3:] for row in medians] == [first[3:], second[3:]]
  assert {len(row) for row in (first, second, *medians)} == {len(written.rows[0])}


def test_missing_runs_and_values_are_listed(written):
  assert "Run 3: training not finished, its log ends at step 0." in written.text
  assert "Run 2: not trained." in written.text
  assert "Run 1: not evaluated: MIG (sampled)." in written.text


def test_names_are_escaped(study_dir, written):
  assert 'Größe <&> "b"' in written.text
  text = (study_dir / "report.html").read_text(encoding="utf-8")
  assert "Größe &lt;&amp;&gt; &quot;b&quot;" in text


def test_what_the_study_says_is_in_the_page(written):
  text = written.text.replace("\u00a0", " ")
  assert re.search(r"Median MIG of the mean representation (fell|rose|stayed) from", text)
  assert "1.79 nats at c = 0.9 (3 latents)" in text
  assert "hardly sees c" in text
  assert "a one-sided rank test can give is 0.5" in text
  assert "VAE 2 instead of 300,000" in text


def test_the_same_study_gives_the_same_page(study_dir, written):
  before = (study_dir / "report.html").read_bytes()
  report.write_report(study_dir)
  assert (study_dir / "report.html").read_bytes() == before


def test_models_can_be_left_out(study_dir, tmp_path):
  path = report.write_report(study_dir, tmp_path / "new" / "page.html", show_models=False)
  assert path == tmp_path / "new" / "page.html"
  assert {p.stem for p in (tmp_path / "new" / "figures").glob("*.png")} == {
    "mig",
    "reconstruction_error",
    "kl_total_correlation",
  }
  assert "No pictures of models" in Page(path).text


def test_study_of_one_run(study_dir, tmp_path):
  page = Page(report.write_report(study_dir / "1", tmp_path / "page.html"))
  assert "nothing is compared" in page.text
  assert "No pictures of models" in page.text


def test_a_folder_of_something_else_is_never_replaced(study_dir, tmp_path):
  (tmp_path / "figures").mkdir()
  (tmp_path / "figures" / "photo.png").write_text("precious")
  with pytest.raises(errors.ConfigError, match="is not from a report"):
    report.write_report(study_dir, tmp_path / "page.html")
  assert (tmp_path / "figures" / "photo.png").read_text() == "precious"


def test_folder_without_runs(tmp_path):
  with pytest.raises(errors.ConfigError, match="No trained run"):
    report.write_report(tmp_path)
  assert not (tmp_path / "figures").exists()


def test_damaged_record_is_an_error(study_dir, tmp_path):
  copy = tmp_path / "study"
  shutil.copytree(study_dir, copy)
  path = copy / "0" / "model" / "results" / "aggregate" / "train.json"
  path.write_text(json.dumps({**json.loads(path.read_text()), "train_results.global_step": 9}))
  with pytest.raises(errors.DatasetError, match="has changed"):
    report.write_report(copy)


def test_damaged_model_can_be_left_out(study_dir, tmp_path):
  copy = tmp_path / "study"
  shutil.copytree(study_dir, copy)
  (copy / "0" / "model" / "saved_model" / "saved_model.pb").write_bytes(b"")
  with pytest.raises(errors.DatasetError, match=r"has changed.*--noshow_models"):
    report.write_report(copy)
  report.write_report(copy, show_models=False)


def test_pair_has_the_extreme_correlations_and_one_seed(trained_study):
  low, high = study_runs.read_runs(trained_study)
  other = study_runs.Run(
    "9", high.folder, {**high.row, "train_config.model.random_seed": "5"}, high.provenance
  )
  assert model_pairs.choose({"a": [other, high, low]}) == (low, high)
  assert model_pairs.choose({"a": [low], "b": [low, other]}) == (low, other)
  assert model_pairs.choose({"a": [low]}) is None
