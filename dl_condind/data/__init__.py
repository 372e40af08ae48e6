"""Data sets, and how training reads them."""
