"""Runs in Python: train a model, load it, use it, evaluate it."""
