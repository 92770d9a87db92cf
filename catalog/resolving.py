"""Which record a name in a document means: a provider's slug, and the entry that an offering belongs to. Pure.

The tables stand in ``known_names``. A wrong guess costs little: an offering keeps its native id whatever its entry is
called, and an operator can move it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from catalog.known_names import (
    FAMILY_NAMES,
    LAB_PATTERNS,
    LAB_SPELLINGS,
    LABS,
    PROVIDER_PREFIXES,
    PROVIDERS,
)
from catalog.records import EntryRecord, LabRecord, ProviderRecord, Record

SLUG: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
NATIVE_ID: Final = re.compile(r"[\x20-\x7e]{1,256}")

_UNFIT: Final = re.compile(r"[^a-z0-9._-]+")
_HOSTING_PREFIX: Final = re.compile(r"^(?:us|eu|apac|jp|au|in|ca|global|us-gov)\.(?=[a-z0-9]+\.)")
_LAB_PREFIX: Final = re.compile(r"^([a-z0-9-]+)\.(?=[a-z])")
_HOSTING_SUFFIX: Final = re.compile(
    r"(?:-v[0-9]+)?:[0-9]+(?::[0-9a-z]+)?$|:(?:free|nitro|extended|beta|thinking|floor)$"
)
_PREVIEW: Final = re.compile(r"(?:^|[-_.@:/])(?:preview|experimental|exp|beta|alpha)(?:$|[-_.@:/0-9])")


def slugify(text: str, *, otherwise: str = "unknown") -> str:
    """The nearest slug: lower case, what does not fit becomes ``-``."""
    slug = _UNFIT.sub("-", text.lower()).strip("-._")[:128].rstrip("-._")
    return slug or otherwise


def provider_names(slug: str) -> dict[str, str]:
    """What each family calls a known provider, where that is not the slug."""
    known = PROVIDERS.get(slug)
    names = {"aichat": known.aichat, "litellm": known.litellm} if known else {}
    names.update({family: named.get(slug, "") for family, named in FAMILY_NAMES.items()})
    return {family: name for family, name in names.items() if name}


@cache
def _spelled_providers() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for slug, known in PROVIDERS.items():
        for family in ("aichat", "litellm", *FAMILY_NAMES):
            for name in (slug, *known.also):
                found.setdefault((family, name), slug)
    for slug in {*PROVIDERS, *(slug for named in FAMILY_NAMES.values() for slug in named)}:
        for family, name in provider_names(slug).items():
            found[family, name] = slug
    return found


def provider_slug(family: str, name: str, providers: Mapping[str, Record]) -> str:
    """Whom a document of this family means by ``name``: a provider that carries it, a known one, or a new one."""
    for slug, record in providers.items():
        if record.get("names", {}).get(family) == name:
            return slug
    known = _spelled_providers().get((family, name))
    if known:
        return known
    for prefix, slug in PROVIDER_PREFIXES.items():
        if name.startswith(prefix):
            return slug
    return slugify(name.replace("_", "-"))


def new_provider(slug: str, family: str, name: str) -> ProviderRecord:
    """A provider as the tables know it, or under the name that the document gives it."""
    known = PROVIDERS.get(slug)
    fit = NATIVE_ID.fullmatch(name) is not None
    record = ProviderRecord(
        slug=slug, name=known.name if known else (name.strip()[:200] if fit else "") or slug
    )
    names = provider_names(slug)
    if not known and family and fit and name != slug:
        names[family] = name
    if names:
        record["names"] = names
    return record


def new_lab(slug: str, name: str) -> LabRecord:
    return LabRecord(slug=slug, name=LABS.get(slug, name))


@cache
def model_identity(native_id: str) -> tuple[str, str]:
    """(lab or empty, slug) that a native id speaks of, without the marks of whoever hosts it."""
    *folders, tail = native_id.lower().strip("/").split("/")
    tail = _HOSTING_SUFFIX.sub("", _HOSTING_PREFIX.sub("", tail.lstrip("@~")))
    lab = ""
    prefix = _LAB_PREFIX.match(tail)
    if prefix and _lab_named(prefix[1]):
        lab, tail = _lab_named(prefix[1]), tail[prefix.end() :]
    slug = slugify(tail.replace("@", "-").replace(":", "-"))
    if not lab:
        lab = next((found for folder in reversed(folders) if (found := _lab_named(folder))), "")
    by_name = next((found for pattern, found in LAB_PATTERNS if pattern.match(slug)), "")
    return by_name or lab, slug


def _lab_named(text: str) -> str:
    return LAB_SPELLINGS.get(text, text if text in LABS else "")


def stage_of(native_id: str) -> str:
    return "preview" if _PREVIEW.search(native_id.lower()) else "current"


class Entries:
    """The entries that are known, by every id under which one of them has been met."""

    def __init__(self, entries: Mapping[str, Record], offerings: Iterable[Record]) -> None:
        self._by_id: dict[tuple[str, str], str] = {}
        for key, entry in entries.items():
            self._by_id[entry["lab"], entry["slug"]] = key
        for key, entry in entries.items():
            for alias in entry.get("aliases", ()):
                self._by_id.setdefault((entry["lab"], model_identity(alias)[1]), key)
        for offering in offerings:
            if offering["entry"] in entries:
                lab = offering["entry"].partition("/")[0]
                self._by_id.setdefault((lab, model_identity(offering["native_id"])[1]), offering["entry"])

    def find(self, lab: str, slug: str) -> str | None:
        return self._by_id.get((lab, slug))

    def add(self, entry: EntryRecord) -> str:
        key = f"{entry['lab']}/{entry['slug']}"
        self._by_id[entry["lab"], entry["slug"]] = key
        return key
