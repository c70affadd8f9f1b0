"""What a daemon tells those who watch it: whether it lives, whether it is ready, and numbers for Prometheus."""
