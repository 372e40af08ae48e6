"""Reading JSON objects from files that may be damaged, hostile or something else."""

from collections.abc import Callable
import json
import os
import pathlib


def parse(text: str | bytes, nan_is_none: bool = False) -> dict[str, object]:
  """Returns the JSON object that a text is.

  Args:
    text: The text; bytes are UTF-8.
    nan_is_none: Whether NaN and infinity, which are not JSON but which some programs write, stand
      for None. Otherwise they are an error.

  Raises:
    ValueError: If the text is not such an object, whatever else it is. The message has one line.
  """
  if isinstance(text, bytes):
    text = text.decode("utf-8")
  constant: Callable = _none if nan_is_none else _refuse
  try:
    found = json.loads(text, parse_constant=constant)
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


def _none(_: str) -> None:
  return None


def _refuse(constant: str) -> None:
  raise ValueError(f"{constant} is not JSON")
