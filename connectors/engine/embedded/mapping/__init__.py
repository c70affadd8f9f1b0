"""The mapping: what an index knows of its fields, and what a document's values become in them."""
