"""What a schema is: a published document format, as pure functions between bytes and records.

A document is made of *lines*, one for each member, so that a publication renders only what changed:
``line`` gives one member's text, ``assemble`` joins lines that are sorted by ``Line.order``. A member is found by its
*subject*: ``offering:<key>``, ``provider:<slug>`` (a block's head), ``opaque:<name>`` (kept as it came), and in
``almanac/v1`` any public record as ``<kind>:<key>``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from catalog.records import Kind, Record
from catalog.schemas import residual
from catalog.schemas.reading.values import Json, ParseError

__all__ = [
    "EntrySchema",
    "Finding",
    "Json",
    "Line",
    "NativeSchema",
    "Omission",
    "ParseError",
    "ParsedDocument",
    "ParsedMember",
    "ParsedRecord",
    "Schema",
    "State",
    "Subject",
    "VersionedSchema",
]


class State(Protocol):
    """The records that a document is made from: the live ones, a release's, or a test's."""

    def get(self, kind: Kind, key: str) -> Record | None: ...

    def all(self, kind: Kind) -> Mapping[str, Record]: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """One member with every record that its line may read; ``record`` holds the kinds that have no place of their own."""

    key: str
    membership: Record | None = None
    provider: Record | None = None
    lab: Record | None = None
    entry: Record | None = None
    offering: Record | None = None
    record: Record | None = None
    adjustment: Record | None = None
    """What an operator decided about it in this schema."""
    hidden: str = ""
    """Why this document does not list it, where an operator decided so."""

    @property
    def own(self) -> Mapping[str, Any]:
        """The residual that its line is composed with: what was imported, and over it what an operator decided."""
        imported: Mapping[str, Any] = (self.membership or {}).get("native", {})
        return residual.adjusted(imported, self.adjustment) if self.adjustment else imported


class Line(NamedTuple):
    """One member's text, its final newline included where the format has one."""

    order: str
    """Sorts the lines of a document by code point."""
    key: str
    """The subject's key."""
    text: str
    tail: str = ""
    """What closes the block that this line opens, written after the block's last member."""


class Omission(NamedTuple):
    """Why a member, or one field of it, is not in the document."""

    key: str
    reason: str
    field: str = ""
    """Empty: the whole member is left out."""


class Finding(NamedTuple):
    """What the gate says: ``stop`` for a document that the client would refuse or misread, ``warn`` for what people must know."""

    severity: Literal["stop", "warn"]
    where: str
    reason: str
    client: str


@dataclass(frozen=True, slots=True)
class ParsedMember:
    """One member as its document states it."""

    kind: Literal["offering", "entry", "provider", "opaque"]
    provider: str
    """The provider's name as this document writes it; of an entry, its lab's; empty for an opaque member."""
    native_id: str
    """Verbatim; an opaque member's name; what an entry is known by; empty for a block's head."""
    native: Mapping[str, Json]
    """Every field in its order; numbers keep their spelling."""
    line: int
    block: int = 0
    """Which block of the document it stands in, counted from 0."""


@dataclass(frozen=True, slots=True)
class ParsedRecord:
    """A whole record, from a document that holds records (``almanac/v1``)."""

    kind: Kind
    key: str
    record: Record
    line: int


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """Members in document order, or records; ``document`` goes to ``SchemaRecord["document"]``."""

    members: tuple[ParsedMember, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict)
    records: tuple[ParsedRecord, ...] = ()
    notices: tuple[str, ...] = ()
    """What a person should know about the file, though it was accepted."""


class Schema(Protocol):
    """What the renderer, the publisher and the commands use of a format."""

    @property
    def name(self) -> str: ...

    @property
    def file(self) -> str:
        """Below ``catalog/``: ``v2/models.yaml``."""

    @property
    def media_type(self) -> str: ...

    @property
    def family(self) -> str:
        """The key of ``ProviderRecord.names``; empty where providers have one name only."""

    def parse(self, data: bytes) -> ParsedDocument:
        """Raises ``ParseError`` with line, column, reason and advice."""

    def line(self, subject: Subject) -> Line | Omission:
        """One member's text. Pure: equal subjects, equal text."""

    def assemble(self, lines: Iterable[Line], document: Mapping[str, Any]) -> bytes:
        """The document; ``lines`` come sorted by ``order``."""

    def gate(self, data: bytes) -> list[Finding]:
        """Reads a whole document with the client's rules: the slow, complete check."""

    def gate_line(self, line: Line) -> list[Finding]:
        """The same rules for one line: the findings are a pure function of its text, so they can be kept by its hash."""

    def gate_lines(self, lines: Sequence[Line]) -> list[Finding]:
        """What only all lines together can tell, without reading their text: emptiness, counts, repetition."""


@runtime_checkable
class NativeSchema(Schema, Protocol):
    """A format of somebody else's, with members that are joined to shared facts."""

    @property
    def blocks(self) -> bool:
        """True where members stand in blocks, one for each provider."""

    @property
    def owns(self) -> Mapping[str, tuple[str, ...]]:
        """Native field → the shared facts it is derived from; see ``catalog.schemas.facts``."""

    def rank(self, subject_key: str) -> Callable[[str], Any]:
        """Sorts the fields of such a member where it has no order of its own; no two fields are equal."""

    def derive(self, subject: Subject) -> dict[str, Json]:
        """The member as the shared facts alone would have it, its fields in the format's usual order."""

    def learn(self, member: ParsedMember) -> Mapping[str, Any]:
        """The shared facts that a member states, by path; what cannot be shared is simply not in it."""

    def beyond(self, subject: Subject, member: ParsedMember) -> dict[str, Any]:
        """The member's residual: what it says that ``derive`` does not; see ``catalog.schemas.residual``."""

    def excluded(self, subject: Subject, kin: Mapping[str, Json]) -> str:
        """Why automatic membership leaves this subject out; empty: it is in.

        ``kin`` is what other versions of the family say about it beyond the shared facts.
        """


@runtime_checkable
class VersionedSchema(NativeSchema, Protocol):
    """A format whose clients say their version when they ask, and whose members may need a newer one."""

    def minimum_client(self, line: Line) -> str:
        """The oldest client that can use a member; empty: all can."""


@runtime_checkable
class EntrySchema(NativeSchema, Protocol):
    """A format whose members are models themselves, with their files, whoever may offer them: ``entry:<lab/slug>``."""

    @property
    def lists_entries(self) -> Literal[True]: ...
