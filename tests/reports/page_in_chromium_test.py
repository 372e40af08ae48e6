"""What the page's own script does, in a browser: sort, filter, lead from points to runs."""

import html
import json
import re
import shutil
import subprocess

import pytest

from dl_condind.reports import report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
  pytest.mark.skipif(not CHROMIUM, reason="There is no Chromium."),
  pytest.mark.slow,
]

# Runs after the page's script, and leaves what it saw as the title.
_PROBE = """
<script>
const seen = {};
const click = element => element.dispatchEvent(new MouseEvent("click", { bubbles: true }));
const table = document.querySelector("table.filtered");
const column = name => [...table.tHead.rows[0].cells].findIndex(c => c.textContent === name);
const texts = index => [...table.tBodies[0].rows].map(row => row.cells[index].textContent.trim());
const mig = column("MIG, mean");
click(table.tHead.rows[0].cells[mig].querySelector("button"));
seen.ascending = texts(mig);
seen.sort = table.tHead.rows[0].cells[mig].getAttribute("aria-sort");
click(table.tHead.rows[0].cells[mig].querySelector("button"));
seen.descending = texts(mig);
click(table.tHead.rows[0].cells[0].querySelector("button"));
seen.runs = texts(0);
const input = document.querySelector(".filter input");
input.value = "factorvae c = 0.9";
input.dispatchEvent(new Event("input"));
const left = [...table.tBodies[0].rows].filter(row => !row.hidden);
seen.filtered = left.map(row => row.cells[0].textContent.trim());
seen.count = document.querySelector(".filter span").textContent;
const points = [...document.querySelector(".panel svg").querySelectorAll(".point")];
points[0].focus();
seen.tip = document.querySelector(".tip").textContent;
seen.tabindexes = points.map(point => point.getAttribute("tabindex")).join("");
points[0].dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", cancelable: true }));
seen.isNext = document.activeElement === points[1];
const href = points[1].getAttribute("href");
const target = document.querySelector(href);
target.hidden = true;
location.hash = href;
window.addEventListener("hashchange", () => setTimeout(() => {
  seen.isShown = !target.hidden;
  window.dispatchEvent(new Event("beforeprint"));
  seen.numFolded = document.querySelectorAll("details:not([open])").length;
  window.dispatchEvent(new Event("afterprint"));
  seen.numFoldedAfter = document.querySelectorAll("details:not([open])").length;
  seen.isWide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  document.title = JSON.stringify(seen);
}));
</script>
"""


def dump(path, tmp_path):
  """Returns the document as Chromium has it in the end."""
  command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"]
  command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=500,900", "--dump-dom"]
  done = subprocess.run([*command, path.as_uri()], capture_output=True, text=True, check=True)
  return done.stdout


@pytest.fixture(scope="module")
def path(generated_study, tmp_path_factory):
  return report.write_report(generated_study, tmp_path_factory.mktemp("page") / "report.html")


def test_the_policy_lets_the_script_run(path, tmp_path):
  document = dump(path, tmp_path)
  assert '<button type="button">' in document and 'class="filter"' in document


def test_tables_and_points_react(path, tmp_path):
  text = path.read_text(encoding="utf-8")
  text = re.sub(r"script-src '[^']*'", "script-src 'unsafe-inline'", text)
  copy = tmp_path / "probed.html"
  copy.write_text(text.replace("</body>", f"{_PROBE}</body>"), encoding="utf-8")
  title = re.search(r"<title>(\{.*?\})</title>", dump(copy, tmp_path))
  seen = json.loads(html.unescape(title[1]))
  values = [float(value) for value in seen["ascending"]]
  assert len(values) == 120 and values == sorted(values) and seen["sort"] == "ascending"
  assert [float(value) for value in seen["descending"]] == values[::-1]
  assert seen["runs"] == [str(number) for number in range(120)]  # 2 before 10.
  assert seen["filtered"] == [str(n) for n in [*range(50, 60), *range(70, 80)]]
  assert seen["count"] == "20 of 120"
  assert seen["tip"].startswith("run 0, c\u00a0=\u00a00, seed 0: MIG 0.")
  assert seen["tabindexes"] == "0" + "-1" * 19
  assert seen["isNext"] and seen["isShown"]
  assert seen["numFolded"] == 0 < seen["numFoldedAfter"]
  assert not seen["isWide"]  # Wide tables scroll in their frames.
