"""The API: which requests there are, and what they answer."""
