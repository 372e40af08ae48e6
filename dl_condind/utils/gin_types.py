"""Checks of one gin binding: is there such a parameter, and may it have such a value?"""

import collections.abc
import dataclasses
import inspect
import math
import types
import typing

from gin import config as gin_config
from gin import config_parser

from dl_condind.utils import callable_types
from dl_condind.utils import checks
from dl_condind.utils import errors

MAX_NESTING = 20

MAX_INTEGER = 2**63 - 1

_LITERALS = (bool, int, float, str, list, tuple, dict)


@dataclasses.dataclass(frozen=True, repr=False)
class Reference:
  """A gin reference (`@scope/name`, `@scope/name()`) or macro (`%name`), as it was written."""

  prefix: str
  name: str
  suffix: str

  def __repr__(self) -> str:
    return f"{self.prefix}{self.name}{self.suffix}"

  @property
  def selector(self) -> str:
    """The name without its scopes."""
    return config_parser.parse_scoped_selector(self.name)[1]

  @property
  def is_constant(self) -> bool:
    """Whether a macro stands for a constant of gin, such as `%gin.REQUIRED`."""
    return bool(gin_config._CONSTANTS.matching_selectors(self.name))


def resolve(value: object) -> object:
  """Returns a value in which every `Reference` is replaced by gin's own."""
  if isinstance(value, Reference):
    return gin_config.parse_value(repr(value))
  if isinstance(value, dict):
    return {resolve(key): resolve(item) for key, item in value.items()}
  if isinstance(value, list | tuple):
    return type(value)(resolve(item) for item in value)
  return value


def leaves(value: object, where: str) -> list[object]:
  """Returns the literals and references in a nested value.

  Raises:
    ConfigError: If it is nested too deeply, or a number is too large.
  """
  found, level = [], [value]
  for _ in range(MAX_NESTING):
    inner = []
    for item in level:
      if isinstance(item, dict):
        inner += [*item.keys(), *item.values()]
      elif isinstance(item, list | tuple):
        inner += item
      else:
        found.append(item)
    if not inner:
      break
    level = inner
  else:
    raise errors.ConfigError(f"{where}: the value is nested more than {MAX_NESTING} deep.")
  if any(isinstance(leaf, float) and not math.isfinite(leaf) for leaf in found):
    raise errors.ConfigError(f"{where}: the value is too large for a float.")
  if any(isinstance(leaf, int) and abs(leaf) > MAX_INTEGER for leaf in found):
    raise errors.ConfigError(f"{where}: an integer must be in [-2**63 + 1, 2**63 - 1].")
  return found


def did_you_mean(word: str, candidates: collections.abc.Iterable[str]) -> str:
  """Returns the end of an error message that names the closest candidate, if one is close."""
  close = checks.closest(word, candidates)
  return f"; did you mean {close!r}?" if close else ""


def find_configurable(selector: str, where: str) -> gin_config.Configurable:
  """Returns what is registered with gin under a (partial) name.

  Raises:
    ConfigError: If nothing is, or more than one thing.
  """
  registry = gin_config._REGISTRY  # gin has no public list of its names.
  matches = registry.matching_selectors(selector)
  if len(matches) == 1:
    return registry[matches[0]]
  if matches:
    raise errors.ConfigError(
      f"{where}: {selector!r} is ambiguous, write one of: {', '.join(sorted(matches))}."
    )
  names = {registry.minimal_selector(name) for name, _ in registry.items()}
  names |= {name for name, _ in registry.items()}
  hint = did_you_mean(selector, names) or "; is the `import` of its module missing?"
  raise errors.ConfigError(f"{where}: nothing configurable is called {selector!r}{hint}")


def is_known(selector: str) -> bool:
  """Returns whether something is registered with gin under a (partial) name."""
  return bool(gin_config._REGISTRY.matching_selectors(selector))


def name_of(function: collections.abc.Callable) -> str | None:
  """Returns the shortest gin name of a function or class, None if it has none."""
  known = gin_config._INVERSE_REGISTRY.get(inspect.unwrap(function))
  return known and gin_config._REGISTRY.minimal_selector(known.selector)


def inheritance() -> list[tuple[str, list[str], list[str]]]:
  """Returns the registered classes that inherit from other registered classes.

  Returns:
    Of each: its complete selector, its parameters, and the complete selectors of the classes it
    inherits from, the nearest one first.
  """
  found = []
  for selector, configurable in list(gin_config._REGISTRY.items()):
    if isinstance(configurable.wrapped, type):
      known = (gin_config._INVERSE_REGISTRY.get(base) for base in configurable.wrapped.__mro__[1:])
      ancestors = [base.selector for base in known if base]
      if ancestors:
        parameters = list(inspect.signature(configurable.wrapped).parameters)
        found.append((selector, parameters, ancestors))
  return found


def check_binding(statement: config_parser.BindingStatement, where: str) -> tuple[str, str, str]:
  """Checks a binding's configurable, parameter and type of value.

  A type is that of the parameter's annotation, or else of its default. A reference has the type of
  what it names: that of a function, or with parentheses of what it returns. A macro has any type.

  Returns:
    Scope, complete selector and parameter.

  Raises:
    ConfigError: If one of the three is wrong.
  """
  configurable = find_configurable(statement.selector, where)
  parameter = _find_parameter(configurable, statement, where)
  if parameter is not None:
    _check_value(parameter, statement.value, f"{where}: {statement.selector}", "")
  return statement.scope, configurable.selector, statement.arg_name


def check_macro_value(selector: str, name: str, value: object, macro: str, where: str) -> None:
  """Checks the value that a macro gives to a parameter.

  Args:
    selector: Complete selector of the configurable.
    name: The parameter.
    value: What the macro stands for.
    macro: The macro, for the message.
    where: Place of the binding, for the message.

  Raises:
    ConfigError: If it has the wrong type.
  """
  configurable = gin_config._REGISTRY[selector]
  parameter = inspect.signature(configurable.wrapped).parameters.get(name)
  if parameter is not None:
    selector = gin_config._REGISTRY.minimal_selector(selector)
    _check_value(parameter, value, f"{where}: {selector}", f" from {macro}")


def _check_value(parameter: inspect.Parameter, value: object, owner: str, source: str) -> None:
  expected = _expected_type(parameter)
  if (parameter.default is None and value is None) or _accepts(expected, value):
    return
  if isinstance(value, Reference) and expected is not parameter.annotation:
    return  # A default tells too little of what else may be returned in its place.
  hint = ""
  if isinstance(value, Reference):
    other = dataclasses.replace(value, suffix="" if value.suffix else "()")
    hint = f" Did you mean {other!r}?" if _accepts(expected, other) else ""
  raise errors.ConfigError(
    f"{owner}.{parameter.name} must be {inspect.formatannotation(expected)}, got "
    f"{repr(value)[:80]}{source}.{hint}"
  )


def _find_parameter(
  configurable: gin_config.Configurable, statement: config_parser.BindingStatement, where: str
) -> inspect.Parameter | None:
  """Returns the bound parameter, or None where the configurable takes any."""
  parameters = inspect.signature(configurable.wrapped).parameters
  settable = {
    name: parameter
    for name, parameter in parameters.items()
    if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    and (not configurable.allowlist or name in configurable.allowlist)
    and name not in (configurable.denylist or ())
  }
  name = statement.arg_name
  if name in settable:
    return settable[name]
  if name in parameters:
    raise errors.ConfigError(
      f"{where}: {statement.selector}.{name} is set by the program, not by gin; "
      f"gin may set: {', '.join(settable)}."
    )
  if any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values()):
    return None
  hint = did_you_mean(name, settable) or f"; it has: {', '.join(settable) or 'none'}."
  raise errors.ConfigError(f"{where}: {statement.selector} has no parameter {name!r}{hint}")


def _expected_type(parameter: inspect.Parameter) -> object:
  if parameter.annotation is not parameter.empty and not isinstance(parameter.annotation, str):
    return parameter.annotation
  default_type = type(parameter.default)
  return default_type if default_type in _LITERALS else typing.Any


def _accepts(expected: typing.Any, value: object) -> bool:
  """Returns whether a literal may be the value of a parameter of some type."""
  origin, arguments = typing.get_origin(expected), typing.get_args(expected)
  kind = origin or expected
  if expected is typing.Any:
    return True
  if isinstance(value, Reference):
    return _accepts_reference(expected, value)
  if kind in (typing.Union, types.UnionType):
    return any(_accepts(argument, value) for argument in arguments)
  if kind is typing.Literal:
    return value in arguments
  if isinstance(value, bool):
    return kind in (bool, object)
  if kind is float:
    return isinstance(value, int | float)
  if kind is collections.abc.Mapping and isinstance(value, dict) and arguments:
    return all(_accepts(arguments[0], k) and _accepts(arguments[1], v) for k, v in value.items())
  if kind in callable_types.SEQUENCES:
    items = value if isinstance(value, list | tuple) else ()
    item_types = [argument for argument in arguments if argument is not ...] or [typing.Any]
    accepted = all(any(_accepts(item_type, item) for item_type in item_types) for item in items)
    return isinstance(value, list | tuple) and accepted
  # What is no class (a TypeVar, say) or a protocol allows anything.
  is_class = isinstance(kind, type) and not getattr(kind, "_is_protocol", False)
  return isinstance(value, kind) if is_class else True


def _accepts_reference(expected: object, reference: Reference) -> bool:
  """Returns whether what a reference stands for may be the value of a parameter of some type."""
  if reference.prefix == "%":  # Its value is checked by `check_macro_value`.
    return True
  function = find_configurable(reference.selector, repr(reference)).wrapped
  if reference.suffix:
    return callable_types.is_compatible(expected, callable_types.result_type(function))
  return callable_types.accepts_callable(expected, function)
