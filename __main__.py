"""`python -m picoclaw`: the same as the `picoclaw` command."""

from .cli.main import main

if __name__ == "__main__":
    main()
