"""Checks that what a gin configuration binds under a scope can take effect.

gin reads `vae/AdamOptimizer.learning_rate` only where a reference opens that scope, as
`@vae/AdamOptimizer` does. If none does, the default is taken without a word.
"""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from gin import config_parser

from dl_condind.utils import errors
from dl_condind.utils import gin_types

_Scope = tuple[str, ...]


def check(bindings: Mapping[tuple[str, str, str], Any], overridden: Iterable[object]) -> None:
  """Checks that every scope under which something is bound is opened by a reference.

  A scope that only an overridden value opened may stay without use: whoever replaces
  `@vae/AdamOptimizer` by `@RMSPropOptimizer` need not take the settings of Adam back. It may not if
  what is bound under it is used elsewhere without any setting, as by `@group_vae/AdamOptimizer`.

  Args:
    bindings: (scope, complete selector, parameter) -> what is bound, with the attributes `leaves`
      (the references among its parts) and `where`.
    overridden: The leaves of values that later ones replaced.

  Raises:
    ConfigError: If a scope is not opened, or a setting of optimizers that is given by hand is
      overridden in the scope of each.
  """
  references = [leaf for binding in bindings.values() for leaf in binding.leaves]
  opened = _opened(references)
  once_opened = _opened(overridden)
  _check_unscoped(bindings, references)
  bound = {(_parts(scope), selector) for scope, selector, _ in bindings}
  plain = {selector for scope, selector in bound if not scope}
  for (scope, selector, parameter), binding in bindings.items():
    parts = _parts(scope)
    is_macro = selector == "gin.macro"
    if not parts or is_macro or _is_prefix(parts, opened):
      continue
    is_missed = selector not in plain and _is_used_bare(selector, references, bound)
    if _is_prefix(parts, once_opened) and not is_missed:
      continue
    name = selector.rpartition(".")[2]
    raise errors.ConfigError(
      f"{binding.where}: {scope}/{name}.{parameter} has no effect, for no reference opens the "
      f"scope {scope!r}{_hint(scope, name, opened)}"
    )


def _check_unscoped(
  bindings: Mapping[tuple[str, str, str], Any], references: Iterable[object]
) -> None:
  """Checks that a setting of optimizers by hand is not overridden in the scope of each of them.

  Optimizers are used by reference only; of others it is not known where code calls them.
  """
  for (scope, selector, parameter), binding in bindings.items():
    if scope or not selector.endswith("Optimizer") or not binding.from_command_line:
      continue
    uses = [parts for parts, used in _scopes_of_uses(references) if used == selector]
    inner = [_overriding(parts, selector, parameter, bindings) for parts in uses]
    if inner and all(inner):
      name = selector.rpartition(".")[2]
      raise errors.ConfigError(
        f"{binding.where}: {name}.{parameter} has no effect, since {inner[0]}/{name}.{parameter} "
        "is bound as well: bind that instead."
      )


def _scopes_of_uses(references: Iterable[object]) -> Iterator[tuple[_Scope, str]]:
  """Yields the scope and the complete selector of each reference to a configurable."""
  for leaf in references:
    if isinstance(leaf, gin_types.Reference) and leaf.prefix == "@":
      scope, name = config_parser.parse_scoped_selector(leaf.name)
      yield _parts(scope), gin_types.find_configurable(name, "").selector


def _overriding(
  parts: _Scope, selector: str, parameter: str, bindings: Mapping[tuple[str, str, str], Any]
) -> str:
  """Returns the scope around a use in which a parameter is bound; empty if there is none."""
  scopes = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
  return next((scope for scope in scopes if (scope, selector, parameter) in bindings), "")


def _hint(scope: str, name: str, opened: Collection[_Scope]) -> str:
  names = sorted("/".join(parts) for parts in opened)
  close = gin_types.did_you_mean(scope, names)
  if close:
    return close
  references = ", ".join(f"'{found}'" for found in names)
  others = f" The scopes that are opened: {references}." if names else ""
  return f": refer to it as @{scope}/{name}, or leave the scope out.{others}"


def _opened(leaves: Iterable[object]) -> set[_Scope]:
  """Returns the scopes that references open; that of a macro is its name."""
  found = set()
  for leaf in leaves:
    if isinstance(leaf, gin_types.Reference):
      is_macro = leaf.prefix == "%"
      scope = leaf.name if is_macro else config_parser.parse_scoped_selector(leaf.name)[0]
      found.add(_parts(scope))
  return found - {()}


def _parts(scope: str) -> _Scope:
  return tuple(scope.split("/")) if scope else ()


def _is_prefix(scope: _Scope, scopes: Iterable[_Scope]) -> bool:
  """Returns whether what is bound under a scope holds in one of the others."""
  return any(other[: len(scope)] == scope for other in scopes)


def _is_used_bare(
  selector: str, references: Iterable[object], bound: Collection[tuple[_Scope, str]]
) -> bool:
  """Returns whether a reference to a configurable opens a scope in which nothing is bound to it."""
  for parts, used in _scopes_of_uses(references):
    if not parts or used != selector:
      continue
    if not any((parts[:length], selector) in bound for length in range(1, len(parts) + 1)):
      return True
  return False
