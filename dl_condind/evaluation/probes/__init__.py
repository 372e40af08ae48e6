"""Classifiers that read factors off codes."""
