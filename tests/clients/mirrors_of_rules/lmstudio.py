"""LM Studio's catalog: every field stands on every entry and every file that it ever had, ``respository`` among them; only
its first versions did without ``_descriptorVersion``.
"""

from __future__ import annotations

from tests.clients.mirrors_of_rules import typed
from tests.clients.mirrors_of_rules.reading import Known
from tests.clients.mirrors_of_rules.typed import filled, matching, objects, one, text, whole

_WEB = matching(r"https://[^\s@]+")
_FILE = {
    "name": filled, "url": _WEB, "sizeBytes": whole, "quantization": text, "format": text,
    "sha256checksum": matching("[0-9a-f]{64}"), "publisher": one({"name": text, "socialUrl": text}), "respository": text,
    "repositoryUrl": _WEB,
}  # fmt: skip
_MARK = one({"name": text})
_FIELDS = {
    "_descriptorVersion": text,
    "datePublished": matching(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z?"),
    "name": filled,
    "description": text,
    "author": one({"name": text, "url": text, "blurb": text}),
    "numParameters": text,
    "resources": one({"canonicalUrl": text, "paperUrl": text, "downloadUrl": text}, ("paperUrl",)),
    "trainedFor": text,
    "arch": text,
    "files": one(
        {
            "highlighted": one({"economical": _MARK, "most_capable": _MARK}, ("economical", "most_capable")),
            "all": objects(_FILE, least=1),
        }
    ),
}


def read(data: bytes) -> Known:
    return typed.read(data, _FIELDS, ("_descriptorVersion",), lambda item: str(item["author"]["name"]))
