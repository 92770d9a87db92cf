"""``almanac trust``: pin a root for an address."""

from __future__ import annotations

from pathlib import Path

import click

from almanac.cli import Session, command
from almanac.durable import read_plain
from almanac.errors import NetworkError, UsageError
from almanac.trust import LARGEST_ROOT, SeenRoot, fetch_first_root, look_at, pin, read_fingerprint


@command("trust")
@click.argument("url")
@click.option(
    "--root",
    "root_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A root file that you were given.",
)
@click.option("--fingerprint", metavar="HEX", help="The SHA-256 of the publisher's /metadata/1.root.json.")
@click.option("--replace", is_flag=True, help="Leave the publisher that is trusted now.")
def trust_command(
    session: Session, *, url: str, root_file: Path | None, fingerprint: str | None, replace: bool
) -> None:
    """Trust the publisher at URL.

    Its root comes from a file that you were given, or from URL itself when its fingerprint is the one that you were
    told. Without either this shows what URL says and trusts nothing.
    """
    if fingerprint is not None:
        fingerprint = read_fingerprint(fingerprint)
    root = _root(session, url, root_file)
    if root_file is None and fingerprint is None:
        _show(session, look_at(url, root))
        raise UsageError(
            "nothing is trusted yet", where=f"at {url}",
            advice="compare the fingerprint with what the publisher tells you elsewhere, then give it with --fingerprint",
        )  # fmt: skip
    seen, changed = pin(session.state, url, root=root, fingerprint=fingerprint, replace=replace)
    form = {
        "url": seen.url,
        "fingerprint": seen.fingerprint,
        "root_version": seen.version,
        "changed": changed,
    }
    what = "trusted" if changed else "was trusted already"
    session.console.report(form, [f"{what}: {seen.url}", f"  root {seen.fingerprint}", "next: almanac sync"])


def _root(session: Session, url: str, root_file: Path | None) -> bytes:
    if root_file is not None:
        data = read_plain(root_file.resolve(), largest=LARGEST_ROOT)
        if data is None:
            raise UsageError("no such file", where=str(root_file), advice="give the path of the root file")
        return data
    if session.offline:
        raise NetworkError(
            "offline", where=f"so {url} is not asked", advice="give --root FILE, or leave out --offline"
        )
    from almanac.fetch import Fetcher

    return fetch_first_root(url, Fetcher())


def _show(session: Session, seen: SeenRoot) -> None:
    form = {
        "url": seen.url, "fingerprint": seen.fingerprint, "root_version": seen.version,
        "expires": f"{seen.expires:%Y-%m-%dT%H:%M:%SZ}", "threshold": seen.threshold, "keys": list(seen.keyids),
    }  # fmt: skip
    lines = [
        f"{seen.url} shows this root, which nobody vouches for yet:",
        f"  fingerprint  {seen.fingerprint}",
        f"  version      {seen.version}, expires {seen.expires:%Y-%m-%d}",
        f"  signed by    {seen.threshold} of {len(seen.keyids)} keys",
        *(f"               {keyid}" for keyid in seen.keyids),
    ]
    if not session.console.as_json:
        session.console.data(form, lines)
    else:
        session.console.message("\n".join(lines))
