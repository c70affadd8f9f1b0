"""The embedded engine: the REST API that we rely on, over SQLite, with nothing but Python."""
