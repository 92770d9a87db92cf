"""OpenAI's ``/v1/models``: ids, and almost nothing else.

The list of one endpoint: what may be asked of it. So automatic membership lists the offerings of the provider ``openai``
alone; another provider's id would be an error there, and some ids are several providers'. Ids of other providers come in
by import, or by hand. ``created`` is the release date at midnight UTC; where the day is not known, the model is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from catalog.schemas.base import ParsedMember, Subject
from catalog.schemas.facts import Lens, Lenses, facts_of
from catalog.schemas.json_list import Frame, JsonList
from catalog.schemas.json_rules import Rule, count, filled, one_of, text
from catalog.schemas.moments import from_unix, to_unix
from catalog.schemas.reading.values import Json

_PROVIDER: Final = "openai"
_LENSES: Final = Lenses((Lens("created", ("released",), to_unix, from_unix),))
_OWNS: Final = {"created": ("released",)}


class OpenAI(JsonList):
    name: str = "openai"
    file: str = "openai/v1/models"
    client: str = "OpenAI's libraries"
    frame: Frame = (("object", '"list"'), ("data", None))
    fields: tuple[str, ...] = ("id", "object", "created", "owned_by")
    rules: tuple[Rule, ...] = (
        Rule("id", filled, "must be text"),
        Rule("object", one_of("model"), 'must be "model"'),
        Rule("created", count, "must be a whole number of seconds"),
        Rule("owned_by", text, "must be text"),
    )
    repeats_say: str = "an id names one model"
    unknown: Mapping[str, str] = {"created": "the day of its release is not known, and created needs it"}

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        return _OWNS

    def member(self, item: Mapping[str, Json], line: int) -> ParsedMember:
        return ParsedMember("offering", _PROVIDER, self.native_id(item, line), self.flat(item), line)

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        return _LENSES.read(member.native)

    def derive(self, subject: Subject) -> dict[str, Json]:
        return {
            "id": (subject.offering or {}).get("native_id", ""),
            "object": "model",
            **_LENSES.write(facts_of(subject.entry, subject.offering)),
            "owned_by": (subject.entry or {}).get("lab", ""),
        }

    def unfit(self, subject: Subject) -> str:
        return not_of(_PROVIDER, subject)


def not_of(provider: str, subject: Subject) -> str:
    """Why a list of one endpoint's ids leaves an offering out."""
    offering = subject.offering or {}
    if offering.get("provider") != provider:
        return f"the list is of what {provider} offers"
    if offering["ordinal"] > 1:
        return "an id stands once, and it is listed already"
    return "it is retired" if "retired" in (offering["stage"], (subject.entry or {}).get("stage")) else ""


OPENAI: Final = OpenAI()
