from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import enum
import pathlib
from typing import Any
from typing import Literal
from typing import Protocol
from typing import TypeVar

import gin
from gin import config_parser
import pytest

from dl_condind.utils import errors
from dl_condind.utils import gin_types


class Color(enum.Enum):
  RED = 1


class Convention(Protocol):
  def __call__(self) -> int: ...


@gin.register(module="probe.types")
def probe_types(
  text: Literal["mean", "sampled"] = "mean",
  fn: Callable[[int], int] | None = None,
  number: int | float = 1,
  pair: tuple[int, str] = (1, "a"),
  color: Color = Color.RED,
  anything: Any = None,
  variable: TypeVar("T") = None,
  convention: Convention | None = None,
  quoted: "no.such.Type" = 3,  # noqa: F821
  required: int = gin.REQUIRED,
  nullable: int = None,  # noqa: RUF013
  table: dict[str, int] = None,  # noqa: RUF013
  path: pathlib.Path = pathlib.Path(),
  mapping: Mapping[str, int | Sequence[int]] | None = None,
  plain_list=(),
  plain_function=len,
):
  del text, fn, number, pair, color, anything, variable, convention, quoted, required, nullable
  del table, path, mapping, plain_list, plain_function


@gin.register(module="probe.types", allowlist=["first"])
def probe_allowlist(first=1, second=2):
  del first, second


@gin.register(module="probe.types")
def probe_keywords(first=1, **others):
  del first, others


@gin.register(module="probe.types")
def probe_increment(number: int, step: int = 1) -> int:
  return number + step


@gin.register(module="probe.types")
def probe_length(text: str) -> int:
  return len(text)


@gin.register(module="probe.types")
def probe_name() -> str:
  return "name"


@gin.register(module="probe.types")
class ProbeCallable:
  def __init__(self, number: int = 0):
    self.number = number

  def __call__(self, number):
    return number


def reference(text):
  return gin_types.Reference("@", text.removesuffix("()"), "()" if text.endswith("()") else "")


def check(name, value, configurable="probe_types"):
  statement = config_parser.BindingStatement("", configurable, name, value, None)
  return gin_types.check_binding(statement, "a.gin:1")


@pytest.mark.parametrize(
  ("name", "value"),
  [
    ("text", "sampled"),
    ("fn", None),
    ("fn", gin_types.Reference("@", "probe_keywords", "")),
    ("number", 1.5),
    ("number", 2),
    ("pair", [2, "b"]),
    ("anything", [1, "x", None]),
    ("variable", 3),
    ("convention", None),
    ("quoted", 4),
    ("required", 3),
    ("nullable", None),
    ("nullable", 3),
    ("table", {"a": 1}),
    ("plain_list", [1, "x"]),
    ("plain_function", gin_types.Reference("@", "probe_keywords", "")),
    ("fn", reference("probe_increment")),
    ("fn", reference("ProbeCallable()")),
    ("anything", reference("ProbeCallable")),
    ("required", reference("probe_length()")),
    ("required", reference("probe_keywords()")),
    ("number", reference("probe_length()")),
    ("text", reference("probe_name()")),
    ("quoted", reference("probe_name")),
    ("table", {}),
  ],
)
def test_value_of_right_type(name, value):
  assert check(name, value) == ("", "probe.types.probe_types", name)


@pytest.mark.parametrize(
  ("name", "value", "expected"),
  [
    ("text", "median", "Literal['mean', 'sampled']"),
    ("text", 1, "Literal"),
    ("fn", 3, "Callable"),
    ("number", "1", "int | float"),
    ("number", True, "int | float"),
    ("pair", (1, 2.5), "tuple[int, str]"),
    ("color", "RED", "Color"),
    ("quoted", "x", "int"),
    ("required", 1.0, "int"),
    ("nullable", "3", "int"),
    ("table", [1], "dict[str, int]"),
    ("fn", reference("probe_length"), "Callable[[int], int]"),
    ("fn", reference("probe_name"), "Callable[[int], int]"),
    ("fn", reference("ProbeCallable"), "Callable[[int], int]"),
    ("fn", reference("probe_increment()"), "Callable"),
    ("required", reference("probe_name()"), "int"),
    ("required", reference("ProbeCallable()"), "int"),
    ("required", reference("probe_name"), "int"),
    ("nullable", reference("probe_name()"), "int"),
    ("pair", [1, reference("ProbeCallable()")], "tuple[int, str]"),
    ("mapping", {"a": "b"}, "Mapping[str, int | collections.abc.Sequence[int]]"),
    ("mapping", {1: 2}, "Mapping"),
    ("mapping", {"a": [[1]]}, "Mapping"),
    ("path", "x", "Path"),
    ("plain_list", 3, "tuple"),
  ],
)
def test_value_of_wrong_type(name, value, expected):
  with pytest.raises(errors.ConfigError) as caught:
    check(name, value)
  assert f"probe_types.{name} must be " in str(caught.value)
  assert expected in str(caught.value)
  assert f"got {value!r}." in str(caught.value)


def test_allowlist():
  assert check("first", 3, "probe_allowlist")[2] == "first"
  with pytest.raises(
    errors.ConfigError, match="set by the program, not by gin; gin may set: first"
  ):
    check("second", 3, "probe_allowlist")


def test_function_of_any_keywords():
  assert check("whatever", 3, "probe_keywords")[2] == "whatever"
  with pytest.raises(errors.ConfigError, match="first must be int"):
    check("first", "x", "probe_keywords")


def test_leaves():
  assert gin_types.leaves({1: [2, (3, {})]}, "") == [1, 2, 3]
  value = 1
  for _ in range(gin_types.MAX_NESTING):
    value = [value]
  with pytest.raises(errors.ConfigError, match="x: the value is nested more than 20 deep"):
    gin_types.leaves(value, "x")
  assert gin_types.leaves(value[0], "x") == [1]


def test_constants():
  assert gin_types.Reference("%", "gin.REQUIRED", "").is_constant
  assert not gin_types.Reference("%", "units", "").is_constant
