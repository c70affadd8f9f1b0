"""One sync: reads a source and keeps one index equal to it, writing only what differs."""
