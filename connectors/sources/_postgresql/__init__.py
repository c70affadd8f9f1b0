"""The parts of the PostgreSQL source."""
