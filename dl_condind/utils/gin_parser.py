"""Statements of gin texts, read by gin's parser within limits of size and time."""

import ast
from collections.abc import Callable
from collections.abc import Iterator
import tokenize
from typing import Any

from gin import config_parser

from dl_condind.utils import errors
from dl_condind.utils import gin_types

MAX_BYTES = 1_000_000
MAX_TOKENS = 100_000


class Allowance:
  """What is left of the size that a configuration may have, its files and bindings together.

  gin's parser takes about 0.03 ms per token and the checks of a binding 0.1 ms, so a
  configuration at the limit is read in seconds.
  """

  def __init__(self):
    self._bytes = MAX_BYTES
    self._tokens = MAX_TOKENS

  def take_bytes(self, number: int, where: str) -> None:
    """Counts the bytes of a text.

    Raises:
      ConfigError: If the configuration has too many.
    """
    self._bytes -= number
    if self._bytes < 0:
      raise _too_large(where, f"{MAX_BYTES:,} bytes")

  def take_tokens(self, number: int, where: Callable[[], str]) -> None:
    """Counts tokens: names, numbers, strings, signs and line ends.

    Raises:
      ConfigError: If the configuration has too many.
    """
    self._tokens -= number
    if self._tokens < 0:
      raise _too_large(
        where(), f"{MAX_TOKENS:,} tokens (names, numbers, strings, signs, line ends)"
      )


def _too_large(where: str, limit: str) -> errors.ConfigError:
  return errors.ConfigError(
    f"{where}: the configuration is too large; its files and bindings together may have {limit}. "
    "Leave out what the run does not need, and keep large arrays in a file of data."
  )


class _Delegate(config_parser.ParserDelegate):
  """Keeps references and macros as text."""

  def configurable_reference(self, scoped_configurable_name, evaluate):
    return gin_types.Reference("@", scoped_configurable_name, "()" if evaluate else "")

  def macro(self, macro_name):
    return gin_types.Reference("%", macro_name, "")


class _Parser(config_parser.ConfigParser):
  """gin's parser, which counts its tokens and joins strings in linear time."""

  def __init__(self, text: str, allowance: Allowance | None, locate: Callable[[int], str]):
    self._allowance = allowance
    self._locate = locate
    super().__init__(text, _Delegate())

  def _advance_one_token(self):
    super()._advance_one_token()
    if self._allowance:
      self._allowance.take_tokens(1, lambda: self._locate(self._current_token.start[0]))

  def _maybe_parse_basic_type(self):
    """Parses a number, name or strings in a row; gin reads all strings again for each of them."""
    if self._current_token.type != tokenize.STRING:
      return super()._maybe_parse_basic_type()
    parts = []
    while self._current_token.type == tokenize.STRING:
      try:
        parts.append(ast.literal_eval(self._current_token.string))
      except (SyntaxError, ValueError) as error:
        self._raise_syntax_error(f"Failed to parse token: {error}")
      self._advance()
    if len({type(part) for part in parts}) > 1:
      self._raise_syntax_error("Cannot mix bytes and text.")
    return True, type(parts[0])().join(parts)


def statements(
  text: str, locate: Callable[[int], str], allowance: Allowance | None = None
) -> Iterator[Any]:
  """Yields the statements of a gin text.

  Args:
    text: The text.
    locate: Number of a line -> what an error message calls the place.
    allowance: The number of tokens it may have, None for any.

  Yields:
    Statements of `gin.config_parser`, references in them as `gin_types.Reference`.

  Raises:
    ConfigError: If the parser trips over anything, or the text has too many tokens.
  """
  parser = None
  try:
    parser = _Parser(text, allowance, locate)
    yield from parser
  except errors.ConfigError:
    raise
  except (SyntaxError, tokenize.TokenError, ValueError, TypeError) as error:
    line = parser.current_token.start[0] if parser else 1
    problem = str(error)
    if isinstance(error, tokenize.TokenError):
      problem = error.args[0]
    elif isinstance(error, SyntaxError):
      line, problem = error.lineno or line, error.msg
    if "Failed to parse token" in problem or "Unable to parse value" in problem:
      statement = (getattr(error, "text", None) or "").strip()[:80]
      problem = (
        f"cannot read the value in {statement!r}: strings need quotes, references an @, "
        "macros a %, and anything else is a literal of Python"
      )
    raise errors.ConfigError(f"{locate(line)}: {' '.join(problem.split()).rstrip('.')}.") from error
  except (RecursionError, MemoryError) as error:
    raise errors.ConfigError(f"{locate(1)}: the values are nested too deeply.") from error
