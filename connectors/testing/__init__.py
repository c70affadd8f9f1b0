"""What tests of this project and of connectors outside it are made from."""
