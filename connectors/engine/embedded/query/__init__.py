"""Queries: what a search asks, compiled to SQL and carried out."""
