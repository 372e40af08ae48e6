"""What metrics share: how they name their results."""

from collections.abc import Iterable


def numbered(name: str, indices: Iterable[int], values: Iterable[float]) -> dict[str, float]:
  """Returns results named by the index of a factor or latent.

  Example:
    >>> numbered("mig.factor", [0, 2], [0.5, 0.25])
    {'mig.factor_0': 0.5, 'mig.factor_2': 0.25}
  """
  return {f"{name}_{i}": float(value) for i, value in zip(indices, values, strict=True)}
