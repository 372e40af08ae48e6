import pytest

from dl_condind.utils import priors


@pytest.mark.parametrize(("prior", "limit"), [("normal", 2.0), ("uniform", 1.0), ("-", 2.0)])
def test_latents_are_moved_within_their_prior(prior, limit):
  assert priors.traversal_limit(prior) == limit
