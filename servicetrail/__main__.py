"""`python -m servicetrail`: the same as the command `servicetrail`."""

from servicetrail.cli.main import main

if __name__ == "__main__":
    main()
