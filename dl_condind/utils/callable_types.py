"""Whether what a function takes and returns fits where it is to be used, by annotations alone."""

import collections.abc
from collections.abc import Callable
import inspect
import types
import typing

SEQUENCES = (
  list,
  tuple,
  collections.abc.Collection,
  collections.abc.Iterable,
  collections.abc.Sequence,
)


def result_type(function: Callable) -> typing.Any:
  """Returns the type of what a function returns, or a class makes; `typing.Any` if unknown."""
  if isinstance(function, type):
    return function
  found = inspect.signature(function).return_annotation
  return _known(type(None) if found is None else found)


def accepts_callable(expected: typing.Any, function: Callable) -> bool:
  """Returns whether a function may be the value of a parameter of some type.

  It may if the type is `Callable` and neither the parameters nor the result contradict it.
  """
  origin, arguments = typing.get_origin(expected), typing.get_args(expected)
  if origin in (typing.Union, types.UnionType):
    return any(accepts_callable(argument, function) for argument in arguments)
  if _known(expected) is typing.Any or expected is object:
    return True
  if (origin or expected) is not collections.abc.Callable:
    return False
  if not arguments:
    return True
  taken, returned = arguments
  return is_compatible(returned, result_type(function)) and _takes(function, taken)


def _takes(function: Callable, expected: typing.Any) -> bool:
  """Returns whether a function can be called with arguments of some types, by position."""
  if expected is ...:
    return True
  parameters = list(inspect.signature(function).parameters.values())
  if any(parameter.kind == parameter.VAR_POSITIONAL for parameter in parameters):
    return True
  by_position = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
  return len(by_position) >= len(expected) and all(
    is_compatible(parameter.annotation, given)
    for parameter, given in zip(by_position, expected, strict=False)
  )


def is_compatible(expected: typing.Any, found: typing.Any) -> bool:
  """Returns whether some value can be of both types; True where an annotation says too little."""
  expected, found = _known(expected), _known(found)
  for one, other in ((expected, found), (found, expected)):
    if one is typing.Any or other is object:
      return True
    if typing.get_origin(one) in (typing.Union, types.UnionType):
      return any(is_compatible(argument, other) for argument in typing.get_args(one))
  kinds = [typing.get_origin(kind) or kind for kind in (expected, found)]
  if not all(isinstance(kind, type) for kind in kinds):
    return True
  if collections.abc.Callable in kinds:
    other = kinds[1 - kinds.index(collections.abc.Callable)]
    return other is collections.abc.Callable or any("__call__" in c.__dict__ for c in other.__mro__)
  if any(getattr(kind, "_is_protocol", False) for kind in kinds):
    return True
  if set(kinds) == {int, float} or all(kind in SEQUENCES for kind in kinds):
    return True
  return issubclass(*kinds) or issubclass(*reversed(kinds))


def _known(annotation: typing.Any) -> typing.Any:
  """Returns an annotation, or `typing.Any` for one that is missing or cannot be read here."""
  unknown = annotation is inspect.Parameter.empty or isinstance(annotation, str | typing.TypeVar)
  return typing.Any if unknown else annotation
