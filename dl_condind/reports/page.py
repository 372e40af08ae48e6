"""Fills the templates of a report: one self-contained page, with nothing from elsewhere."""

import base64
import hashlib
import pathlib

from dl_condind.utils import errors

try:
  import jinja2
  import markupsafe
except ImportError as error:
  raise errors.ConfigError(
    "A report needs Jinja2, which is not installed: run `pip install jinja2`, or `pip install "
    "'.[report]'` in a clone of the repository."
  ) from error

_TEMPLATES = pathlib.Path(__file__).parent / "templates"


def render(**context: object) -> str:
  """Returns the page; the context is what `templates/page.html` names.

  Everything in it is text and is escaped. The policy of the page lets only its own script run.
  Names that are not text, as file systems allow, are written with backslashes.
  """
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_TEMPLATES, encoding="utf-8"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  style, script = (
    (_TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "page.js")
  )
  digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
  text = environment.get_template("page.html").render(
    style=markupsafe.Markup(style),
    script=markupsafe.Markup(script),
    script_digest=digest,
    **context,
  )
  return text.encode("utf-8", "backslashreplace").decode("utf-8")
