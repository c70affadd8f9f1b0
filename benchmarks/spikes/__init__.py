"""Measurements that decided something, kept so that they can be made again."""
