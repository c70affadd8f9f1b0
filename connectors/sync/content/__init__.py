"""The contents of documents, which are fetched apart from the walk."""
