"""Data sets whose factors of variation are known."""
