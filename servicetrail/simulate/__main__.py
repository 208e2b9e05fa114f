"""`python -m servicetrail.simulate` is the command `servicetrail simulate`."""

import sys

from servicetrail.cli.main import run

if __name__ == "__main__":
    sys.exit(run(["simulate", *sys.argv[1:]]))
