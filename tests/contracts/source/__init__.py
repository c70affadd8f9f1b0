"""Sources to try the contract of sources with: sound ones, and one for each promise that it breaks."""
