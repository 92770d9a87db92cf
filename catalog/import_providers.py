"""What a document says about a provider itself, at the head of its block, written into the provider's record. Pure.

The rules are those of ``importing``: a gap is filled; what this document said before is updated or withdrawn; what an
operator or another document said stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from catalog.import_plan import Draft
from catalog.known_names import PROVIDERS
from catalog.records import Kind, Record
from catalog.schemas import residual
from catalog.schemas.base import NativeSchema, ParsedMember, Subject

_ALWAYS_THERE: Final = "name"


class Head(NamedTuple):
    subject: str
    provider: str
    """Its slug."""
    parsed: ParsedMember


def learn_provider(
    head: Head,
    schema: NativeSchema,
    own: Mapping[str, Record],
    others: Sequence[tuple[NativeSchema, Mapping[str, Record]]],
    draft: Draft,
) -> None:
    """``own`` and the others' mappings are memberships by subject, as they were."""
    stated = schema.learn(head.parsed)
    provider = draft.get(Kind.PROVIDER, head.provider) or {}
    said_before = _stated(schema, own, head.subject, provider)
    if not stated and not said_before:
        return
    held = {
        field
        for other, theirs in others
        for field, value in _stated(other, theirs, head.subject, provider).items()
        if provider.get(field) == value
    }
    followed = {field for field, value in said_before.items() if provider.get(field) == value} - held
    if head.provider not in draft.before(Kind.PROVIDER) and head.provider not in PROVIDERS:
        followed.add(_ALWAYS_THERE)
    made = dict(provider)
    made.update(
        {field: value for field, value in stated.items() if field not in provider or field in followed}
    )
    for field in followed - stated.keys() - {_ALWAYS_THERE}:
        made.pop(field, None)
    if made != provider:
        draft.put(Kind.PROVIDER, head.provider, made)


def _stated(
    schema: NativeSchema, memberships: Mapping[str, Record], subject: str, provider: Record
) -> Mapping[str, Any]:
    membership = memberships.get(subject)
    if membership is None:
        return {}
    derived = schema.derive(Subject(subject, provider=provider))
    native = residual.values(derived, membership.get("native", {}))
    return schema.learn(ParsedMember("provider", "", "", native, 0))
