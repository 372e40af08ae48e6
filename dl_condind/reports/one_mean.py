"""Claims about the mean of a measure at one correlation: tests against stated bounds."""

from collections.abc import Callable

from dl_condind.reports import equivalence
from dl_condind.reports import statistics
from dl_condind.reports import verdicts

TestOfOne = Callable[[verdicts.Values], verdicts.Finding]  # Of the values at one correlation.


def inside(low: float, high: float, digits: int) -> TestOfOne:
  """Returns the test that a mean lies between two bounds."""

  def test(values: verdicts.Values) -> verdicts.Finding:
    mean = sum(values) / len(values)
    parts = [f"mean {mean:.{digits}f} (n = {len(values)})"]
    found = equivalence.of_mean(values, low, high)
    if found is None:
      return verdicts.Finding(f"{parts[0]}, too few runs for a test", leans=low < mean < high)
    return verdicts.equivalence_finding(parts, found, low < mean < high, f"{low:g} to {high:g}")

  return test


def above(bound: float, digits: int) -> TestOfOne:
  """Returns the test that a mean is above a bound, by Student's t."""
  return _one_sided(bound, digits, "above", 1)


def below(bound: float, digits: int) -> TestOfOne:
  """Returns the test that a mean is below a bound, by Student's t."""
  return _one_sided(bound, digits, "below", -1)


def _one_sided(bound: float, digits: int, word: str, sign: int) -> TestOfOne:
  def test(values: verdicts.Values) -> verdicts.Finding:
    mean = sum(values) / len(values)
    parts = [f"mean {mean:.{digits}f} (n = {len(values)})"]
    leans = None if mean == bound else sign * (mean - bound) > 0
    if len(values) < 2:
      return verdicts.Finding(f"{parts[0]}, too few runs for a test", leans=leans)
    p_value = statistics.welch([[sign * (value - bound) for value in values]], [1])
    parts.append(f"{verdicts.p_text(p_value)} that it is {word} {bound:g}")
    return verdicts.Finding(", ".join(parts), p_value, 1 - p_value, leans=leans)

  return test
