import pytest

from dl_condind.utils import errors
from dl_condind.utils import gin_parser


def values_of(text):
  return [statement.value for statement in gin_parser.statements(text, "line {}".format)]


def test_strings_in_a_row_are_one_as_in_python():
  assert values_of("a.b = 'x' \"y\" '''z'''\n") == ["xyz"]
  assert values_of("a.b = ['x' 'y', 'z']\n") == [["xy", "z"]]
  assert values_of("a.b = ('x'\n  'y'\n)\n") == ["xy"]
  assert values_of("a.b = b'x' b'y'\n") == [b"xy"]
  with pytest.raises(errors.ConfigError, match="line 1: Cannot mix bytes and text"):
    values_of("a.b = b'x' 'y'\n")


def test_other_values_are_those_of_gin():
  assert values_of("a.b = -1\na.c = True\nd = [1, (2,), {'x': None}]\n") == [
    -1,
    True,
    [1, (2,), {"x": None}],
  ]


def test_long_row_of_strings_takes_time_in_proportion():
  # gin evaluates all strings before each one again, which would take hours here.
  num = gin_parser.MAX_TOKENS // 2
  assert values_of("a.b = " + " ".join(['"xy"'] * num) + "\n") == ["xy" * num]


def test_tokens_of_all_texts_are_counted_together():
  allowance = gin_parser.Allowance()
  text = "a.b = [" + "1," * (gin_parser.MAX_TOKENS // 4) + "]\n"
  assert len(list(gin_parser.statements(text, "line {}".format, allowance))) == 1
  with pytest.raises(errors.ConfigError, match=r"line 1: .* too large; .* may have 100,000 tokens"):
    list(gin_parser.statements(text, "line {}".format, allowance))
