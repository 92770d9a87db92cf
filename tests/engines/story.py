"""One operator's story, told the same way on any database: ``python -m tests.engines.story FOLDER`` publishes to FOLDER.

Keys, clock and requests are given, so that every byte of the store, signatures included, must depend on them alone.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
django.setup()

from django.core.management import call_command  # noqa: E402

from almanac.stores import FileStore  # noqa: E402
from catalog.models import RecordVersion  # noqa: E402
from catalog.reading import loaded  # noqa: E402
from catalog.records import Kind, Record, key_of  # noqa: E402
from catalog.services.editing import edit_record  # noqa: E402
from mirrors.models import Job  # noqa: E402
from mirrors.services import publishing, rolling_back, ticking  # noqa: E402
from mirrors.services.catalog_source import CatalogSource  # noqa: E402
from mirrors.services.means import Means  # noqa: E402
from tests import factories  # noqa: E402
from tests.mirrors.cast import House  # noqa: E402

NAMES = ("Ångström", "apple", "Zebra", "zebra", "éclair", "模型", "a-b", "a_b", "a.b", "A B", "🦙")
NATIVE_IDS = ("Zebra", "apple", "zebra", "Apple", "a-b", "a_b", "a.b", "A/b", "a:b", "~a", "a+b")
"""Databases order text as they like; documents must not."""


class Story:
    def __init__(self, folder: Path) -> None:
        self.now = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
        keys = House()
        self.means = Means(
            stores={"memory:first": FileStore(folder)},
            catalog=CatalogSource(),
            open_keys=lambda: keys,
            base_url="https://catalog.example.org",
            staging=folder.parent / f"{folder.name}-staging",
            clock=lambda: self.now,
            stopwatch=lambda: 0.0,
        )

    def pass_time(self, **length: float) -> None:
        self.now += timedelta(**length)

    def edit(self, kind: Kind, record: Record) -> None:
        edit_record(kind=kind, key=key_of(kind, record), after=record, by="alice", now=self.now)

    def publish(self) -> None:
        self.pass_time(minutes=7)
        publishing.publish(
            self.means, by="alice", override="shrink,touched,price,host,provider", reason="a story"
        )

    def tick(self) -> None:
        Job.objects.update(due_at=self.now)
        ticked = ticking.tick(self.means, jobs_at_once=10_000)
        assert not ticked.errors, ticked.errors

    def tell(self) -> None:
        call_command("loaddemo", stdout=sys.stderr)
        self.publish()
        self.edit(*factories.lab())
        self.edit(*factories.provider())
        for number, (name, native_id) in enumerate(zip(NAMES, NATIVE_IDS, strict=True)):
            slug = f"m{number}"
            self.edit(*factories.entry(slug, name=name))
            prices = [factories.price(f"0.0000{number + 1}1"), factories.price("0.0000025", meter="output")]
            self.edit(*factories.offering(native_id, entry=f"acme/{slug}", prices=prices))
        self.publish()
        first = RecordVersion.objects.filter(live=True, kind=Kind.ENTRY).order_by("pk").first()
        assert first is not None
        self.edit(Kind.ENTRY, {**(loaded(first.data) or {}), "name": "Another name"})
        edit_record(kind=Kind.OFFERING, key="acme:zebra", after=None, by="bob", now=self.now)
        self.publish()
        rolling_back.roll_back(self.means, release=2, by="alice")
        self.pass_time(hours=2)
        self.tick()  # signed anew, precompressed
        self.pass_time(days=16)
        self.tick()


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    Story(Path(sys.argv[1])).tell()
