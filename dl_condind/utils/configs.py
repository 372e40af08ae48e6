"""The front door of gin: a mistake in a configuration is one line, and found before anything runs.

gin itself checks no types, runs any module a file imports and lets a second binding of a key pass.
Files are read by gin's parser; the bindings reach gin only after all of them were checked.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import os
from typing import Any
from typing import NamedTuple

import gin
from gin import config_parser

from dl_condind.utils import errors
from dl_condind.utils import gin_cycles
from dl_condind.utils import gin_parser
from dl_condind.utils import gin_scopes
from dl_condind.utils import gin_texts
from dl_condind.utils import gin_types

# (scope, complete selector, parameter); of a macro (name, *_MACRO).
_Key = tuple[str, str, str]
_MACRO = ("gin.macro", "value")
_PACKAGE = "dl_condind"


class Config(NamedTuple):
  """What a stage was made with.

  Attributes:
    values: gin key to gin value, both as text, such as `{"vae.beta": "4.0", "model.model":
      "@vae()", "dataset.name": "'dsprites_full'"}`.
    text: The same as a gin file that can be parsed again.
  """

  values: dict[str, str]
  text: str

  def replaced(self, changes: Mapping[str, str | None]) -> "Config":
    """Returns the configuration with other values of some keys.

    Args:
      changes: gin key, whose statement is one line of the text -> gin value as text, or None to
        leave the key out.
    """
    lines = []
    for line in self.text.splitlines(keepends=True):
      key = line.partition(" = ")[0]
      if key not in changes:
        lines.append(line)
      elif changes[key] is not None:
        lines.append(f"{key} = {changes[key]}\n")
    values = {**self.values, **changes}
    return Config({k: v for k, v in values.items() if v is not None}, "".join(lines))


class _Binding(NamedTuple):
  value: object
  leaves: list[object]
  where: str
  from_command_line: bool


def parse(
  gin_files: Sequence[str | os.PathLike],
  gin_bindings: Sequence[str] = (),
  trust_gin_imports: bool = False,
  previous_config: str | os.PathLike | None = None,
) -> None:
  """Replaces gin's configuration by that of files and bindings, checks it and locks it.

  A file is looked for as named, then beside the file that includes it, then in
  `gin_texts.gin_config_folder()`. Within one file a key has one value; later files, including files
  and `gin_bindings` override earlier ones. What is bound under a scope must be able to take effect,
  see `gin_scopes`, unless modules of other packages are imported.

  Args:
    gin_files: Names of gin files, read in this order.
    gin_bindings: gin statements, such as `"vae.beta = 4."`, read after the files.
    trust_gin_imports: Whether `import` lines may run modules that are not part of this package.
    previous_config: The configuration saved by an earlier stage, whose `import` lines are read
      before the files if they are trusted.

  Raises:
    ConfigError: If a file cannot be read, a statement in it is not valid, or the configuration is
      larger than `gin_parser.MAX_BYTES` or `MAX_TOKENS`.
  """
  gin.clear_config()
  reader = _Reader(trust_gin_imports)
  if previous_config is not None and trust_gin_imports:
    reader.read([], foreign_imports(previous_config))
  reader.read(gin_files, gin_bindings)
  _check_macros(reader.bindings)
  gin_cycles.check(reader.bindings)
  if not reader.has_foreign_code:  # Which may open scopes itself.
    gin_scopes.check(reader.bindings, reader.overridden)
  _check_macro_values(reader.bindings)
  for key, binding in _with_inherited(reader.bindings).items():
    gin.bind_parameter(key, gin_types.resolve(binding.value))
  try:
    gin.finalize()
  except ValueError as error:  # A parameter was left at %gin.REQUIRED.
    gin.clear_config()
    raise errors.ConfigError(str(error).splitlines()[0]) from error


def operative() -> Config:
  """Returns gin's operative configuration: the parameters of what was called so far."""
  text = gin.operative_config_str()
  return Config(values_of(text), text)


def values_of(text: str) -> dict[str, str]:
  """Returns the keys and values that gin statements bind, both as text."""
  statements = _binding_statements(text, lambda line: f"configuration:{line}")
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
  text = gin_texts.read(config_file)
  for statement in _binding_statements(text, lambda line: f"{config_file}:{line}"):
    if _key_text(statement) == key:
      is_reference = isinstance(statement.value, gin_types.Reference)
      return repr(statement.value) if is_reference else statement.value
  raise errors.ConfigError(f"{config_file} does not bind {key}: is it the right file?")


def foreign_imports(config_file: str | os.PathLike) -> list[str]:
  """Returns the `import` lines of a saved configuration that name modules of other packages.

  Raises:
    ConfigError: If the file cannot be read.
  """
  statements = gin_parser.statements(
    gin_texts.read(config_file), lambda line: f"{config_file}:{line}"
  )
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
  """Reads statements and collects their bindings, of which the last of a key counts.

  Attributes:
    bindings: What counts.
    overridden: The literals and references in what does not.
    has_foreign_code: Whether modules of other packages were imported.
  """

  def __init__(self, trust_gin_imports: bool):
    self.bindings: dict[_Key, _Binding] = {}
    self.overridden: list[object] = []
    self.has_foreign_code = False
    self._trust_gin_imports = trust_gin_imports

  def read(self, names: Sequence[str | os.PathLike], gin_bindings: Sequence[str]) -> None:
    """Reads files and bindings."""
    firsts: dict[tuple[gin_texts.Source, _Key], tuple[int, object]] = {}
    for statement, source in gin_texts.statements(names, gin_bindings):
      line = statement.location.line_num
      where = source.where(line)
      if isinstance(statement, config_parser.ImportStatement):
        self._import(statement, where)
      elif isinstance(statement, config_parser.BlockDeclaration):
        gin_types.find_configurable(statement.selector, where)
      else:
        key = self._bind(statement, where, from_command_line=source.path is None)
        first, value = firsts.setdefault((source, key), (line, statement.value))
        if source.path and repr(value) != repr(statement.value):
          raise errors.ConfigError(
            f"{where}: {_key_text(statement)} was already set on line {first}, to another value."
          )

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
    if key in self.bindings:
      self.overridden += self.bindings[key].leaves
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
        "trust_gin_imports=True."
      )
    self.has_foreign_code |= _is_foreign(statement)
    try:
      gin.parse_config(line)  # So that gin's operative configuration repeats the line.
    except ImportError as error:
      problem = str(error).splitlines()[0]
      hint = ""
      if isinstance(error, ModuleNotFoundError) and _is_foreign(statement):
        hint = " PYTHONPATH must name the folder of the module."
      raise errors.ConfigError(f"{where}: `{line}` failed: {problem}.{hint}") from error


def _binding_statements(text: str, locate: Callable[[int], str]) -> list[Any]:
  statements = gin_parser.statements(text, locate)
  return [s for s in statements if isinstance(s, config_parser.BindingStatement)]


def _key_text(statement: config_parser.BindingStatement) -> str:
  scope = f"{statement.scope}/" if statement.scope else ""
  parameter = f".{statement.arg_name}" if statement.arg_name else ""
  return f"{scope}{statement.selector}{parameter}"


def _with_inherited(bindings: dict[_Key, _Binding]) -> dict[_Key, _Binding]:
  """Returns bindings, and for classes those of the registered classes that they inherit from.

  In disentanglement_lib a class inherits the constructor that gin has wrapped, so that
  `group_vae.beta` is the beta of `group_vae_argmax` unless it has one of its own.
  """
  found = dict(bindings)
  for heir, parameters, ancestors in gin_types.inheritance():
    for ancestor in ancestors:  # The nearest one first, which goes before the others.
      for (scope, selector, parameter), binding in bindings.items():
        if selector == ancestor and parameter in parameters:
          found.setdefault((scope, heir, parameter), binding)
  return found


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
