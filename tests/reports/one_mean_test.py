import pytest

from dl_condind.reports import one_mean
from dl_condind.reports import verdicts


@pytest.mark.parametrize(
  ("test", "values", "verdict"),
  [
    (one_mean.above(0.5, 2), [0.7, 0.72, 0.71], verdicts.HOLDS),
    (one_mean.above(0.5, 2), [0.2, 0.22, 0.21], verdicts.OPPOSITE),
    (one_mean.above(0.5, 2), [0.2, 0.9, 0.8], verdicts.OPEN),
    (one_mean.below(0.5, 2), [0.2, 0.22, 0.21], verdicts.HOLDS),
    (one_mean.below(0.5, 2), [0.7, 0.72, 0.71], verdicts.OPPOSITE),
    (one_mean.inside(-0.1, 0.1, 2), [0.01, -0.01, 0.0], verdicts.HOLDS),
    (one_mean.inside(-0.1, 0.1, 2), [0.6, 0.61, 0.62], verdicts.OPPOSITE),
    (one_mean.inside(-0.1, 0.1, 2), [0.01], verdicts.OPEN),
    (one_mean.above(0.5, 2), [0.7], verdicts.OPEN),
  ],
)
def test_claims_about_one_correlation(test, values, verdict):
  finding = test(values)
  assert verdicts.decide("", "", [finding]).verdict == verdict
  assert f"(n = {len(values)})" in finding.text
