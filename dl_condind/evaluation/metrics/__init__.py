"""Disentanglement metrics: arrays in, numbers out."""
