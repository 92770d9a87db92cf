"""Root and targets are kept elsewhere: publication goes on, and says whom it misses."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrors.models import Publication
from tests.mirrors.cast import Publisher

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice(tmp_path: Path) -> Publisher:
    """Half of root's life is spent, and its holders have not met yet."""
    alice = Publisher(tmp_path)
    alice.publish()
    alice.keys.send_away("root")
    alice.keys.send_away("targets")
    alice.pass_time(days=190)
    alice.tick()
    return alice


def test_the_roles_that_wait_for_their_keys_are_written_down(alice: Publisher) -> None:
    newest = Publication.objects.latest("pk")
    assert newest.report["postponed"] == ["root", "targets"]


def test_a_tick_does_not_publish_again_and_again_for_them(alice: Publisher) -> None:
    count = Publication.objects.count()
    assert alice.tick().renewed == []
    assert Publication.objects.count() == count


def test_they_are_renewed_within_the_hour_in_which_the_keys_are_back(alice: Publisher) -> None:
    alice.keys.elsewhere.clear()
    alice.pass_time(hours=1)
    alice.tick()
    newest = Publication.objects.latest("pk")
    assert newest.report["postponed"] == []
    assert {"root", "targets", "timestamp"} <= set(newest.report["signed"])


def test_a_tick_publishes_a_rotated_key_at_once(tmp_path: Path) -> None:
    bob = Publisher(tmp_path)
    bob.publish()
    bob.keys.rotate("timestamp")
    assert bob.tick().renewed == ["root"]  # names the old key and the new one
    assert bob.tick().renewed == ["root"]  # and now the new one alone
    assert bob.tick().renewed == []


def test_a_rotated_key_waits_for_the_holders_of_root_without_a_publication_a_tick(tmp_path: Path) -> None:
    bob = Publisher(tmp_path)
    bob.publish()
    bob.keys.send_away("root")
    bob.keys.rotate("timestamp")
    assert bob.tick().renewed == ["root"]
    assert Publication.objects.latest("pk").report["postponed"] == ["root"]
    assert bob.tick().renewed == []
