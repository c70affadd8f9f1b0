"""Sync rules: what of a source is kept, and what checks that rules make sense."""
