"""`python -m connectors`: the same as the `connectors` command."""

from connectors.cli import main

if __name__ == "__main__":
    main()
