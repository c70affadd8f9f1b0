"""The store: indices in their files, what is recorded in them, and what of it is searched."""
