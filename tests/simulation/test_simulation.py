"""The publisher under every fault at every step, and the design faults that the simulation must find.

Each exploration runs in a process of its own (``python -m tests.simulation``), which forks; see README.md there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.bugs import BUGS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SEED = os.environ.get("SIMULATION_SEED", "1")


def simulated(*arguments: str) -> list[dict]:
    """The lines that it prints; what goes wrong in the simulation itself is shown as it is."""
    command = [sys.executable, "-m", "tests.simulation", *arguments, "--json", "--seed", SEED]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=550)
    if ran.returncode not in (0, 1) or ran.stderr:
        raise RuntimeError(ran.stdout + ran.stderr)  # not an assertion: no violation was found
    return [json.loads(line) for line in ran.stdout.splitlines()]


def explored(scenario: str, *bounds: str) -> dict:
    (found,) = simulated("once", "--scenario", scenario, *bounds)
    print(
        f"{scenario} {' '.join(bounds)}: {found['schedules']} schedules, {found['executed']} of them run to their end, "
        f"{found['points']} steps, {found['processor_seconds']} s of processor, {len(found['violations'])} violations"
    )
    return found


def said(found: dict) -> str:
    """Why, and how to see it again."""
    again = [
        f'{v["violation"]}\n  python -m tests.simulation replay --scenario {found["scenario"]} "{v["schedule"]}"'
        for v in found["violations"]
    ]
    return "\n".join(again)


@pytest.mark.parametrize("scenario", ["two-publishers", "publisher-and-collector"])
def test_no_single_fault_at_any_step_breaks_anything(scenario: str) -> None:
    found = explored(scenario, "--faults=1", "--workers=2")
    assert not found["violations"], said(found)
    assert not found["cut_short"], "the time was over before every schedule was explored"
    assert found["schedules"] > 250


@pytest.mark.parametrize("scenario", ["two-publishers", "no-conditions"])
def test_no_interruption_at_any_step_breaks_anything(scenario: str) -> None:
    found = explored(scenario, "--faults=0", "--preemptions=1", "--workers=2")
    assert not found["violations"], said(found)
    assert not found["cut_short"]
    assert found["schedules"] > 50


def test_no_two_faults_drawn_by_lot_break_anything() -> None:
    found = explored("two-publishers", "--faults=2", "--sample=0.01", "--seconds=20", "--workers=2")
    assert not found["violations"], said(found)


def test_a_publisher_that_was_away_too_long_breaks_nothing() -> None:
    """Interrupted anywhere, then whatever fault: drawn by lot."""
    bounds = (
        "--faults=1",
        "--preemptions=1",
        "--sample=0.05",
        "--first=switch",
        "--seconds=200",
        "--workers=2",
    )
    found = explored("two-publishers", *bounds)
    assert not found["violations"], said(found)
    assert found["schedules"] > 200


def test_a_write_that_comes_too_late_to_a_bucket_without_conditions_is_put_right_by_the_next_tick() -> None:
    bounds = ("--faults=1", "--preemptions=1", "--first=back", "--seconds=200", "--workers=2")
    found = explored("no-conditions", *bounds)
    assert not found["violations"], said(found)


def test_every_seeded_design_fault_is_caught() -> None:
    found = simulated("bugs")
    print(f"{'design fault':30} {'schedules':>9}  caught by")
    for bug in found:
        print(f"{bug['bug']:30} {bug['schedules']:9}  {bug.get('violation', 'NOTHING')[:90]}")
    assert [bug["bug"] for bug in found] == list(BUGS)
    assert len(found) >= 10
    assert not [bug["bug"] for bug in found if not bug["caught"]]
