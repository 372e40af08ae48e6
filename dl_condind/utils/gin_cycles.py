"""Checks that the values of a gin configuration do not refer to themselves."""

from collections.abc import Mapping
import graphlib
from typing import Any

from gin import config_parser

from dl_condind.utils import errors
from dl_condind.utils import gin_types

_MAX_DEPTH = 50
_MAX_SIZE = 1_000_000
_MACRO = "gin.macro"

# What can be called: the scopes it is called in, and its complete selector.
_Node = tuple[tuple[str, ...], str]
_Bound = Mapping[str, Any]  # Parameter -> its value, with `leaves` and `where`.


def check(bindings: Mapping[tuple[str, str, str], Any]) -> None:
  """Checks that no binding or macro refers to itself, directly or through others.

  gin would call them in turn until the stack is full. A reference without parentheses counts, too:
  what it names is called sooner or later.

  Args:
    bindings: (scope, complete selector, parameter) -> what is bound, with the attributes `leaves`
      (the references among its parts) and `where`.

  Raises:
    ConfigError: If one does, or references follow each other too deeply, or a macro that is made
      of macros stands for too many values.
  """
  bound: dict[tuple[str, str], dict[str, Any]] = {}
  for (scope, selector, parameter), binding in bindings.items():
    bound.setdefault((scope, selector), {})[parameter] = binding
  graph: dict[_Node, list[_Node]] = {}
  waiting = [(_scopes(scope), selector) for scope, selector in bound]
  while waiting:
    node = waiting.pop()
    if node not in graph:
      graph[node] = [
        _node(leaf, node[0]) for binding in _parameters(node, bound).values()
        for leaf in binding.leaves if _leads_on(leaf)
      ]  # fmt: skip
      waiting += graph[node]
  try:
    order = list(graphlib.TopologicalSorter(graph).static_order())
  except graphlib.CycleError as error:
    ring = error.args[1]
    where = next(iter(_parameters(ring[0], bound).values())).where
    names = " -> ".join(map(_name, ring))
    raise errors.ConfigError(f"{where}: the values refer to themselves: {names}.") from error
  _check_sizes(order, graph, bound)


def _check_sizes(
  order: list[_Node], graph: Mapping[_Node, list[_Node]], bound: Mapping[tuple[str, str], _Bound]
) -> None:
  depths: dict[_Node, int] = {}
  sizes: dict[_Node, int] = {}
  for node in order:
    depths[node] = 1 + max((depths[next_] for next_ in graph[node]), default=0)
    sizes[node] = 1 + sum(sizes[next_] for next_ in graph[node])
    if depths[node] > _MAX_DEPTH or sizes[node] > _MAX_SIZE:
      where = next(iter(_parameters(node, bound).values())).where
      raise errors.ConfigError(
        f"{where}: {_name(node)} refers to values that refer to others, more than {_MAX_DEPTH} "
        f"deep or to more than {_MAX_SIZE} in all."
      )


def _scopes(text: str) -> tuple[str, ...]:
  return tuple(text.split("/")) if text else ()


def _parameters(node: _Node, bound: Mapping[tuple[str, str], _Bound]) -> dict[str, Any]:
  """Returns what is bound to each parameter; the innermost scope counts."""
  scopes, selector = node
  found: dict[str, Any] = {}
  for length in range(len(scopes) + 1):
    found |= bound.get(("/".join(scopes[:length]), selector), {})
  return found


def _leads_on(leaf: object) -> bool:
  if not isinstance(leaf, gin_types.Reference):
    return False
  return not (leaf.prefix == "%" and leaf.is_constant)


def _node(reference: gin_types.Reference, scopes: tuple[str, ...]) -> _Node:
  """Returns what a reference calls; without scopes of its own, in those of its caller."""
  if reference.prefix == "%":
    return _scopes(reference.name), _MACRO
  own, selector = config_parser.parse_scoped_selector(reference.name)
  return _scopes(own) or scopes, gin_types.find_configurable(selector, "").selector


def _name(node: _Node) -> str:
  scopes, selector = node
  if selector == _MACRO:
    return f"%{'/'.join(scopes)}"
  return "@" + "/".join([*scopes, selector.rpartition(".")[2]])
