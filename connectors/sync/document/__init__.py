"""What a document of a source goes through until it is bytes."""
