"""The ``almanac/v1`` document: everything public, one record per line. Read strictly enough to be sure, no stricter.

Fields and sections that this version does not know are left alone; a newer format, or a document that says it needs
something this version cannot do, is ``TooOldError``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from almanac.errors import AlmanacError, MalformedError, TooOldError, UsageError

FORMAT: Final = "almanac/v1"
FAMILY: Final = "almanac/v"
KEPT: Final = "the catalog that was accepted stays in use"
CAPABILITIES: Final = frozenset[str]()
"""What a document may require of its reader and this version can do beyond the format itself."""

Fields = Mapping[str, Any]


class NotFoundError(AlmanacError):
    """No entry or offering goes by this name."""

    name, exit_code = "not-found", 1


@dataclass(frozen=True, slots=True)
class Model:
    """A model entry; ``fields`` is the whole record as published."""

    id: str
    fields: Fields
    offerings: tuple[Offering, ...] = ()

    @property
    def name(self) -> str:
        return str(self.fields.get("name", self.id))

    @property
    def lab(self) -> str:
        return str(self.fields.get("lab", self.id.partition("/")[0]))

    @property
    def stage(self) -> str:
        return str(self.fields.get("stage", "current"))

    @property
    def mode(self) -> str:
        return str(self.fields.get("mode", "chat"))

    @property
    def context_tokens(self) -> int | None:
        limits = self.fields.get("limits")
        value = (
            limits.get("context_tokens", limits.get("max_input_tokens")) if isinstance(limits, dict) else None
        )
        return value if isinstance(value, int) else None


@dataclass(frozen=True, slots=True)
class Offering:
    """A provider's version of a model; ``fields`` is the whole record as published."""

    id: str
    fields: Fields

    @property
    def entry(self) -> str:
        return str(self.fields.get("entry", ""))

    @property
    def provider(self) -> str:
        return str(self.fields.get("provider", self.id.partition(":")[0]))

    @property
    def native_id(self) -> str:
        return str(self.fields.get("native_id", self.id.partition(":")[2]))

    @property
    def stage(self) -> str:
        return str(self.fields.get("stage", "current"))

    def price(self, meter: str) -> str | None:
        """The standard price for single text tokens, as a decimal string with its currency: ``0.0000015 USD``."""
        for price in self.fields.get("prices", ()):
            plain = not {"above_tokens", "service_tier", "cache_ttl"} & price.keys()
            if price.get("meter") == meter and plain and price.get("modality", "text") == "text":
                return f"{price.get('amount')} {price.get('currency', 'USD')}"
        return None


class Document:
    """An ``almanac/v1`` document with its indexes, each made when it is first asked for."""

    def __init__(self, form: Mapping[str, Any]) -> None:
        self._form = form

    @classmethod
    def parse(cls, data: bytes) -> Document:
        import json

        try:
            form = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise MalformedError(f"not JSON ({error})", where="(almanac/v1)", advice=KEPT) from None
        if not isinstance(form, dict):
            raise MalformedError("not a JSON object", where="(almanac/v1)", advice=KEPT)
        _check_format(form.get("format"))
        _check_requirements(form.get("requires"))
        for section in ("entries", "offerings", "regions"):
            _check_section(section, form.get(section, []))
        return cls(form)

    @classmethod
    def check(cls, data: bytes) -> None:
        """Raises where this client could not use the document."""
        cls.parse(data)

    def section(self, name: str) -> Sequence[Fields]:
        """A section's records as published: ``regions``, ``labs``, ``providers``, ``featured``, ``trials``, …"""
        records = self._form.get(name, [])
        return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []

    @cached_property
    def offerings(self) -> dict[str, Offering]:
        return {record["id"]: Offering(record["id"], record) for record in self.section("offerings")}

    @cached_property
    def models(self) -> dict[str, Model]:
        """Every entry with its offerings, by ``lab/slug``."""
        of_entry: dict[str, list[Offering]] = {}
        for offering in self.offerings.values():
            of_entry.setdefault(offering.entry, []).append(offering)
        return {
            record["id"]: Model(record["id"], record, tuple(of_entry.get(record["id"], ())))
            for record in self.section("entries")
        }

    @cached_property
    def _by_other_name(self) -> dict[str, list[str]]:
        """Native ids, aliases and bare slugs → the entries or offerings that go by them."""
        names: dict[str, list[str]] = {}
        for offering in self.offerings.values():
            names.setdefault(offering.native_id, []).append(offering.id)
        for model in self.models.values():
            for name in {model.id.partition("/")[2], *_texts(model.fields.get("aliases"))}:
                names.setdefault(name, []).append(model.id)
        return names

    def find(self, name: str) -> Model | Offering:
        """An entry by ``lab/slug``, an offering by ``provider:native-id``, or either by another name if only one has it."""
        if name in self.models:
            return self.models[name]
        if name in self.offerings:
            return self.offerings[name]
        ids = self._by_other_name.get(name, [])
        entries = [found for found in ids if found in self.models]
        if len(entries) == 1:
            return self.models[entries[0]]
        # several providers may use one id for one and the same entry
        shared = {self.offerings[found].entry for found in ids if found in self.offerings}
        if len(ids) == 1:
            return self.offerings[ids[0]]
        if not entries and len(shared) == 1 and (entry := self.models.get(shared.pop())) is not None:
            return entry
        if ids:
            raise UsageError(
                "several models go by the name", where=repr(name), advice=f"say which: {', '.join(ids[:8])}"
            )
        raise NotFoundError("no model goes by the name", where=repr(name), advice=self._suggestion(name))

    def _suggestion(self, name: str) -> str:
        from difflib import get_close_matches

        near = get_close_matches(name, [*self.models, *self._by_other_name], n=3, cutoff=0.6)
        return f"did you mean {' or '.join(near)}?" if near else "try `almanac search`"

    def search(self, words: str) -> Iterator[Model]:
        """Entries in which every word occurs, the nearest first: in the name or id, then in offerings, then in text."""
        wanted = words.casefold().split()
        ranked = [
            (rank, model.id) for model in self.models.values() if (rank := _rank(model, wanted)) is not None
        ]
        return (self.models[identity] for _, identity in sorted(ranked))

    def region_chain(self, region: str) -> list[str]:
        """The region and its ancestors, nearest first, ``global`` last."""
        parents = {str(r.get("code")): r.get("parent") for r in self.section("regions")}
        if region != "global" and region not in parents:
            known = ", ".join(sorted(parents)) or "none"
            raise UsageError(f"there is no region {region!r}", advice=f"regions of this catalog: {known}")
        chain = [region]
        while (parent := parents.get(chain[-1])) and str(parent) not in chain:
            chain.append(str(parent))
        return chain if chain[-1] == "global" else [*chain, "global"]


def _check_format(stated: Any) -> None:
    if stated == FORMAT:
        return
    if isinstance(stated, str) and stated.startswith(FAMILY):
        raise TooOldError(f"this client reads {FORMAT}, not {stated}", advice=f"upgrade almanac; {KEPT}")
    raise MalformedError("not an almanac document", where=f"(format {stated!r})", advice=KEPT)


def _check_requirements(required: Any) -> None:
    """``requires`` maps what a reader must be able to do to the first version of almanac that can."""
    if required is None:
        return
    if not isinstance(required, dict):
        raise MalformedError("'requires' is not a mapping", where="(almanac/v1)", advice=KEPT)
    for capability, since in required.items():
        if capability not in CAPABILITIES:
            raise TooOldError(
                f"this client cannot do {capability!r}", advice=f"upgrade almanac to {since} or newer; {KEPT}"
            )


def _check_section(name: str, records: Any) -> None:
    key = "code" if name == "regions" else "id"
    if not isinstance(records, list) or not all(
        isinstance(r, dict) and isinstance(r.get(key), str) for r in records
    ):
        raise MalformedError(
            f"section {name!r} is not a list of records with {key!r}", where="(almanac/v1)", advice=KEPT
        )


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _rank(model: Model, words: Sequence[str]) -> int | None:
    title = f"{model.id} {model.name} {' '.join(_texts(model.fields.get('aliases')))}".casefold()
    if all(word in title for word in words):
        return 0 if any(model.id.partition("/")[2].startswith(word) for word in words) else 1
    offered = title + " " + " ".join(offering.id for offering in model.offerings).casefold()
    if all(word in offered for word in words):
        return 2
    text = f"{offered} {model.fields.get('description', '')} {model.mode} {model.stage}".casefold()
    return 3 if all(word in text for word in words) else None
