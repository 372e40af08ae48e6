import pytest

from dl_condind.studies import claims

SHOWN = claims.Finding(True, False, 3, "a")
UNSHOWN = claims.Finding(False, False, 9, "b")


@pytest.mark.parametrize(
  ("findings", "verdict"),
  [
    ([SHOWN], claims.HOLDS),
    ([SHOWN, UNSHOWN], claims.NOT_ENOUGH_RUNS),
    ([SHOWN, claims.Finding(False, True, 3, "b")], claims.FAILS),
    ([SHOWN, claims.Finding(False, False, 10, "b")], claims.FAILS),
  ],
)
def test_one_finding_decides_on_a_claim(findings, verdict):
  claim = claims.decide("text", "source", findings)
  assert (claim.text, claim.source, claim.verdict) == ("text", "source", verdict)
  assert claim.evidence == "\n".join(finding.text for finding in findings)


@pytest.mark.parametrize(
  ("p_value", "text"), [(0.00005, "p < 0.0001"), (0.0123, "p = 0.012"), (1.0, "p = 1")]
)
def test_p_values_are_readable(p_value, text):
  assert claims.p_text(p_value).replace("\u00a0", " ") == text
