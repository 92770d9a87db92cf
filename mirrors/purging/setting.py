"""CDN_PURGE, read: which caches are told after a commit.

    cloudfront:E2QWRUHEXAMPLE            by boto3, with its usual credentials
    fastly                               FASTLY_API_TOKEN
    cloudflare:023e105f4ecef8ad9ca31a8   CLOUDFLARE_API_TOKEN
    PURGE https://edge.internal/{path}   any method and address; CDN_PURGE_TOKEN is sent as a bearer token where it is set

Several are separated by commas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from mirrors.purging.drivers import Cloudflare, CloudFront, Connect, Fastly, Generic, Purger

TOKENS: Final = {
    "fastly": "FASTLY_API_TOKEN",
    "cloudflare": "CLOUDFLARE_API_TOKEN",
    "generic": "CDN_PURGE_TOKEN",
}
_ID: Final = re.compile(r"[A-Za-z0-9]{4,64}")
_GENERIC: Final = re.compile(r"([A-Z]{3,12})\s+(https?://\S+)")


class PurgeSettingError(ValueError):
    """The message names the variable."""


def purgers_of(words: Sequence[str], tokens: Mapping[str, str], *, connect: Connect) -> tuple[Purger, ...]:
    """``tokens``: variable → its value, where it is set; ``connect`` makes CloudFront's client when it is needed.

    Raises:
        PurgeSettingError: a word makes no sense, or its token is missing.
    """
    return tuple(_purger(word, tokens, connect) for word in words)


def _purger(word: str, tokens: Mapping[str, str], connect: Connect) -> Purger:
    kind, _, name = word.partition(":")
    generic = _GENERIC.fullmatch(word)
    if generic is not None:
        return _generic(generic[1], generic[2], tokens.get(TOKENS["generic"]))
    if kind == "fastly" and not name:
        return Fastly(_token(kind, tokens))
    if kind == "cloudflare" and _ID.fullmatch(name):
        return Cloudflare(name, _token(kind, tokens))
    if kind == "cloudfront" and _ID.fullmatch(name):
        return CloudFront(name, connect)
    raise PurgeSettingError(
        f"CDN_PURGE: {word!r} is none of cloudfront:DISTRIBUTION, fastly, cloudflare:ZONE, "
        "or METHOD https://host/{path}"
    )


def _generic(method: str, template: str, token: str | None) -> Generic:
    parts = urlsplit(template)
    if "@" in parts.netloc or not parts.hostname or ("{path}" not in template and "{url}" not in template):
        raise PurgeSettingError(
            "CDN_PURGE: the address needs {path} or {url} in it, and no name or password; "
            "a token belongs in CDN_PURGE_TOKEN"
        )
    return Generic(method, template, {"Authorization": f"Bearer {token}"} if token else {})


def _token(kind: str, tokens: Mapping[str, str]) -> str:
    variable = TOKENS[kind]
    if not tokens.get(variable):
        raise PurgeSettingError(f"CDN_PURGE names {kind}, and {variable} is not set")
    return tokens[variable]
