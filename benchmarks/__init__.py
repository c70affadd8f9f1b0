"""Measurements of this project, as ratios taken in one run on one machine: `make bench`."""
