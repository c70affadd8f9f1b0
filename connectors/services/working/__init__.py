"""Jobs that wait, and the processes that run them."""
