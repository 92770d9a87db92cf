"""Where the members of an imported document stand: as few as possible get another place than they had. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from catalog.placing import place
from catalog.records import Record
from catalog.schemas.base import ParsedMember


class Placed(Protocol):
    @property
    def parsed(self) -> ParsedMember: ...

    @property
    def subject(self) -> str: ...


def places(members: Sequence[Placed], own: Mapping[str, Record], *, in_blocks: bool) -> list[tuple[int, int]]:
    """(block, position) of each, in document order; ``own`` are the memberships that the schema had, by subject."""
    blocks = _blocks(members, own) if in_blocks else [0] * len(members)
    return list(zip(blocks, _positions(members, blocks, own, in_blocks=in_blocks), strict=True))


def _blocks(members: Sequence[Placed], own: Mapping[str, Record]) -> list[int]:
    """Each member's block, named by the position of its head."""
    heads = [member for member in members if member.parsed.kind == "provider"]
    placed = place([_position(own.get(head.subject)) for head in heads])
    return [placed[member.parsed.block] for member in members]


def _positions(
    members: Sequence[Placed], blocks: Sequence[int], own: Mapping[str, Record], *, in_blocks: bool
) -> list[int]:
    """A head stands where its block does; the others are placed inside their block."""
    found = list(blocks)
    inside: dict[int, list[int]] = {}
    for index, member in enumerate(members):
        if member.parsed.kind != "provider":
            inside.setdefault(blocks[index], []).append(index)
    for block, indexes in inside.items():
        before = [own.get(members[index].subject) for index in indexes]
        stayed = [one if not in_blocks or (one or {}).get("block") == block else None for one in before]
        for index, position in zip(indexes, place([_position(one) for one in stayed]), strict=True):
            found[index] = position
    return found


def _position(membership: Record | None) -> int | None:
    return None if membership is None else int(membership["position"])
