"""What may be deleted, and what is held for a person."""
