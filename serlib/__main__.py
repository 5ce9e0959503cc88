"""`python -m serlib`: the commands of `serlib.cli`."""

import sys

from serlib.cli import main

if __name__ == "__main__":
    sys.exit(main())
