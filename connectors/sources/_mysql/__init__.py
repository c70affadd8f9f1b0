"""The parts of the MySQL source."""
