"""Keeps a search index true to its sources."""

__version__ = "0.1.0"
