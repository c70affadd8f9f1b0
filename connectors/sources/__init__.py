"""The sources that come with the project: one file each, named after its service type."""
