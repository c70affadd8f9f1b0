"""SQL: statements and conditions as trees, for every source that asks a database in it."""
