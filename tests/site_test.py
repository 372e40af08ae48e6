"""The documentation site: its extensions do what they say, and its tables are up to date."""

import importlib
import pathlib
import pkgutil
import re
import shutil
import subprocess
import sys
import textwrap

from gin import config as gin_config
import pytest

import dl_condind
from dl_condind.studies import archive
from dl_condind.studies import run_state
from dl_condind.studies import study_file

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
STUDY = """
study.gin_files = ["shared.gin", "methods/vae.gin", "posteriors/equicorrelated.gin"]
study.axes = [("model.random_seed", [0, 1])]
study.metrics = ["mig", "vae_terms"]
study.representations = ["mean"]
"""


@pytest.fixture
def extension(monkeypatch):
  """Returns what imports one of the site's extensions; those of Sphinx need the extra `docs`."""
  pytest.importorskip("sphinx", reason="needs pip install '.[docs]'")
  monkeypatch.syspath_prepend(str(DOCS / "_extensions"))
  return importlib.import_module


def _write(folder, files):
  for name, text in files.items():
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _check(site):
  script = DOCS / "_extensions" / "check_site.py"
  done = subprocess.run([sys.executable, script, site], capture_output=True, text=True)
  return done.returncode, done.stdout.splitlines()


def test_check_accepts_a_site_that_is_whole(tmp_path):
  page = '<a href="b/c.html#here">c</a> <a href="https://x.org">x</a> <img src="data:image/png;,">'
  _write(tmp_path, {"a.html": page, "b/c.html": '<p id="here"><a href="../a.html">a</a>'})
  assert _check(tmp_path)[0] == 0


@pytest.mark.parametrize(
  ("page", "problem"),
  [
    ('<script src="https://cdn.org/x.js"></script>', "a.html loads https://cdn.org/x.js"),
    ('<link rel="stylesheet" href="//cdn.org/x.css">', "a.html loads //cdn.org/x.css"),
    ("<style>@import '//cdn.org/x.css';</style>", "a.html loads //cdn.org/x.css"),
    ('<p style="background: url(http://x.org/y.png)">', "a.html loads http://x.org/y.png"),
    ('<a href="b.html">b</a>', "a.html links to b.html, which is not there"),
    ('<a href="#b">b</a>', "a.html links to #b, which is not there"),
    ('<img src="b.png">', "a.html links to b.png, which is not there"),
  ],
)
def test_check_names_what_is_wrong(page, problem, tmp_path):
  _write(tmp_path, {"a.html": page})
  assert _check(tmp_path) == (1, [problem])


def test_docstrings_are_plain_text(extension):
  text = textwrap.dedent("""\
    Returns |KL - C| of z_ and `**options`, a * b.

        x = |y|

    Again a_b.

    | index | factor |
    | ----- | ------ |

    >>> 2 * 3
    6""")
  expected = textwrap.dedent("""\
    Returns \\|KL - C\\| of z\\_ and ``**options``, a \\* b.

    ::

        x = |y|

    Again a_b.

    ::

      | index | factor |
      | ----- | ------ |

    >>> 2 * 3
    6""")
  assert extension("docstring_text").as_rst(text.splitlines()) == expected.splitlines()


def test_links_out_of_docs_lead_into_the_site(extension):
  repository = extension("repository")
  text = textwrap.dedent("""\
    [a](../CONTRIBUTING.md#recipes) [b](../examples/stripes.py) [c](metrics.md) [d](https://x.org)
    ![e](report.png) [f](results/paper_reduced/report.html) [g](#here)

    ```
    [h](../examples/stripes.py)
    ```
    """)
  shown = set()
  found = repository.rewrite(text, DOCS / "data.md", "data", shown)
  link = '<a class="reference internal" href='
  expected = text.replace("../CONTRIBUTING.md", "project/contributing.md")
  expected = expected.replace(
    "[b](../examples/stripes.py)", f'{link}"source/examples/stripes.py.html">b</a>', 1
  )
  expected = expected.replace(
    "[f](results/paper_reduced/report.html)", f'{link}"results/paper_reduced/report.html">f</a>'
  )
  assert found == expected
  assert shown == {ROOT / "examples/stripes.py", DOCS / "results/paper_reduced/report.html"}


def test_blocks_of_tutorials_are_cells(extension):
  text = "# A\n\n```python\n1 + 1\n```\n\n```sh\nls\n```\n\n```py\n2\n```\n"
  found = extension("tutorials").as_notebook(text)
  assert found.startswith("---\nfile_format: mystnb\n")
  assert "```{code-cell}\n1 + 1\n```" in found
  assert (
    "```sh\nls\n```\n\n```{code-cell}\n:tags: [remove-input]\n%%bash\nset -e\nexec 2>&1\nls\n```"
    in found
  )
  assert "```py\n2\n```" in found


def test_streams_show_what_a_terminal_would(extension):
  texts = ["a\n", "INFO:tensorflow:Assets\n\r 1/2", "\b\b\b\r 2/2\n", "b"]
  outputs = [{"output_type": "stream", "name": "stdout", "text": text} for text in texts]
  picture = {"output_type": "display_data"}
  found = extension("tutorials").shown_in_terminal([*outputs[:2], picture, *outputs[2:]])
  assert found == [{**outputs[0], "text": "a\n 2/2\nb"}, picture]


@pytest.fixture
def archived(generated, tmp_path):
  """An archive of two finished runs."""
  (tmp_path / "small.gin").write_text(STUDY)
  study = study_file.load_study(str(tmp_path / "small.gin"))
  for number in (0, 1):
    run = tmp_path / "small" / str(number)
    with run_state.making(run, study.settings(number), overwrite=False):
      generated.write_run(run, generated.config_of(seed=number), mig=0.125 * (1 + number))
  archive.pack(tmp_path / "small", tmp_path / "small.tar.xz", study)
  return tmp_path / "small.tar.xz"


def test_table_has_the_runs_of_archives_and_of_tables(extension, archived, tmp_path):
  published_runs = extension("published_runs")
  results = tmp_path / "results"
  results.mkdir()
  (results / "old").mkdir()
  table = DOCS / "results" / "paper_reduced" / "runs.csv"
  (results / "old" / "runs.csv").write_bytes(table.read_bytes())
  num_runs = len(table.read_text(encoding="utf-8").splitlines()) - 1
  (results / "new.tar.xz").write_bytes(archived.read_bytes())
  _write(results, {"old.md": "# Old", "new.md": "# New"})
  sources = published_runs.sources(results)
  assert sources == [results / "new.tar.xz", results / "old" / "runs.csv"]
  found = [published_runs.read(source, results) for source in sources]
  assert [(source.name, source.page) for source in found] == [("small", "new"), ("old", "old")]
  shown = published_runs.table("vae", found, "")
  assert len(re.findall("<tr>", shown)) == 1 + 2 + num_runs
  assert '<a href="old.html">old</a></td><td>0</td><td>VAE</td><td>dsprites_full</td>' in shown
  assert "<td>0.125</td>" in shown  # The MIG of the archive's first run.
  assert published_runs.table("infogan", found, "") == ""
  # A table adds the runs of its study that are in no archive: of these all but 0 and 1.
  (results / "small").mkdir()
  (results / "small" / "runs.csv").write_bytes(table.read_bytes())
  assert [len(source.runs) for source in published_runs.read_all(results)] == [
    2,
    num_runs,
    num_runs - 2,
  ]


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")
def test_table_is_sorted_and_filtered_in_a_browser(tmp_path):
  script = (DOCS / "_static" / "sort_tables.js").read_text(encoding="utf-8")
  rows = "".join(
    f"<tr><td>{a}</td><td>{b}</td></tr>" for a, b in zip("abcd", ("10", "9", "", "-1"), strict=True)
  )
  page = f"""<div><table class="sortable"><thead><tr><th>name</th><th>value</th></tr></thead>
    <tbody>{rows}</tbody></table></div><p id="found"></p><script>{script}</script><script>
    document.addEventListener("DOMContentLoaded", () => {{
      const shown = () => [...document.querySelectorAll("tbody tr:not([hidden])")]
        .map((row) => row.cells[0].textContent).join("");
      const button = document.querySelectorAll("th button")[1];
      const found = [];
      for (let click = 0; click < 2; click++) {{ button.click(); found.push(shown()); }}
      const input = document.querySelector("input");
      input.value = "9";
      input.dispatchEvent(new Event("input"));
      document.getElementById("found").textContent = [...found, shown()].join(" ");
    }});</script>"""
  (tmp_path / "page.html").write_text(page, encoding="utf-8")
  command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
  done = subprocess.run(
    [*command, (tmp_path / "page.html").as_uri()], capture_output=True, text=True, timeout=60
  )
  assert '<p id="found">dbac abdc b</p>' in done.stdout


def test_there_may_be_no_runs(extension, tmp_path):
  published_runs = extension("published_runs")
  assert published_runs.sources(tmp_path) == []
  assert published_runs.table("vae", [], "") == ""


def test_api_has_the_modules_of_all_public_names():
  listed = re.findall(r"^   (dl_condind\.\S+)$", (DOCS / "api" / "index.md").read_text(), re.M)
  modules = [*dl_condind._NAMES.values(), *dl_condind._MODULES.values()]
  assert [m for m in modules if not any(f"{m}.".startswith(f"{name}.") for name in listed)] == []


def _names(text):
  rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
  return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_page_on_disentanglement_lib_knows_which_gin_names_are_here():
  text = (DOCS / "from_disentanglement_lib.md").read_text(encoding="utf-8")
  here, missing = text.split("## gin names")[1].split("\n## ")[0].split("There will be no")
  for package in ("methods", "networks", "training", "postprocessing", "evaluation", "reasoning"):
    found = importlib.import_module(f"dl_condind.{package}")
    for module in pkgutil.walk_packages(found.__path__, f"{found.__name__}."):
      importlib.import_module(module.name)
  registered = {selector.split(".")[-1] for selector in gin_config._REGISTRY._selector_map}
  assert len(_names(here)) > 50
  assert sorted(_names(here) - registered) == []
  never = re.findall(r"`(\w+)`", missing.split("\n\n")[0])
  assert never == ["export_as_tf_hub", "weak_loss"] and not registered & {*never}
