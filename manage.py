#!/usr/bin/env python
"""Django's command line for the Almanac server."""

import sys


def main() -> None:
    try:
        from deploy.command_line import run
    except ImportError as error:
        sys.exit(
            f"error: usage: {error} — run `make run` once, or use .venv/bin/python manage.py, which has what Almanac needs"
        )
    run(sys.argv)


if __name__ == "__main__":
    main()
