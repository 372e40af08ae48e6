"""The priors of latents, and how far from 0 to move a latent in a picture or a metric."""

_LIMITS = {"uniform": 1.0, "normal": 2.0}


def traversal_limit(prior: str) -> float:
  """Returns how far from 0 to move a latent with this prior.

  It is 2 as in Figure 3 of Yang et al. (2020), but 1 for a uniform prior on [-1, 1], which ends
  there.
  """
  return _LIMITS.get(prior, 2.0)
