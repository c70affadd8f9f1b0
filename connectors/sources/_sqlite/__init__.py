"""The parts of the SQLite source."""
