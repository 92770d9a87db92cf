"""The simulation by itself; ``tests/simulation/README.md`` says what it is.

python -m tests.simulation explore [--seconds 600] [--seed 7] [--workers 2]   ever larger bounds, until the time is over
python -m tests.simulation once --scenario no-conditions --faults 2 …            one exploration
python -m tests.simulation bugs [name …]                                      the seeded design faults
python -m tests.simulation replay --scenario no-conditions "17:lost 45:crash"    one schedule, step by step
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator

import tests.early  # noqa: F401  # before Django reads its settings
from tests.simulation.bugs import BUGS, Bug
from tests.simulation.running import Asked, Found, Laboratory

SCENARIOS = ("two-publishers", "publisher-and-tick", "no-conditions", "publisher-and-collector", "two-stores")
ROUNDS = ((1, 0, 1.0), (0, 1, 1.0), (1, 1, 0.02), (2, 0, 0.02), (1, 1, 0.2), (2, 0, 0.2), (2, 1, 0.005), (2, 2, 0.002), (1, 1, 1.0), (2, 0, 1.0), (2, 2, 0.02))  # fmt: skip
"""Faults, interruptions, the part of the branches after the first that is gone into."""


def main() -> int:
    asked = _parser().parse_args()
    laboratory = Laboratory()
    if asked.what == "bugs":
        return _seek_bugs(laboratory, asked)
    if asked.what == "explore":
        return _explore(laboratory, asked)
    facts = {name: getattr(asked, name) for name in vars(Asked()) if hasattr(asked, name)}
    found = laboratory.explore(Asked(**facts))
    _show(found, as_json=asked.json)
    return int(bool(found.violations))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="what", required=True)
    for name in ("explore", "once", "bugs", "replay"):
        command = commands.add_parser(name)
        command.add_argument("--json", action="store_true", help="one line of JSON for each exploration")
        command.add_argument("--workers", type=int, default=1)
        command.add_argument("--seed", type=int, default=int(time.time()) if name == "explore" else 1)
        command.add_argument("--seconds", type=float, default=600.0)
        if name == "bugs":
            command.add_argument("names", nargs="*")
        if name in {"once", "replay"}:
            command.add_argument("--scenario", choices=SCENARIOS, default=SCENARIOS[0])
            command.add_argument("--bug", choices=sorted(BUGS), default="")
        if name == "once":
            command.add_argument("--faults", type=int, default=1)
            command.add_argument("--preemptions", type=int, default=0)
            command.add_argument("--sample", type=float, default=1.0)
            command.add_argument(
                "--first", default="", help="the answer with which schedules begin to differ"
            )
        if name == "replay":
            command.add_argument("replay", help="step:answer …, as a violation shows it")
    return parser


def _explore(laboratory: Laboratory, asked: argparse.Namespace) -> int:
    print(f"seed {asked.seed}, {asked.workers} workers, {asked.seconds:g} s", flush=True)
    until = time.monotonic() + asked.seconds
    for faults, preemptions, sample in ROUNDS:
        for scenario in SCENARIOS:
            left = until - time.monotonic()
            if left <= 1:
                return 0
            found = laboratory.explore(
                Asked(scenario, faults, preemptions, sample, asked.seed, asked.workers, left)
            )
            _show(found, as_json=asked.json)
            if found.violations:
                return 1
    return 0


def _show(found: Found, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.facts), flush=True)
        return
    asked, counts = found.asked, found.counts
    part = "all" if asked.sample >= 1 and found.is_complete else "a part"
    print(
        f"{asked.scenario:20} {asked.faults} faults {asked.preemptions} interruptions, {part:6} "
        f"{counts['schedules']:8} schedules, {counts['executed']:6} of them to their end, "
        f"{counts['merged']:6} met a known state, {counts['points']:8} steps, {found.seconds:6.1f} s "
        f"({found.processor_seconds:.1f} s of processor), {len(found.violations)} violations",
        flush=True,
    )
    for violation in found.violations:
        print(json.dumps(violation, indent=1))
        schedule, bug = violation["schedule"], f' --bug "{asked.bug}"' if asked.bug else ""
        print(f'again: python -m tests.simulation replay --scenario {asked.scenario}{bug} "{schedule}"')


def _seek_bugs(laboratory: Laboratory, asked: argparse.Namespace) -> int:
    wanted = [BUGS[name] for name in asked.names] or list(BUGS.values())
    missed = 0
    for bug in wanted:
        facts = _seek(laboratory, bug, asked)
        missed += not facts["caught"]
        print(json.dumps(facts) if asked.json else _line(facts), flush=True)
    return int(bool(missed))


def _line(facts: dict[str, object]) -> str:
    caught = f"after {facts['schedules']:4} schedules: {facts['violation']}" if facts["caught"] else "MISSED"
    return f"{facts['bug']:28} {caught}  [{facts['schedule']}]"


def _seek(laboratory: Laboratory, bug: Bug, asked: argparse.Namespace) -> dict[str, object]:
    """First the calm schedule, then with what it takes."""
    executed, used = 0, 0.0
    for faults, preemptions in _deeper(bug):
        found = laboratory.explore(
            Asked(
                bug.scenario,
                faults,
                preemptions,
                bug.sample,
                asked.seed,
                1,
                asked.seconds,
                bug.name,
                None,
                bug.first,
            )
        )
        executed += found.counts["executed"] + bool(found.violations)
        used += found.processor_seconds
        if found.violations:
            what = str(found.violations[0]["violation"]).strip().splitlines()[-1]
            schedule = found.violations[0]["schedule"]
            return {"bug": bug.name, "caught": True, "schedules": executed, "violation": what, "schedule": schedule, "processor_seconds": used}  # fmt: skip
    return {"bug": bug.name, "caught": False, "schedules": executed, "schedule": "", "processor_seconds": used}  # fmt: skip


def _deeper(bug: Bug) -> Iterator[tuple[int, int]]:
    yield (0, 0)
    if bug.found_with != (0, 0):
        yield bug.found_with


if __name__ == "__main__":
    sys.exit(main())
