import base64
import re

from dl_condind.reports import page


def test_text_is_escaped():
  assert page.escape("<b> & \"c\" 'd' Größe") == "&lt;b&gt; &amp; &quot;c&quot; &#x27;d&#x27; Größe"
  hostile = "<script>alert(1)</script>"
  parts = [
    page.section(hostile, page.heading(hostile)),
    page.paragraphs([hostile]),
    page.note(hostile),
    page.banner(hostile),
    page.bullets([hostile]),
    page.commands([hostile]),
    page.details(hostile),
    page.table([hostile], [page.row([hostile]), page.row([hostile], "setting", 2)]),
    page.facts_table([(hostile, hostile)]),
    page.picture(b"\x89PNG" + bytes(20), f'"{hostile}', hostile),
    page.document(hostile, [hostile], []),
  ]
  assert all("<script" not in part and "&lt;script" in part for part in parts)
  assert 'alt="&quot;' in parts[-2]


def test_names_that_are_not_text_can_be_written():
  name = b"r\xe9sum\xe9".decode("utf-8", "surrogateescape")
  assert page.escape(name) == "r\\udce9sum\\udce9"
  page.document(name, [name], []).encode("utf-8")


def test_document_allows_nothing_from_elsewhere():
  text = page.document("t", ["i"], ["<section></section>"])
  (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
  assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
  assert text.index("Content-Security-Policy") < text.index("<style>")
  assert text.startswith("<!DOCTYPE html>")
  assert not re.search(r"https?:|//|url\(|@import|<script|<link", text)


def test_picture_holds_its_bytes_and_size():
  png = b"\x89PNG\r\n\x1a\n" + bytes(8) + (1500).to_bytes(4) + (300).to_bytes(4) + b"rest"
  text = page.picture(png, "alt", "caption")
  (data,) = re.findall(r'src="data:image/png;base64,([^"]*)"', text)
  assert base64.b64decode(data) == png
  assert 'width="1000" height="200"' in text
