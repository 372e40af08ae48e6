"""Reading JSON objects from files that may be damaged, hostile or something else."""

from collections.abc import Callable
import json
import os
import pathlib
import re
import sys
from typing import Any

_LARGE = re.compile(r"[eE]\+?\d{3}|\d{309}")  # What may be more than a float can hold.

_Constant = Callable[[str], float | None]


def parse(text: str | bytes, nan_is_none: bool = False) -> dict[str, object]:
  """Returns the JSON object that a text is.

  Args:
    text: The text; bytes are UTF-8.
    nan_is_none: Whether NaN and infinity, which are not JSON but which some programs write, and
      numbers that overflow stand for None. Otherwise they are an error.

  Raises:
    ValueError: If the text is not such an object, whatever else it is. The message has one line.
  """
  if isinstance(text, bytes):
    text = text.decode("utf-8")
  no_number: _Constant = _none if nan_is_none else _refuse
  numbers: dict[str, Any] = {}
  if _LARGE.search(text):  # Seldom: a function of Python for each number is slow.
    numbers = {
      "parse_float": lambda digits: _finite(float(digits), digits, no_number),
      "parse_int": lambda digits: _finite(int(digits), digits, no_number),
    }
  try:
    found = json.loads(text, parse_constant=no_number, **numbers)
  except RecursionError as error:
    raise ValueError("nested too deeply") from error
  if not isinstance(found, dict):
    raise ValueError("no object")
  if "\\ud" in text.lower():  # Half a surrogate pair is a string that nobody can write.
    json.dumps(found, ensure_ascii=False).encode("utf-8")
  return found


def read(path: str | os.PathLike, nan_is_none: bool = False) -> dict[str, object]:
  """Returns the JSON object that a file holds; arguments and errors as `parse`.

  Raises:
    OSError: If the file cannot be read.
  """
  return parse(pathlib.Path(path).read_bytes(), nan_is_none)


def _finite(value: float, digits: str, no_number: _Constant) -> float | None:
  return value if abs(value) <= sys.float_info.max else no_number(digits[:20])


def _none(_: str) -> None:
  return None


def _refuse(text: str) -> None:
  raise ValueError(f"{text} is not a finite number")
