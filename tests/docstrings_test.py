"""The examples in docstrings print what they say."""

import doctest
import importlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
MODULES = sorted(
  path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
  for path in (ROOT / "dl_condind").rglob("*.py")
  if ">>> " in path.read_text(encoding="utf-8")
)


def test_there_are_examples():
  assert {"dl_condind.posteriors.equicorrelated", "dl_condind.runs.data"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
  results = doctest.testmod(importlib.import_module(name))
  assert results.attempted
  assert not results.failed
