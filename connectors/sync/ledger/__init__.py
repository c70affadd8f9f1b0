"""What the index holds of a connector."""
