"""Makes the means of publication from the settings; only commands, tasks and views call this."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from django.conf import settings

from almanac.fetch import Fetcher, Limits
from almanac.s3_store import Patience, S3Store
from almanac.stores import ObjectStore, store_at
from mirrors import failpoints
from mirrors.checks import Facts
from mirrors.purging.drivers import CONNECT_S, READ_S
from mirrors.purging.setting import purgers_of
from mirrors.services.backing_up import Places
from mirrors.services.catalog_source import CatalogSource
from mirrors.services.first_start import opener
from mirrors.services.means import Means
from mirrors.services.observing import Memory, Remembered, observe
from mirrors.verifying.sources import HttpSource

PATIENCE: Final = Limits(connect_s=3.0, read_s=5.0, wall_s=15.0)
"""With our own public address: who asks how we are waits for the answer."""


THOROUGH: Final = Patience()
BRIEF: Final = Patience(tries=2, total_s=3.0, connect_s=1.5, read_s=3.0)
"""With a bucket, where somebody waits for a page; what publishes has more."""
READY_FOR_S: Final = 5.0
MEASURED_FOR_S: Final = 15.0


def means_from_settings(
    environment: Mapping[str, str] | None = None, *, patience: Patience = THOROUGH
) -> Means:
    environment = os.environ if environment is None else environment
    return Means(
        stores={url: _store(url, patience) for url in settings.ALMANAC_STORES},
        catalog=CatalogSource(),
        open_keys=opener(settings.KEYS_DIR, settings.KEY_PASSPHRASE),
        base_url=settings.PUBLIC_BASE_URL,
        staging=settings.STAGING_DIR,
        passing=failpoints.from_text(environment.get("ALMANAC_FAILPOINT", "")),
        threads=max(2, os.cpu_count() or 2),
        purgers=purgers_of(
            settings.CDN_PURGE, settings.CDN_PURGE_TOKENS, connect=lambda: _cloudfront(environment)
        ),
    )


def _store(url: str, patience: Patience) -> ObjectStore:
    return S3Store.at(url, patience=patience) if url.startswith("s3://") else store_at(url)


def _cloudfront(environment: Mapping[str, str]) -> Any:
    patience = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": 1})
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    return boto3.client("cloudfront", region_name=region, config=patience)


def facts_from_settings(*, write: bool = False, public: bool = False, memory: Memory | None = None) -> Facts:
    """How we are. ``public`` asks PUBLIC_BASE_URL as well, unless that is this machine's own loopback address."""
    base = settings.PUBLIC_BASE_URL
    return observe(
        means_from_settings(patience=THOROUGH if write else BRIEF),
        keys_folder=settings.KEYS_DIR,
        has_passphrase=settings.KEY_PASSPHRASE is not None,
        write=write,
        public=HttpSource(base, Fetcher(PATIENCE)) if public and not is_loopback(base) else None,
        memory=memory,
    )


_memory = Memory()
ready = Remembered(lambda: facts_from_settings(memory=_memory), for_s=READY_FOR_S)
"""How this process is."""
measured = Remembered(lambda: facts_from_settings(public=True, memory=_memory), for_s=MEASURED_FOR_S)
"""How everything is, the public address included."""


def places_from_settings() -> Places:
    home = settings.ALMANAC_HOME
    return Places(
        keys=settings.KEYS_DIR,
        secret_key=settings.SECRET_KEY_PATH,
        staging=settings.STAGING_DIR,
        marker=home / "restoring",
    )


def settings_facts() -> dict[str, Any]:
    """What a backup says of the settings, for the person who restores it; nothing secret."""
    return {
        "ALMANAC_STORE": list(settings.ALMANAC_STORES),
        "PUBLIC_BASE_URL": settings.PUBLIC_BASE_URL,
        "S3_ENDPOINT_URL": settings.S3_ENDPOINT_URL.rpartition("@")[2],
        "TWO_PERSON_REVIEW": settings.TWO_PERSON_REVIEW,
    }


def is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
