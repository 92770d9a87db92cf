"""What the two publishers of a schedule do, and what everything starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from mirrors.retention import Limits
from mirrors.services import publishing, ticking
from tests.simulation.catalog import V2
from tests.simulation.world import Process, ViolationError, World

V1 = "catalog/v1/models.yaml"


def text(word: str) -> str:
    return "".join(f"- {word if i == 3 else 'model'}-{i}\n" for i in range(12))


FIRST = {V2: text("first"), V1: text("other")}


@dataclass(frozen=True)
class Scenario:
    name: str
    set_up: Callable[[World], None]
    conditional: bool = True
    second_store: bool = False


def _publishes(world: World, edit: tuple[str, str] | None = None) -> Callable[[Process], object]:
    def program(process: Process) -> object:
        if edit:
            world.catalog.edit(*edit)
        return publishing.publish(world.means(process), by=process.name, wait_s=0)

    return program


def ticks(world: World) -> Callable[[Process], object]:
    return lambda process: ticking.tick(world.means(process))


def recovers(world: World) -> Callable[[Process], object]:
    """What runs by itself, and the operator who asks again for what has not been acknowledged."""

    def program(process: Process) -> object:
        means = world.means(process)
        found = ticking.tick(means)
        if found.busy or found.errors:
            raise ViolationError(f"I5: what was left cannot be gone on with: {found.busy or found.errors[0]}")
        return publishing.publish(means, by=process.name, wait_s=0)

    return program


def begin(world: World, scenario: Scenario) -> None:
    """Release 1 is out, and the scenario's publishers are about to start."""
    world.catalog.set_up(FIRST)
    _do_now(world, _publishes(world))
    scenario.set_up(world)


def _publisher_and_collector(world: World) -> None:
    """Two old releases have waited for their time; while the third goes and the fourth comes, they are removed."""
    world.limits = Limits(releases=1, most_unseen=timedelta(days=30))
    for word in ("older", "old"):
        world.now += timedelta(minutes=30)
        _do_now(world, _publishes(world, (V2, text(word))))
    world.now += timedelta(days=8)
    _do_now(world, ticks(world))
    world.now += timedelta(days=8)
    world.promised.clear()
    for name, snapshot in world.seen.items():
        world.promised[name] = set(snapshot.addresses)
    _publisher_and_tick(world)


def _do_now(world: World, program: Callable[[Process], object]) -> None:
    process = world.process("before", program)
    world.running = process
    world.carry_out(process)
    if process.error:
        raise AssertionError(process.error)
    world.check()
    world.processes.clear()
    world.running = None


def _two_publishers(world: World) -> None:
    world.process("alice", _publishes(world, (V2, text("second"))))
    world.process("bob", _publishes(world, (V1, text("third"))))


def _publisher_and_tick(world: World) -> None:
    world.process("alice", _publishes(world, (V2, text("second"))))
    world.process("tick", ticks(world))


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("two-publishers", _two_publishers),
        Scenario("publisher-and-tick", _publisher_and_tick),
        Scenario("no-conditions", _two_publishers, conditional=False),
        Scenario("publisher-and-collector", _publisher_and_collector),
        Scenario("two-stores", _publisher_and_tick, second_store=True),
    )
}
