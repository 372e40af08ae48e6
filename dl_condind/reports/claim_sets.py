"""Verdicts of claims that are one set, adjusted for their number."""

from collections.abc import Sequence
import dataclasses
from typing import NamedTuple

from dl_condind.reports import protocol
from dl_condind.reports import statistics
from dl_condind.reports import verdicts

_KINDS = (verdicts.HOLDS, verdicts.OPPOSITE, verdicts.TOO_SMALL)
_KINDS_IN_WORDS = ("holds", "is the opposite", "is too small")


class Question(NamedTuple):
  """A claim before its verdict; fields as the arguments of `verdicts.decide`."""

  text: str
  source: str
  findings: Sequence[verdicts.Finding]
  deviations: Sequence[protocol.Deviation] = ()


def decide_all(questions: Sequence[Question]) -> list[verdicts.Claim]:
  """Returns claims that are one set, each with its verdict.

  As `verdicts.decide`, but p-values are adjusted by Holm's method over the claims: that a claim
  holds (the largest of its cells), that it is the opposite and that it is too small (the least of
  its cells times their number). In the whole set, a wrong verdict of each kind has a probability of
  at most `verdicts.LEVEL`.
  """
  p_values = [
    statistics.holm(column)
    for column in zip(*(_p_values(question.findings) for question in questions), strict=True)
  ]
  claims = []
  for question, *adjusted in zip(questions, *p_values, strict=True):
    claim = verdicts.decide(*question)
    shown = [kind for kind, p in zip(_KINDS, adjusted, strict=True) if p <= verdicts.LEVEL]
    verdict = shown[0] if shown else verdicts.OPEN
    leaning = "" if shown else verdicts.leaning_of(question.findings)
    words = zip(_KINDS_IN_WORDS, adjusted, strict=True)
    told = ", ".join(f"{verdicts.p_text(p)} that it {kind}" for kind, p in words)
    evidence = f"{claim.evidence}\nHolm over {len(questions)} claims: {told}"
    claims.append(dataclasses.replace(claim, verdict=verdict, leaning=leaning, evidence=evidence))
  return claims


def _p_values(findings: Sequence[verdicts.Finding]) -> tuple[float, float, float]:
  """Returns p-values that a claim holds, that it is the opposite, and that it is too small."""
  claims, opposites, smalls = (
    [1.0 if p is None else p for p in column]
    for column in zip(*((f.p_claim, f.p_opposite, f.p_small) for f in findings), strict=True)
  )
  num_cells = len(findings)
  return max(claims), min(1.0, num_cells * min(opposites)), min(1.0, num_cells * min(smalls))
