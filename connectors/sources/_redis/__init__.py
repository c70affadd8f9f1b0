"""What the source of Redis is made of."""
