"""Configurations, records, files and errors."""
