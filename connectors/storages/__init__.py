"""The backends of the storage of sources: the engine, a SQLite file, a Redis server."""
