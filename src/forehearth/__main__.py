"""The program: `forehearth`, or `python -m forehearth`."""

import sys

from forehearth.core.imports import for_good

with for_good():
    from forehearth.cli.main import run


def main() -> None:
    """Run the command line that the process was started with, and end the process with its exit status."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
