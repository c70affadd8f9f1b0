"""The index that a sync writes to: what it is called, what it holds beside documents, and how it is made."""
