"""Entropy and mutual information of latents and factors."""
