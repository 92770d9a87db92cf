"""``python -m almanac``."""

import sys

from almanac.cli import main

if __name__ == "__main__":
    sys.exit(main())
