"""What a daemon takes, and how soon it does things: whole daemons, as processes."""
