"""Would readers of one contract bear documents of another? Two JSON Schemas are compared; pure.

Every document that the new contract allows is asked for what the old one demands. What is found is a *break* where a
reader of the old contract may fail, and a *loss* where it would only miss something. Where the two cannot be compared
word by word (patterns, alternatives), a difference counts as a break: who knows better looks at the documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

Contract = Mapping[str, Any]
_BOUNDS: Final = {"minimum": 1, "minLength": 1, "minItems": 1, "maximum": -1, "maxLength": -1, "maxItems": -1}
"""Keyword → 1 where a smaller one allows more, -1 where a larger one does."""
_WORD_BY_WORD: Final = ("pattern", "anyOf", "oneOf", "allOf", "not", "patternProperties", "format")
_MOST_STEPS: Final = 32
_FREE: Final[Contract] = {}
_ANYTHING: Final = frozenset(("string", "number", "integer", "boolean", "object", "array", "null"))


class Difference(NamedTuple):
    severity: Literal["break", "loss"]
    where: str
    """``[].models[].name``; a ``*`` stands for any name."""
    reason: str


def differences(old: Contract, new: Contract) -> list[Difference]:
    """What readers of ``old`` meet in documents of ``new``, from the top down."""
    return list(dict.fromkeys(_compare(_Place(old, old), _Place(new, new), "", frozenset())))


class _Place(NamedTuple):
    """A part of a contract, with the whole for its references."""

    part: Contract
    whole: Contract

    def resolved(self) -> _Place:
        part, steps = self.part, 0
        while "$ref" in part and steps < _MOST_STEPS:
            part, steps = self.whole["$defs"][part["$ref"].rpartition("/")[2]], steps + 1
        return _Place(part, self.whole)

    def inner(self, part: Any) -> _Place:
        return _Place(part if isinstance(part, Mapping) else _FREE, self.whole).resolved()


def _compare(old: _Place, new: _Place, where: str, seen: frozenset[tuple[int, int]]) -> Iterator[Difference]:
    old, new = old.resolved(), new.resolved()
    pair = (id(old.part), id(new.part))
    if pair in seen:
        return
    seen |= {pair}
    yield from _values(old.part, new.part, where)
    if not _types(old.part) & _types(new.part):
        return
    yield from _fields(old, new, where, seen)
    if "items" in old.part:
        yield from _compare(
            old.inner(old.part["items"]), new.inner(new.part.get("items")), f"{where}[]", seen
        )


def _values(old: Contract, new: Contract, where: str) -> Iterator[Difference]:
    before, after = _types(old), _types(new)
    if more := sorted(after - before - ({"integer"} if "number" in before else set())):
        yield Difference(
            "break", where, f"may be {' or '.join(more)}, and was {' or '.join(sorted(before))} alone"
        )
    words, others = _words(old), _words(new)
    if words is not None and (others is None or (extra := [one for one in others if one not in words])):
        said = "anything" if others is None else ", ".join(map(repr, extra))
        yield Difference("break", where, f"may be {said}, which its readers do not know")
    for keyword, sign in _BOUNDS.items():
        if keyword in old and (keyword not in new or (new[keyword] - old[keyword]) * sign < 0):
            yield Difference(
                "break", where, f"{keyword} was {old[keyword]} and is {new.get(keyword, 'free')}"
            )
    for keyword in _WORD_BY_WORD:
        if keyword in old and old[keyword] != new.get(keyword):
            yield Difference("break", where, f"its {keyword} is another one")


def _fields(old: _Place, new: _Place, where: str, seen: frozenset[tuple[int, int]]) -> Iterator[Difference]:
    known: Mapping[str, Any] = old.part.get("properties", {})
    offered: Mapping[str, Any] = new.part.get("properties", {})
    for name in old.part.get("required", ()):
        if name not in new.part.get("required", ()):
            verb = "may be missing" if name in offered else "is not there any more"
            yield Difference("break", f"{where}.{name}", f"{verb}, and its readers need it")
    for name, part in known.items():
        place = f"{where}.{name}"
        if part is False and offered.get(name, True) is not False:
            yield Difference("break", place, "may be there, and must not be")
        elif name in offered:
            yield from _compare(old.inner(part), new.inner(offered[name]), place, seen)
        elif name not in old.part.get("required", ()):
            yield Difference("loss", place, "is not known to the new contract")
    others = old.part.get("additionalProperties")
    if others is False:
        for name in sorted(offered.keys() - known.keys()):
            yield Difference(
                "break", f"{where}.{name}", "is new, and its readers refuse fields that they do not know"
            )
    elif isinstance(others, Mapping):
        yield from _compare(
            old.inner(others), new.inner(new.part.get("additionalProperties")), f"{where}.*", seen
        )


def _types(contract: Contract) -> frozenset[str]:
    found = contract.get("type")
    if found is None:
        return _ANYTHING
    types = frozenset((found,) if isinstance(found, str) else found)
    return types | {"integer"} if "number" in types else types


def _words(contract: Contract) -> list[Any] | None:
    """The only values that there may be; ``None``: any."""
    if "const" in contract:
        return [contract["const"]]
    return list(contract["enum"]) if "enum" in contract else None
