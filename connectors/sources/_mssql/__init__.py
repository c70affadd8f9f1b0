"""The parts of the SQL Server source."""
