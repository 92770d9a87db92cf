"""Several objects at once, where a store bears it: bounded, and nothing is still under way when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from almanac.stores import ObjectStore

Item = TypeVar("Item")


def lanes(store: ObjectStore) -> int:
    """How many objects this store takes at the same time; one by one where it does not say, as a disk does not."""
    return int(getattr(store, "at_once", 1))


def each(
    items: Iterable[Item],
    do: Callable[[Item], object],
    *,
    at_once: int,
    then: Callable[[], None] = lambda: None,
) -> None:
    """``do`` for every item, and ``then`` after each of them, in the caller's thread. ``do`` must not use the database.

    The first error is raised when those that had begun have ended; no other is begun after it.
    """
    if at_once <= 1:
        for item in items:
            do(item)
            then()
        return
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="upload") as pool:
        under_way: set[Future[object]] = set()
        for item in items:
            while len(under_way) >= at_once:
                under_way = _settled(under_way, then)
            under_way.add(pool.submit(do, item))
        while under_way:
            under_way = _settled(under_way, then)


def _settled(under_way: set[Future[object]], then: Callable[[], None]) -> set[Future[object]]:
    done, rest = wait(under_way, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
        then()
    return rest
