"""MongoDB: what its source is made of."""
