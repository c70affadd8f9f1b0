"""The search engine, behind a handful of named operations: the only place that knows its client."""

from connectors.engine.engine import Engine, open_engine

__all__ = ["Engine", "open_engine"]
