"""The parts of the source of tabular files: how files of each format are read."""
