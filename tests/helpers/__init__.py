"""Modules that several tests import: `from helpers import testdata`."""
