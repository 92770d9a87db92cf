"""How web, worker and beat are started, read from the run-book: who follows it starts what is tested here."""

from __future__ import annotations

import re
from pathlib import Path

RUN_BOOK = Path(__file__).resolve().parents[2] / "deploy" / "README.md"
BLOCK = re.compile(r"### The three start commands\n.*?```sh\n(?P<lines>.*?)```", re.DOTALL)


def start_commands() -> dict[str, str]:
    """web, worker, beat → the line for a shell."""
    found = BLOCK.search(RUN_BOOK.read_text(encoding="utf-8"))
    assert found, "deploy/README.md has no block of start commands"
    lines = found["lines"].splitlines()
    return {
        comment.lstrip("# ").partition(":")[0]: command
        for comment, command in zip(lines[::2], lines[1::2], strict=True)
    }


def in_a_shell(command: str) -> list[str]:
    return ["/bin/sh", "-c", f"exec {command}"]
