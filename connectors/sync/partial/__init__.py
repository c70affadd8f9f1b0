"""Syncs that read some documents: those that changed, or those that failed."""
