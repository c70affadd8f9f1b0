"""Connectors that are new or edited: filled in, reached, and told what is wrong."""
