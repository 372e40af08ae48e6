"""Grids of runs as plain data, and how one run of a grid is made."""
