"""Checks of settings, and the hint at a misspelt name."""

from collections.abc import Iterable
import difflib

from dl_condind.utils import errors


def check_in(name: str, value: float, lowest: float, highest: float) -> None:
  """Checks that a setting lies between two bounds, which are allowed too.

  Args:
    name: What the error calls the setting, such as "model.batch_size".
    value: The setting.
    lowest: Least value allowed.
    highest: Greatest value allowed.

  Raises:
    ConfigError: If it does not.
  """
  if not lowest <= value <= highest:
    bounds = ", ".join(f"{b:g}" if isinstance(b, float) else str(b) for b in (lowest, highest))
    raise errors.ConfigError(f"{name} must be in [{bounds}], got {value}.")


def closest(word: str, candidates: Iterable[str], cutoff: float = 0.6) -> str | None:
  """Returns the candidate that is most like a word, or None if none is like it.

  Args:
    word: What was written.
    candidates: What could be meant.
    cutoff: Least similarity, in [0, 1].

  >>> closest("dsprite", ["cars3d", "dsprites_full"])
  'dsprites_full'
  """
  return next(iter(difflib.get_close_matches(word, sorted(candidates), n=1, cutoff=cutoff)), None)
