"""The daemon's parts."""
