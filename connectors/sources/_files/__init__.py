"""Files below a folder, for every source that reads some: the walk, globs, and rules of files."""
