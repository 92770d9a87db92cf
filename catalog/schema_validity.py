"""What may be said about schemas, their members and an operator's adjustments of them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from almanac.lifecycle import is_day, is_range
from catalog.records import Record
from catalog.shape import Complaint

STATUSES: Final = ("current", "deprecated", "retired")
MEMBERSHIPS: Final = ("automatic", "explicit")
SUBJECTS: Final = ("entry", "offering", "provider", "opaque")
FIELD_NAME: Final = re.compile(r"[^\x00-\x20\x7f=][^\x00-\x1f\x7f=]{0,199}")
_ADVICE: Final = "entry:…, offering:…, provider:… or opaque:…"


def schema_complaints(record: Record) -> Iterator[Complaint]:
    for name, words in (("status", STATUSES), ("membership", MEMBERSHIPS)):
        if record[name] not in words:
            yield name, f"{record[name]!r} is none of {', '.join(words)}", ""
    yield from _life(record)
    for client, versions in record.get("clients", {}).items():
        if not FIELD_NAME.fullmatch(client) or not is_range(versions):
            yield "clients", f"{client} = {versions[:80]!r} names no versions", "aichat = >=0.27.0 <0.31"


def _life(record: Record) -> Iterator[Complaint]:
    days = {name: record[name] for name in ("deprecated", "sunset") if name in record}
    wrong = [name for name, day in days.items() if not is_day(day)]
    for name in wrong:
        yield name, f"{days[name]!r} is not a day", "2027-06-30"
    if record["status"] == "deprecated" and "deprecated" not in record:
        yield "deprecated", "a deprecated schema says since when it is so", "the day, as 2026-11-20"
    # RFC 9745, section 4: a sunset is not earlier than the deprecation.
    if not wrong and len(days) == 2 and days["sunset"] < days["deprecated"]:
        yield "sunset", "is before the day of its deprecation", "the last day on which it is published"
    if record.get("successor") == record["name"]:
        yield "successor", "a schema cannot follow itself", "name another one, or none"


def membership_complaints(record: Record) -> Iterator[Complaint]:
    yield from subject_complaints(record)


def subject_complaints(record: Record) -> Iterator[Complaint]:
    kind, colon, name = record["subject"].partition(":")
    if not colon or not name or kind not in SUBJECTS:
        yield "subject", f"{record['subject']!r} is no subject", _ADVICE
    if len(record["subject"]) > 450:
        yield "subject", "has more than 450 characters", ""


def adjustment_complaints(record: Record) -> Iterator[Complaint]:
    yield from subject_complaints(record)
    stated, dropped = record.get("set", {}), record.get("drop", [])
    if not (record.get("hidden") or stated or dropped or "held" in record):
        yield "hidden", "it changes nothing", "hide it, set or leave out a field, or hold it back"
    for field in [*stated, *dropped]:
        if not FIELD_NAME.fullmatch(field):
            yield "drop" if field in dropped else "set", f"{field[:80]!r} is not the name of a field", ""
    for field in sorted(set(stated).intersection(dropped)):
        yield "drop", f"{field} is both set and left out", "decide for one"
    for field, text in stated.items():
        if not _is_json(text):
            yield "set", f"{field} is not JSON: {text[:80]!r}", 'a text stands in quotes: "high"'
    if len(set(dropped)) < len(dropped):
        yield "drop", "a field stands twice", ""
    yield from _held(record.get("held"))


def _held(held: Mapping[str, Any] | None) -> Iterator[Complaint]:
    if held is not None and (held["release"] < 1 or not isinstance(held["native"].get("set"), Mapping)):
        yield "held", "it does not hold a published member", "tick it again"


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return False
    return True


def _refused(text: str) -> None:
    raise ValueError(text)
