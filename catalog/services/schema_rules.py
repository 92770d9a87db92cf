"""What only the registry and the other records can tell about schemas and adjustments; and what is held back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from catalog.errors import Problem
from catalog.members import family_of, is_automatic, line_of, subject
from catalog.models import Release
from catalog.reading import LiveState, ReleaseState
from catalog.records import Kind, Record
from catalog.schemas import residual
from catalog.schemas.base import Line, NativeSchema, State
from catalog.schemas.registry import NATIVE, SCHEMAS

Afters = Mapping[tuple[Kind, str], Record | None]


def schema_problems(afters: Afters) -> Iterator[Problem]:
    """A successor must be a schema that somebody can change over to."""
    state = _With(afters)
    for (kind, key), after in afters.items():
        successor = (after or {}).get("successor")
        if kind is not Kind.SCHEMA or successor is None:
            continue
        if successor not in SCHEMAS:
            known = ", ".join(sorted(SCHEMAS))
            yield Problem(kind, key, "successor", f"there is no schema {successor}", f"known: {known}")
        elif (state.get(Kind.SCHEMA, successor) or {}).get("status") == "retired":
            yield Problem(
                kind, key, "successor", f"{successor} is retired itself", "name one that is published"
            )


def adjustment_problems(afters: Afters) -> Iterator[Problem]:
    """An adjustment must be one that the schema's clients can bear."""
    state = _With(afters)
    for (kind, key), after in afters.items():
        if kind is not Kind.ADJUSTMENT or after is None:
            continue
        schema = NATIVE.get(after["schema"])
        if schema is None:
            reason = f"{after['schema']} lists the records themselves, so nothing is said otherwise in it"
            yield Problem(kind, key, "schema", reason, "change the record, or where it is available")
        else:
            yield from _refusals(schema, after, state)


def _refusals(schema: NativeSchema, adjustment: Record, state: State) -> Iterator[Problem]:
    key = f"{schema.name}|{adjustment['subject']}"
    without = _Without(state, key)
    borne = set(_stops(schema, adjustment["subject"], without))
    for client, reason in _stops(schema, adjustment["subject"], state):
        if (client, reason) not in borne:
            field = "drop" if adjustment.get("drop") else "set"
            said = f"{client} would not take the document: {reason}"
            yield Problem(
                Kind.ADJUSTMENT, key, field, said, "say something that it takes, or hide the whole entry"
            )


def _stops(schema: NativeSchema, key: str, state: State) -> Iterator[tuple[str, str]]:
    """(client, reason) of everything that would stop the member's line; none where it has no line."""
    automatic = is_automatic(schema, state)
    found = subject(schema, key, state, automatic=automatic)
    if found is None:
        return
    made = line_of(schema, found, state, family_of(schema, SCHEMAS), automatic=automatic)
    if isinstance(made, Line):
        for finding in schema.gate_line(made):
            if finding.severity == "stop":
                yield finding.client, finding.reason


def as_released(*, schema: str, member: str) -> dict[str, Any] | None:
    """The member as the newest release's document has it, to be held back; ``None`` where it has none."""
    newest = Release.objects.order_by("-number").first()
    if newest is None or schema not in NATIVE:
        return None
    native, state = NATIVE[schema], ReleaseState(newest.number)
    automatic = is_automatic(native, state)
    found = subject(native, member, state, automatic=automatic)
    if found is None or not isinstance(
        line_of(native, found, state, family_of(native, SCHEMAS), automatic=automatic), Line
    ):
        return None
    derived = {} if member.startswith("opaque:") else native.derive(found)
    raw = residual.compose(derived, found.own, native.rank(member))
    return {"release": newest.number, "native": residual.whole(raw, found.own)}


class _With:
    """The live records as a set of changes would leave them."""

    def __init__(self, afters: Afters) -> None:
        self._live, self._afters = LiveState(), afters

    def get(self, kind: Kind, key: str) -> Record | None:
        return self._afters[kind, key] if (kind, key) in self._afters else self._live.get(kind, key)

    def all(self, kind: Kind) -> Mapping[str, Record]:
        found = dict(self._live.all(kind))
        for (changed, key), after in self._afters.items():
            if changed is kind:
                found.pop(key, None)
                if after is not None:
                    found[key] = after
        return found


class _Without:
    """A state without one adjustment."""

    def __init__(self, state: State, key: str) -> None:
        self._state, self._key = state, key

    def get(self, kind: Kind, key: str) -> Record | None:
        return None if (kind, key) == (Kind.ADJUSTMENT, self._key) else self._state.get(kind, key)

    def all(self, kind: Kind) -> Mapping[str, Record]:
        found = self._state.all(kind)
        if kind is not Kind.ADJUSTMENT:
            return found
        return {key: record for key, record in found.items() if key != self._key}
