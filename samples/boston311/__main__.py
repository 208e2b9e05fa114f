"""`python -m samples.boston311 [FILE.csv.gz]` writes the file's events as JSON Lines."""

import json
import sys

from samples.boston311 import SAMPLE, events


def main() -> None:
    """Write one structured CloudEvent a line to standard output."""
    for event in events(sys.argv[1] if len(sys.argv) > 1 else SAMPLE):
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
