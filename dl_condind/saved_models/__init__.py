"""Trained models in files: written, checked, loaded, and called with NumPy arrays."""
