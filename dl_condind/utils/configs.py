"""The front door of gin: a mistake in a configuration is one line, and found before anything runs.

gin itself checks no types, runs any module a file imports and lets a second binding of a key pass.
Files are read by gin's parser; the bindings reach gin only after all of them were checked.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import importlib.util  # noqa: F401 (gin 0.5 uses it without importing it)
import os
import pathlib
import tokenize
from typing import Any
from typing import NamedTuple

import gin
from gin import config_parser

import dl_condind
from dl_condind.utils import errors
from dl_condind.utils import gin_cycles
from dl_condind.utils import gin_types

# (scope, complete selector, parameter); of a macro (name, *_MACRO).
_Key = tuple[str, str, str]
_MACRO = ("gin.macro", "value")
_PACKAGE = "dl_condind"


class _Binding(NamedTuple):
  value: object
  leaves: list[object]
  where: str
  from_command_line: bool


class _Delegate(config_parser.ParserDelegate):
  """Keeps references and macros as text."""

  def configurable_reference(self, scoped_configurable_name, evaluate):
    return gin_types.Reference("@", scoped_configurable_name, "()" if evaluate else "")

  def macro(self, macro_name):
    return gin_types.Reference("%", macro_name, "")


def gin_config_folder() -> pathlib.Path:
  """Returns the folder of the configuration files that come with the package.

  It lies in the package, or beside it where the package is installed in editable mode.
  """
  package = pathlib.Path(dl_condind.__file__).parent
  inside = package / "gin_configs"
  return inside if inside.is_dir() else package.parent / "gin_configs"


def parse(
  gin_files: Sequence[str | os.PathLike],
  gin_bindings: Sequence[str] = (),
  trust_gin_imports: bool = False,
  previous_config: str | os.PathLike | None = None,
) -> None:
  """Replaces gin's configuration by that of files and bindings, checks it and locks it.

  A file is looked for as named, then beside the file that includes it, then in
  `gin_config_folder()`. Within one file a key may be bound once; later files, including files and
  `gin_bindings` override earlier ones.

  Args:
    gin_files: Names of gin files, read in this order.
    gin_bindings: gin statements, such as `"vae.beta = 4."`, read after the files.
    trust_gin_imports: Whether `import` lines may run modules that are not part of this package.
    previous_config: The configuration saved by an earlier stage, whose `import` lines are read
      before the files if they are trusted.

  Raises:
    ConfigError: If a file cannot be read, or a statement in it is not valid.
  """
  gin.clear_config()
  reader = _Reader(trust_gin_imports)
  if previous_config is not None and trust_gin_imports:
    reader.read_text("\n".join(foreign_imports(previous_config)), pathlib.Path(previous_config))
  for name in gin_files:
    reader.read_file(os.fspath(name))
  for binding in gin_bindings:
    reader.read_text(binding, None)
  _check_macros(reader.bindings)
  gin_cycles.check(reader.bindings)
  _check_macro_values(reader.bindings)
  for key, binding in reader.bindings.items():
    gin.bind_parameter(key, gin_types.resolve(binding.value))
  try:
    gin.finalize()
  except ValueError as error:  # A parameter was left at %gin.REQUIRED.
    gin.clear_config()
    raise errors.ConfigError(str(error).splitlines()[0]) from error


def config_text() -> str:
  """Returns gin's operative configuration, as a gin file that can be parsed again."""
  return gin.operative_config_str()


def operative_config() -> dict[str, str]:
  """Returns gin's operative configuration as gin key to gin value, both as text.

  For example `{"vae.beta": "4.0", "model.model": "@vae()", "dataset.name": "'dsprites_full'"}`.
  """
  statements = _binding_statements(config_text(), lambda line: f"operative configuration:{line}")
  return {_key_text(statement): repr(statement.value) for statement in statements}


def query(config_file: str | os.PathLike, key: str) -> object:
  """Reads the value of one binding from a configuration that was saved with a result.

  Args:
    config_file: A saved configuration, such as `model/results/gin/train.gin`.
    key: A gin key, such as `"dataset.name"`.

  Returns:
    The value as Python's; a reference or macro as its text.

  Raises:
    ConfigError: If the file cannot be read, or does not bind the key.
  """
  for statement in _binding_statements(_read(config_file), lambda line: f"{config_file}:{line}"):
    if _key_text(statement) == key:
      is_reference = isinstance(statement.value, gin_types.Reference)
      return repr(statement.value) if is_reference else statement.value
  raise errors.ConfigError(f"{config_file} does not bind {key}: is it the right file?")


def foreign_imports(config_file: str | os.PathLike) -> list[str]:
  """Returns the `import` lines of a saved configuration that name modules of other packages.

  Raises:
    ConfigError: If the file cannot be read.
  """
  statements = _statements(_read(config_file), lambda line: f"{config_file}:{line}")
  return [
    statement.format()
    for statement in statements
    if isinstance(statement, config_parser.ImportStatement) and _is_foreign(statement)
  ]


def _is_foreign(statement: config_parser.ImportStatement) -> bool:
  return statement.module.partition(".")[0] != _PACKAGE


def bound_keys() -> list[str]:
  """Returns the keys that gin's configuration binds, macros excepted."""
  statements = _binding_statements(gin.config_str(), lambda line: f"configuration:{line}")
  return [_key_text(statement) for statement in statements if statement.arg_name]


def bound(key: str) -> object:
  """Returns the value that gin's configuration binds to a key, None if it binds none."""
  try:
    return gin.query_parameter(key)
  except ValueError:
    return None


class _Reader:
  """Reads statements and collects their bindings, of which the last of a key counts."""

  def __init__(self, trust_gin_imports: bool):
    self.bindings: dict[_Key, _Binding] = {}
    self._trust_gin_imports = trust_gin_imports

  def read_file(self, name: str, including: Sequence[pathlib.Path] = (), where: str = "") -> None:
    """Reads a file that was named on the command line or (`where`) in the last of `including`."""
    path = _find(name, including, where)
    if path.resolve() in [file.resolve() for file in including]:
      raise errors.ConfigError(f"{where}: {path} includes itself, directly or through others.")
    if len(including) > gin_types.MAX_NESTING:
      raise errors.ConfigError(
        f"{where}: files include files more than {gin_types.MAX_NESTING} deep."
      )
    self.read_text(_read(path), path, including)

  def read_text(
    self, text: str, path: pathlib.Path | None, including: Sequence[pathlib.Path] = ()
  ) -> None:
    """Reads the text of a file or, where path is None, of the command line."""
    locate = (
      (lambda line: f"{path}:{line}") if path else (lambda line: f"--gin_bindings={text[:80]!r}")
    )
    lines = {}
    for statement in _statements(text, locate):
      line = statement.location.line_num
      if isinstance(statement, config_parser.IncludeStatement):
        self.read_file(statement.filename, [*including, path] if path else [], locate(line))
      elif isinstance(statement, config_parser.ImportStatement):
        self._import(statement, locate(line))
      elif isinstance(statement, config_parser.BlockDeclaration):
        gin_types.find_configurable(statement.selector, locate(line))
      else:
        key = self._bind(statement, locate(line), from_command_line=path is None)
        if path and key in lines:
          raise errors.ConfigError(
            f"{locate(line)}: {_key_text(statement)} was already set on line {lines[key]}."
          )
        lines[key] = line

  def _bind(
    self, statement: config_parser.BindingStatement, where: str, from_command_line: bool
  ) -> _Key:
    leaves = gin_types.leaves(statement.value, where)
    for leaf in leaves:
      if isinstance(leaf, gin_types.Reference) and leaf.prefix == "@":
        gin_types.find_configurable(leaf.selector, where)
    if statement.arg_name:
      key = gin_types.check_binding(statement, where)
    else:
      key = (_key_text(statement), *_MACRO)
    self.bindings[key] = _Binding(statement.value, leaves, where, from_command_line)
    return key

  def _import(self, statement: config_parser.ImportStatement, where: str) -> None:
    line = statement.format()
    package = statement.module.partition(".")[0]
    if package == "__gin__":
      raise errors.ConfigError(f"{where}: gin's dynamic registration is not supported.")
    if _is_foreign(statement) and not self._trust_gin_imports:
      raise errors.ConfigError(
        f"{where}: `{line}` would run code that is not dl_condind's; allow it by "
        "--trust_gin_imports."
      )
    try:
      gin.parse_config(line)  # So that gin's operative configuration repeats the line.
    except ImportError as error:
      problem = str(error).splitlines()[0]
      hint = ""
      if isinstance(error, ModuleNotFoundError) and _is_foreign(statement):
        hint = " PYTHONPATH must name the folder of the module."
      raise errors.ConfigError(f"{where}: `{line}` failed: {problem}.{hint}") from error


def _find(name: str, including: Sequence[pathlib.Path], where: str) -> pathlib.Path:
  folders = [pathlib.Path(), *(file.parent for file in including[-1:]), gin_config_folder()]
  for folder in folders:
    if os.path.isfile(folder / name):
      return folder / name
  searched = ", ".join(str(folder) for folder in dict.fromkeys(folders))
  prefix = f"{where}: " if where else ""
  raise errors.ConfigError(f"{prefix}no gin file {name!r}; looked in: {searched}.")


def _read(path: str | os.PathLike) -> str:
  try:
    return pathlib.Path(path).read_text(encoding="utf-8-sig")
  except OSError as error:
    raise errors.ConfigError(f"Cannot read {path}: {error.strerror}.") from error
  except UnicodeDecodeError as error:
    raise errors.ConfigError(
      f"{path} is not a gin file: byte {error.start} is not UTF-8."
    ) from error


def _statements(text: str, locate: Callable[[int], str]) -> Iterator[Any]:
  """Yields the statements of a gin text; whatever the parser trips over is a ConfigError."""
  parser = None
  try:
    parser = config_parser.ConfigParser(text, _Delegate())
    yield from parser
  except (SyntaxError, tokenize.TokenError, ValueError, TypeError) as error:
    line = parser.current_token.start[0] if parser else 1
    problem = str(error)
    if isinstance(error, tokenize.TokenError):
      problem = error.args[0]
    elif isinstance(error, SyntaxError):
      line, problem = error.lineno or line, error.msg
    if "Failed to parse token" in problem or "Unable to parse value" in problem:
      problem = (
        f"cannot read the value in {(error.text or '').strip()[:80]!r}: strings need quotes, "
        "references an @, macros a %, and anything else is a literal of Python"
      )
    raise errors.ConfigError(f"{locate(line)}: {' '.join(problem.split()).rstrip('.')}.") from error
  except (RecursionError, MemoryError) as error:
    raise errors.ConfigError(f"{locate(1)}: the values are nested too deeply.") from error


def _binding_statements(text: str, locate: Callable[[int], str]) -> list[Any]:
  statements = _statements(text, locate)
  return [s for s in statements if isinstance(s, config_parser.BindingStatement)]


def _key_text(statement: config_parser.BindingStatement) -> str:
  scope = f"{statement.scope}/" if statement.scope else ""
  parameter = f".{statement.arg_name}" if statement.arg_name else ""
  return f"{scope}{statement.selector}{parameter}"


def _check_macros(bindings: dict[_Key, _Binding]) -> None:
  """Checks that every macro is defined, and used if given by hand."""
  defined = {key[0] for key in bindings if key[1:] == _MACRO}
  used = set()
  for binding in bindings.values():
    for leaf in binding.leaves:
      if not isinstance(leaf, gin_types.Reference) or leaf.prefix != "%" or leaf.is_constant:
        continue
      if leaf.name not in defined:
        hint = gin_types.did_you_mean(leaf.name, defined) or "."
        raise errors.ConfigError(f"{binding.where}: macro %{leaf.name} is not defined{hint}")
      used.add(leaf.name)
  for name in sorted(defined - used):
    binding = bindings[(name, *_MACRO)]
    if binding.from_command_line:
      raise errors.ConfigError(
        f"{binding.where}: no value uses macro %{name}; did you mean a parameter of something?"
      )


def _check_macro_values(bindings: dict[_Key, _Binding]) -> None:
  """Checks the type of each parameter whose value is a macro. None of them refers to itself."""
  for (_, selector, parameter), binding in bindings.items():
    value = binding.value
    while isinstance(value, gin_types.Reference) and value.prefix == "%" and not value.is_constant:
      value = bindings[(value.name, *_MACRO)].value
    if value is not binding.value:
      gin_types.check_macro_value(selector, parameter, value, repr(binding.value), binding.where)
