"""The parts of the contract of a source, one noun per file."""
