"""Deltas and full documents, several mirrors, and a client's own document: whatever goes wrong, the bytes are the signed ones."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tuf.api.metadata import TargetFile, Targets

from almanac import dcz
from almanac.errors import MalformedError, NetworkError, RollbackError, UsageError
from almanac.mirrorlist import Mirror as Listed
from almanac.mirrorlist import MirrorList, base_address, order, read_list
from almanac.obtain import Wanted, base_for, read_target

from .conftest import World
from .simulator import AICHAT, CATALOG, Answer, Mirror, at, catalog

AICHAT_DOCUMENT = b"- provider: acme\n  models:\n  - name: one\n    max_input_tokens: 1000\n"


@pytest.fixture
def behind(synced: World) -> World:
    """The next sync would use a delta."""
    synced.repository.publish(catalog=catalog("one", "two", "three"))
    return synced


# C19: whatever is wrong with a delta, the full document comes instead


def wrong_base(_: bytes) -> bytes:
    return dcz.encode(b"another document", catalog("one", "two", "three"))


def other_result(frame: bytes) -> bytes:
    """A well-made delta from the right base to something nobody signed, no longer than the listed one."""
    evil = dcz.encode(catalog("one", "two"), catalog("one", "twX"))
    assert len(evil) <= len(frame)
    return evil


@pytest.mark.parametrize(
    "damage",
    [
        wrong_base,
        other_result,
        lambda frame: frame[:-1],
        lambda frame: frame + b"x",
        lambda frame: frame[:41],
        lambda frame: b"\0" * len(frame),
        lambda frame: frame[:60] + bytes([frame[60] ^ 1]) + frame[61:],
        lambda frame: frame[:8] + b"\0" * 32 + frame[40:],
        lambda _: dcz.encode(catalog("one", "two"), b"\0" * 10_000_000),
        lambda _: b"<html>log in</html>",
    ],
)
def test_a_bad_delta_costs_bytes_and_changes_nothing(behind: World, damage: Callable[[bytes], bytes]) -> None:
    for address in [path for path in behind.mirror.files if path.startswith("deltas/")]:
        behind.mirror.files[address] = damage(behind.mirror.files[address])
    outcome = behind.sync()
    assert outcome.catalog.how == "full"
    assert len(outcome.warnings) == 1
    assert behind.accepted_catalog() == behind.repository.documents[CATALOG]


@pytest.mark.parametrize("status", [404, 403, 500, 302])
def test_a_delta_that_cannot_be_fetched_is_done_without(behind: World, status: int) -> None:
    behind.mirror.faults.append(at("deltas/", lambda answer: Answer(status)))
    assert behind.sync().catalog.how == "full"


@pytest.mark.parametrize(
    "listed",
    [None, [], "x", {"0123456789abcdef": 0}, {"0123456789abcdef": "9"}, {"0123456789abcdef": -1}, {5: 5}],
)
def test_a_list_of_deltas_that_makes_no_sense_means_none(listed: object) -> None:
    target = TargetFile(3, {"sha256": "a" * 64}, "catalog/v2/models.yaml", {"custom": {"deltas": listed}})
    assert base_for(read_target(target), ["0123456789abcdef" + "0" * 48]) is None


def test_the_smallest_delta_from_what_is_held_is_chosen() -> None:
    wanted = Wanted("a", "f" * 64, 1, {"0" * 16: 50, "1" * 16: 10, "2" * 16: 5})
    assert base_for(wanted, ["0" * 64, "1" * 64]) == "1" * 64


def test_a_damaged_held_document_is_no_base_and_is_fetched_anew(synced: World) -> None:
    held = next((synced.state.folder / "documents").iterdir())
    held.write_bytes(b"rotten")
    assert synced.sync().catalog.how == "full"
    assert synced.accepted_catalog() == synced.repository.documents[CATALOG]


def test_a_missing_held_document_is_fetched_anew(synced: World) -> None:
    next((synced.state.folder / "documents").iterdir()).unlink()
    assert synced.sync().catalog.how == "full"


NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters='"\\'), min_size=1, max_size=8),
    max_size=30,
    unique=True,
)


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES)
def test_the_result_of_a_delta_is_the_full_document(old: list[str], new: list[str]) -> None:
    before, after = catalog(*old), catalog(*new)
    assert dcz.decode(before, dcz.encode(before, after), max_length=len(after)) == after


# Full documents


def test_a_precompressed_copy_with_other_content_is_not_trusted_and_the_plain_one_is_fetched(
    world: World,
) -> None:
    bodies: Iterator[Answer] = iter(
        [Answer(200, {"Content-Encoding": "gzip"}, gzip.compress(b"stale" * 100))]
    )
    world.mirror.faults.append(at("targets/", lambda answer: next(bodies, None)))
    assert world.sync().catalog.how == "full"
    assert world.accepted_catalog() == world.repository.documents[CATALOG]


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[:-1],
        lambda body: body + b"\n",
        lambda body: body.replace(b"one", b"0ne", 1),
        lambda body: b"x" * len(body),
    ],
)
def test_a_document_with_other_bytes_is_malformed(world: World, change: Callable[[bytes], bytes]) -> None:
    for address in [path for path in world.mirror.files if path.startswith("targets/")]:
        world.mirror.files[address] = change(world.mirror.files[address])
    assert world.refused(MalformedError).exit_code == 14


@pytest.mark.parametrize(
    "path",
    [
        "../up",
        "a//b",
        "/abs",
        "a/../b",
        "a/.hidden",
        "nul\0",
        "a" * 300,
        "a/" * 600,
        "con:aux",
        "tail/",
        "ünder",
        "a b",
    ],
)
def test_a_signed_path_that_is_no_plain_one_is_malformed(path: str) -> None:
    target = TargetFile(3, {"sha256": "a" * 64}, path)
    with pytest.raises(MalformedError):
        read_target(target)


@pytest.mark.parametrize(
    ("length", "hashes"),
    [
        (10**12, {"sha256": "a" * 64}),
        (3, {"sha256": "A" * 64}),
        (3, {"md5": "a" * 32}),
        (3, {"sha256": "../x"}),
    ],
)
def test_a_signed_entry_without_a_fair_length_and_hash_is_malformed(
    length: int, hashes: dict[str, str]
) -> None:
    with pytest.raises(MalformedError):
        read_target(TargetFile(length, hashes, "catalog/v2/models.yaml"))


# A client's own document


def test_a_clients_own_document_comes_along_and_is_a_delta_the_next_time(synced: World) -> None:
    synced.repository.publish(aichat=AICHAT_DOCUMENT)
    first = synced.sync(native=lambda catalog: [AICHAT])
    assert first.native is not None
    assert (first.native.how, first.native.data) == ("full", AICHAT_DOCUMENT)
    changed = AICHAT_DOCUMENT + b"  - name: two\n"
    synced.repository.publish(aichat=changed)
    second = synced.sync(native=lambda catalog: [AICHAT])
    assert second.native is not None
    assert (second.native.how, second.native.data) == ("delta", changed)


def test_a_region_gets_its_nearest_published_ancestor(synced: World) -> None:
    synced.repository.put("regions/eu/catalog/v2/models.yaml", AICHAT_DOCUMENT + b"# eu\n", role="v2")
    synced.repository.publish(aichat=AICHAT_DOCUMENT)

    def paths(document: object) -> list[str]:
        chain = document.region_chain("de")  # type: ignore[attr-defined]
        return [f"regions/{code}/{AICHAT}" if code != "global" else AICHAT for code in chain]

    outcome = synced.sync(native=paths)
    assert outcome.native is not None
    assert outcome.native.path == "regions/eu/catalog/v2/models.yaml"


def test_an_unknown_region_is_wrong_use_and_names_the_known_ones(synced: World) -> None:
    with pytest.raises(UsageError, match="de, eu, global"):
        synced.sync(native=lambda document: document.region_chain("xx"))


def test_an_expired_role_of_one_client_does_not_keep_the_catalog_back(synced: World) -> None:
    synced.repository.publish(aichat=AICHAT_DOCUMENT)
    synced.later(days=20)
    for role in ("almanac-v1", "network"):
        synced.repository.publish_targets(role)
    synced.repository.publish(catalog=catalog("three"))
    synced.later(days=2)
    synced.repository.roles["v2"].expires = synced.now
    assert synced.sync().after.newest.number == 3


# Several mirrors


def listed(*mirrors: Mirror, **more: object) -> bytes:
    return json.dumps(
        {"format": 1, "mirrors": [{"url": m.url, "region": "eu", "weight": 5} for m in mirrors], **more}
    ).encode()


def test_when_the_origin_fails_another_mirror_serves(synced: World) -> None:
    other = synced.another_mirror()
    synced.repository.publish(mirrors=listed(other))
    synced.sync()
    synced.repository.publish(catalog=catalog("three"))
    synced.mirror.faults.append(lambda path, answer: Answer(503))
    outcome = synced.sync()
    assert outcome.after.mirror == other.url
    assert synced.accepted_catalog() == synced.repository.documents[CATALOG]


def test_a_mirror_of_the_own_region_is_asked_first(synced: World) -> None:
    other = synced.another_mirror()
    synced.repository.publish(mirrors=listed(other))
    synced.sync()
    assert synced.sync(region="eu").after.mirror == other.url
    assert synced.sync().after.mirror == synced.mirror.url


LIES: list[Callable[[str, Answer], Answer | None]] = [
    lambda path, answer: Answer(500),
    lambda path, answer: Answer(404),
    lambda path, answer: Answer(200, {"Content-Type": "text/html"}, b"<html>"),
    lambda path, answer: Answer(200, {}, b"{}"),
    lambda path, answer: Answer(302, {"Location": "https://elsewhere.example/"}),
    lambda path, answer: Answer(200, {}, (b"x" * 65536 for _ in range(1_000))),
    lambda path, answer: (
        Answer(200, {}, answer.body[: len(answer.body) // 2]) if isinstance(answer.body, bytes) else None
    ),
    lambda path, answer: (
        Answer(200, {}, bytes(reversed(answer.body))) if isinstance(answer.body, bytes) else None
    ),
    lambda path, answer: Answer(200, {"Content-Encoding": "br"}, b"x"),
    lambda path, answer: Answer(404) if path.startswith(("targets/", "deltas/")) else None,
    lambda path, answer: Answer(404) if path.startswith("metadata/3.snapshot") else None,
]


@pytest.mark.parametrize("lie", LIES)
def test_with_one_honest_mirror_every_lie_of_the_others_is_overcome(
    synced: World, lie: Callable[[str, Answer], Answer | None]
) -> None:
    liars = [synced.another_mirror() for _ in range(3)]
    synced.repository.publish(mirrors=listed(*liars))
    synced.sync()
    for liar in liars:
        liar.faults.append(lie)
    synced.repository.publish(catalog=catalog("three"))
    assert synced.sync(region="eu").after.mirror == synced.mirror.url
    assert synced.accepted_catalog() == synced.repository.documents[CATALOG]


def test_a_mirror_that_is_behind_is_passed_over(synced: World) -> None:
    old = synced.another_mirror(synced.repository.copy())
    synced.repository.publish(mirrors=listed(old))
    synced.sync()
    synced.repository.publish(catalog=catalog("three"))
    outcome = synced.sync(region="eu")
    assert outcome.after.mirror == synced.mirror.url
    assert any("older than what was accepted" in warning for warning in outcome.warnings)


def test_when_all_mirrors_fail_the_error_that_says_most_is_reported(synced: World) -> None:
    old = synced.another_mirror(synced.repository.copy())
    synced.repository.publish(mirrors=listed(old))
    synced.sync()
    synced.mirror.faults.append(lambda path, answer: Answer(503))
    synced.refused(RollbackError)


def test_a_list_of_mirrors_that_cannot_be_had_fails_nothing(synced: World) -> None:
    synced.repository.publish(catalog=catalog("three"), mirrors=b"not json")
    outcome = synced.sync()
    assert outcome.after.newest.number == 2
    assert any("list of mirrors" in warning for warning in outcome.warnings)


def test_a_release_below_the_oldest_acceptable_one_is_refused(synced: World) -> None:
    synced.repository.publish(mirrors=listed(oldest_release=3))
    synced.sync()
    synced.repository.publish_timestamp()
    synced.refused(RollbackError)
    synced.repository.publish(catalog=catalog("three"))
    assert synced.sync().after.newest.number == 3


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"mirrors":5}', b"\xff", b'{"mirrors":null}', b"[" * 99999]
)
def test_a_list_that_is_none_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_list(data)


def test_mirrors_that_cannot_be_asked_are_left_out_of_the_list() -> None:
    form = {
        "mirrors": [
            {"url": "https://good.example"},
            {"url": "file:///etc"},
            {"url": 5},
            None,
            {"url": "https://a@b.example/"},
        ],
        "oldest_release": "x",
    }
    assert read_list(json.dumps(form).encode()) == MirrorList((Listed("https://good.example/"),), 0)


ORIGIN = "https://origin.example/"


def test_the_origin_is_always_among_the_mirrors_and_nobody_is_asked_twice() -> None:
    mirrors = [Listed(f"https://m{n}.example/", "eu", n) for n in range(5)] + [Listed(ORIGIN)]
    draws = iter([0.1, 0.9, 0.5, 0.3, 0.7])
    ordered = [mirror.url for mirror in order(mirrors, ORIGIN, random=lambda: next(draws))]
    assert ordered[0] == ORIGIN
    assert sorted(ordered) == sorted({m.url for m in mirrors if m.weight > 0})


def test_an_encrypted_origin_is_not_left_for_a_mirror_without_encryption() -> None:
    ordered = order([Listed("http://plain.example/", "eu", 9)], ORIGIN, region="eu", random=lambda: 0.5)
    assert [mirror.url for mirror in ordered] == [ORIGIN]


def test_weight_decides_how_often_a_mirror_comes_first() -> None:
    import random

    source = random.Random(7)
    mirrors = [Listed("https://big.example/", weight=9), Listed("https://small.example/", weight=1)]
    firsts = [order(mirrors, ORIGIN, random=source.random)[1].url for _ in range(2000)]
    assert 0.87 < firsts.count("https://big.example/") / 2000 < 0.93


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/"),
        ("https://Catalog.Example/base/", "https://catalog.example/base/"),
        (" https://[::1]:8443 ", "https://[::1]:8443/"),
    ],
)
def test_an_address_gets_its_slash(text: str, address: str) -> None:
    assert base_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "catalog.example", "ftp://x/", "file:///etc", "http://", "http://a:b@c/", "http://x/?q", "http://x/#f", "http://x:99999/",
             "http://x:0/", "http://x\t/", "http://evil\\@127.0.0.1/", "http://ünicode.example/", "http://x/ y", "javascript:x", "http://[::1"]
)  # fmt: skip
def test_what_is_no_address_is_wrong_use(text: str) -> None:
    with pytest.raises(UsageError):
        base_address(text)


def test_offline_of_everything_keeps_what_is_held(synced: World) -> None:
    synced.mirror.close()
    synced.closing.clear()
    error = synced.refused(NetworkError)
    assert error.exit_code == 10
    assert hashlib.sha256(synced.accepted_catalog()).hexdigest()


def test_a_role_of_another_path_cannot_speak_for_ours(synced: World) -> None:
    """The v2 key signs a catalog of its own; nobody looks for it there."""
    thief = synced.repository.roles["v2"]
    assert isinstance(thief, Targets)
    synced.repository.put(CATALOG, catalog("stolen"), role="v2")
    synced.repository.publish(aichat=AICHAT_DOCUMENT)
    assert synced.sync().changed is False
