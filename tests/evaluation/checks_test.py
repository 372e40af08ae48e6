import pytest

from dl_condind.evaluation import checks
from dl_condind.utils import errors


def test_choice_is_checked():
  checks.check_choice("x.kind", "a", ("a", "b"))
  with pytest.raises(errors.ConfigError, match="x.kind must be one of a, b, got 'c'"):
    checks.check_choice("x.kind", "c", ("a", "b"))
