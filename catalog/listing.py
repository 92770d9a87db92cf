"""Adding a member to a document by hand: where it stands. Pure."""

from __future__ import annotations

from catalog.placing import GAP
from catalog.records import Kind, MembershipRecord, Record
from catalog.schemas.base import EntrySchema, NativeSchema, State


def listed(schema: NativeSchema, offering: str, state: State) -> list[MembershipRecord]:
    """The memberships that put an offering at the end of its block, or of the document; a missing block comes with it.

    For a schema whose membership is explicit. Empty where it is listed already, is no offering, or where models are listed.
    """
    if isinstance(schema, EntrySchema):
        return []
    record = state.get(Kind.OFFERING, offering)
    subject = f"offering:{offering}"
    if record is None or state.get(Kind.MEMBERSHIP, f"{schema.name}|{subject}") is not None:
        return []
    members = [member for member in state.all(Kind.MEMBERSHIP).values() if member["schema"] == schema.name]
    if not schema.blocks:
        return [MembershipRecord(schema=schema.name, subject=subject, position=_after(members))]
    head_subject = f"provider:{record['provider']}"
    head = next((member for member in members if member["subject"] == head_subject), None)
    made: list[MembershipRecord] = []
    if head is None:
        block = _after([member for member in members if member["subject"].startswith("provider:")])
        made.append(MembershipRecord(schema=schema.name, subject=head_subject, position=block, block=block))
    else:
        block = head["block"]
        if "models" in head.get("native", {}).get("set", {}):
            made.append(_opened(head))
    inside = [
        member for member in members if member.get("block") == block and member["subject"] != head_subject
    ]
    made.append(MembershipRecord(schema=schema.name, subject=subject, position=_after(inside), block=block))
    return made


def _after(members: list[Record]) -> int:
    return max((member["position"] for member in members), default=0) + GAP


def _opened(head: Record) -> MembershipRecord:
    """A block's head that said that it has no models."""
    native = dict(head["native"])
    native["set"] = {field: text for field, text in native["set"].items() if field != "models"}
    if not native["set"]:
        del native["set"]
    opened = MembershipRecord(
        schema=head["schema"], subject=head["subject"], position=head["position"], block=head["block"]
    )
    if native:
        opened["native"] = native
    return opened
