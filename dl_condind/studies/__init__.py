"""Grids of runs as plain data, and the engines that make them."""
