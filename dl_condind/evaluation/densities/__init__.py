"""Mixtures of Gaussians, their marginals and subsets, and what is estimated from them."""
