"""What is stored in the engine beside documents: connectors, state that several daemons share, dead letters."""
