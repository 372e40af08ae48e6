"""The page: a template, a style and two scripts, filled with the facts of models."""

import base64
from collections.abc import Sequence
import hashlib
import html
import importlib.resources
import json
import string
from typing import Any

_SCRIPTS = ("decoder.js", "page.js")


def render(models: Sequence[dict[str, Any]]) -> str:
  """Returns the page, whose policy forbids everything from elsewhere.

  Args:
    models: The facts of each model; see `vae_facts` and `infogan_facts`. Models with the same
      images share them.
  """
  image_sets: list[list[str]] = []
  described = []
  for model in models:
    images = model["images"]
    if images is not None and images not in image_sets:
      image_sets.append(images)
    described.append(model | {"images": None if images is None else image_sets.index(images)})
  script = "\n".join(_read(name) for name in _SCRIPTS)
  digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
  # A script's text ends at the first "</", whatever it is part of.
  data = json.dumps({"models": described, "image_sets": image_sets}, allow_nan=False)
  return string.Template(_read("page.html")).substitute(
    title=html.escape(" and ".join(model["title"] for model in models)),
    policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
    style=_read("page.css"),
    data=data.replace("<", "\\u003c"),
    script=script,
  )


def _read(name: str) -> str:
  folder = importlib.resources.files("dl_condind.explorer").joinpath("page_files")
  return folder.joinpath(name).read_text(encoding="utf-8")
