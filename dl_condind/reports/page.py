"""The pieces of a self-contained HTML page: no script, no font, no picture from elsewhere."""

import base64
from collections.abc import Sequence
import html

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body {
  margin: 0; background: #f6f7f9; color: #1c2430;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
main { max-width: 1200px; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
header { border-bottom: 3px solid #0072b2; padding-bottom: 1rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 0 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p, li { max-width: 80ch; overflow-wrap: anywhere; }
p { margin: 0 0 .75rem; }
ul { margin: 0; padding-left: 1.25rem; }
li { margin-bottom: .6rem; }
section {
  background: #fff; border: 1px solid #dfe3e8; border-radius: 8px;
  padding: 1.25rem 1.25rem .75rem; margin-top: 1.25rem;
}
.scroll { overflow-x: auto; margin-bottom: .75rem; }
table { border-collapse: collapse; font-size: .8125rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .45rem; border-bottom: 1px solid #e6e9ed; text-align: left; }
th { border-bottom: 2px solid #b9c1cb; font-weight: 600; vertical-align: bottom; }
tbody th { border-bottom: 1px solid #e6e9ed; white-space: nowrap; vertical-align: top; }
td { overflow-wrap: anywhere; }
table.numbers td { text-align: right; white-space: nowrap; }
table.numbers th { text-align: right; }
table.numbers th:first-child, table.numbers td:first-child { text-align: left; }
tr.median td { background: #eef4f9; font-weight: 600; }
table.verdicts { width: 100%; }
table.verdicts td { vertical-align: top; white-space: pre-line; }
table.verdicts td:first-child { font-weight: 600; min-width: 9rem; }
table.verdicts td:nth-child(3) { white-space: nowrap; }
tr.holds td:first-child { color: #17663a; }
tr.opposite td:first-child { color: #a4262c; }
tr.small td:first-child { color: #8a4b00; }
tr.open td:first-child { color: #566070; }
.banner { border-left: 4px solid #d55e00; padding-left: .75rem; margin-top: 1.25rem; }
tr.setting td { background: #f6f7f9; font-weight: 600; text-align: left !important; }
.figures { display: flex; flex-wrap: wrap; column-gap: 2.5rem; }
figure { margin: 0 0 1.5rem; max-width: 100%; }
img { max-width: 100%; height: auto; display: block; }
figcaption, .note { color: #566070; font-size: .875rem; max-width: 90ch; }
pre {
  background: #f1f3f6; border-radius: 6px; padding: .75rem 1rem; overflow-x: auto;
  font: .8125rem/1.5 ui-monospace, "SFMono-Regular", "DejaVu Sans Mono", monospace;
}
summary { cursor: pointer; margin-bottom: .5rem; }
@media (max-width: 640px) {
  main { padding: 1rem .75rem 2rem; }
  section { padding: 1rem .9rem .5rem; }
}
@media print { section { break-inside: avoid; } body { background: #fff; } }
"""


def escape(text: object) -> str:
  """Returns text for HTML, quotes included; bytes that are no text become escapes."""
  return html.escape(str(text).encode("utf-8", "backslashreplace").decode("utf-8"))


def document(title: str, introduction: Sequence[str], sections: Sequence[str]) -> str:
  """Returns a page of sections, with a policy that forbids anything from elsewhere."""
  return "\n".join(
    [
      "<!DOCTYPE html>",
      '<html lang="en">',
      "<head>",
      '<meta charset="utf-8">',
      f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
      '<meta name="viewport" content="width=device-width, initial-scale=1">',
      f"<title>{escape(title)}</title>",
      f"<style>{_STYLE}</style>",
      "</head>",
      "<body><main>",
      f"<header><h1>{escape(title)}</h1>{paragraphs(introduction)}</header>",
      *sections,
      "</main></body></html>",
      "",
    ]
  )


def section(title: str, *parts: str) -> str:
  """Returns a section of HTML parts."""
  return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def heading(text: str) -> str:
  """Returns a heading within a section."""
  return f"<h3>{escape(text)}</h3>"


def paragraphs(texts: Sequence[str]) -> str:
  """Returns paragraphs of plain text."""
  return "".join(f"<p>{escape(text)}</p>" for text in texts)


def note(text: str) -> str:
  """Returns a paragraph in small print."""
  return f'<p class="note">{escape(text)}</p>'


def banner(text: str) -> str:
  """Returns a paragraph that nobody should miss."""
  return f'<p class="banner">{escape(text)}</p>'


def bullets(texts: Sequence[str]) -> str:
  """Returns a list of plain texts."""
  return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


def commands(lines: Sequence[str]) -> str:
  """Returns lines for a terminal."""
  return f"<pre>{escape(chr(10).join(lines))}</pre>"


def details(summary: str, *parts: str) -> str:
  """Returns parts that are folded away under a summary."""
  return f"<details><summary>{escape(summary)}</summary>{''.join(parts)}</details>"


def row(cells: Sequence[str], kind: str = "", span: int = 1) -> str:
  """Returns a row of a table; the kind is its class in the style, a span stretches its cells."""
  start = f'<td colspan="{span}">' if span > 1 else "<td>"
  body = "".join(f"{start}{escape(cell)}</td>" for cell in cells)
  return f'<tr class="{kind}">{body}</tr>' if kind else f"<tr>{body}</tr>"


def table(headings: Sequence[str], rows: Sequence[str], kind: str = "numbers") -> str:
  """Returns a table from rows made by `row`, which scrolls if it is too wide.

  Args:
    headings: Of its columns.
    rows: Its rows.
    kind: Its class in the style: `numbers`, or `verdicts` whose first column is coloured.
  """
  head = "".join(f'<th scope="col">{escape(text)}</th>' for text in headings)
  return (
    f'<div class="scroll" tabindex="0"><table class="{kind}"><thead><tr>{head}</tr></thead>'
    f"<tbody>{''.join(rows)}</tbody></table></div>"
  )


def facts_table(facts: Sequence[tuple[str, str]]) -> str:
  """Returns a table of names and what there is to say of each."""
  body = "".join(
    f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in facts
  )
  return f'<div class="scroll" tabindex="0"><table><tbody>{body}</tbody></table></div>'


def picture(png: bytes, alternative: str, caption: str) -> str:
  """Returns a figure whose PNG picture is part of the page, at 96 of its 144 dots per inch."""
  data = base64.b64encode(png).decode("ascii")
  width, height = (round(int.from_bytes(png[i : i + 4]) / 1.5) for i in (16, 20))
  return (
    f'<figure style="width: {width}px"><img src="data:image/png;base64,{data}" width="{width}" '
    f'height="{height}" alt="{escape(alternative)}">'
    f"<figcaption>{escape(caption)}</figcaption></figure>"
  )


def pictures(figures: Sequence[str]) -> str:
  """Returns figures made by `picture`, side by side where there is room."""
  return f'<div class="figures">{"".join(figures)}</div>'
