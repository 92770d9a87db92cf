#!/usr/bin/env python3
"""The command-line protocol of the tuf-conformance suite, over the code that ``almanac sync`` runs.

    conformance.py --metadata-dir DIR init ROOT
    conformance.py --metadata-dir DIR --metadata-url URL refresh
    conformance.py --metadata-dir DIR --metadata-url URL --target-name N --target-base-url URL --target-dir DIR download

Exit code 0 when everything was accepted, 1 when anything was refused. It runs with TUF's rules alone: what Almanac asks
beyond them (how far ahead a key may sign, one content for each version, how far a version may jump) is left out.
RSA and ECDSA keys are verified where ``cryptography`` is installed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from almanac.durable import read_plain, write_durably
from almanac.errors import AlmanacError, LocalStateError
from almanac.fetch import Fetcher
from almanac.judge import TUF_ONLY, refusal
from almanac.verify import VerifiedUpdater


def main(argv: list[str] | None = None) -> int:
    given = arguments().parse_args(argv)
    try:
        match given.command:
            case "init":
                write_durably(given.metadata_dir / "root.json", given.root.read_bytes())
            case "refresh":
                updater(given).refresh()
            case "download":
                download(given)
    except (AlmanacError, OSError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    return 0


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A TUF client under test.")
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--metadata-url")
    parser.add_argument("--target-name")
    parser.add_argument("--target-base-url")
    parser.add_argument("--target-dir", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    return parser


def updater(given: argparse.Namespace) -> VerifiedUpdater:
    """Trust starts at the newest root that was verified here, as the suite expects."""
    root = read_plain((given.metadata_dir / "root.json").resolve())
    if root is None:
        raise LocalStateError("no root.json", where=f"in {given.metadata_dir}", advice="run init first")
    return VerifiedUpdater(
        given.metadata_dir, given.metadata_url, Fetcher(), pinned_root=root, rules=TUF_ONLY
    )


def download(given: argparse.Namespace) -> None:
    client = updater(given)
    client.refresh()
    target = client.find(given.target_name)
    if target is None:
        raise AlmanacError("no such target", where=given.target_name)
    client.target_dir = str(given.target_dir)
    if client.find_cached_target(target) is not None:
        return
    try:
        client.download_target(target, target_base_url=given.target_base_url)
    except Exception as error:
        raise refusal(error, role="target") from error


if __name__ == "__main__":
    sys.exit(main())
