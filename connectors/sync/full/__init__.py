"""Syncs that walk the whole source."""
