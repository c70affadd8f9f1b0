"""The parts of the Oracle source."""
