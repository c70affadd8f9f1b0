"""The search engine, behind a handful of named operations: the only place that knows its client."""

from connectors.engine.lean import without

with without("pyarrow"):  # the client loads it for a serializer that we do not use: 25 MB, where it is installed
    from connectors.engine.engine import Engine, open_engine

__all__ = ["Engine", "open_engine"]
