"""The static server: what each address answers, and how it handles the bytes."""

import base64
import gzip
import hashlib
import json
import threading
from itertools import count
from pathlib import Path

import pytest
from backports import zstd

from almanac import dcz
from almanac.addresses import delta_path, object_path
from almanac.lifecycle import is_range, suits, version_of
from almanac.static import LOOK_AGAIN_S, StaticApp
from almanac.stores import FileStore
from tests.client.static_site import EUROPEAN, MODELS, Answer, Publisher, ask, object_address, sha256

FIRST = b"".join(b"- name: model-%d\n" % number for number in range(3_000))
SECOND = FIRST + b"- name: another\n"
EU = b"- name: european\n"
LARGE = b"0123456789abcdef" * 8_000


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    found = Publisher(tmp_path)
    found.publish(
        {
            MODELS: FIRST,
            EUROPEAN: EU,
            "mirrors.json": b"{}",
            "catalog/catwalk/v2/providers": b"[]",
            "catalog/litellm/large.json": LARGE,
        }
    )
    FileStore(tmp_path).put("index.json", b'{"format": 1}')
    FileStore(tmp_path).put("minisign.pub", b"RW\n")
    return found


@pytest.fixture
def app(publisher: Publisher) -> StaticApp:
    return StaticApp(publisher.root)


# -- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "body", "media_type"),
    [
        ("/catalog/v2/models.yaml", FIRST, "application/yaml; charset=utf-8"),
        ("/regions/eu/catalog/v2/models.yaml", EU, "application/yaml; charset=utf-8"),
        ("/catalog/catwalk/v2/providers", b"[]", "application/json"),
        ("/catalog/litellm/large.json", LARGE, "application/json"),
        ("/mirrors.json", b"{}", "application/json"),
        ("/index.json", b'{"format": 1}', "application/json"),
        ("/minisign.pub", b"RW\n", "text/plain; charset=utf-8"),
        (object_address(MODELS, FIRST), FIRST, "application/yaml; charset=utf-8"),
        (
            "/catalog/v2/models.yaml.minisig",
            b"signature of " + sha256(FIRST).encode(),
            "text/plain; charset=utf-8",
        ),
        (
            object_address(MODELS, FIRST) + ".minisig",
            b"signature of " + sha256(FIRST).encode(),
            "text/plain; charset=utf-8",
        ),
    ],
)
def test_every_address_of_the_protocol_answers_its_bytes(
    app: StaticApp, address: str, body: bytes, media_type: str
) -> None:
    answer = ask(app, address)
    assert (answer.status, answer.body, answer["Content-Type"]) == (200, body, media_type)
    assert answer["ETag"] == f'"{sha256(body)[:32]}"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Accept-Ranges"] == "bytes"


def test_metadata_is_served_by_number_and_the_timestamp_without(app: StaticApp, publisher: Publisher) -> None:
    for name in ("timestamp.json", "1.snapshot.json", "1.v2.json"):
        answer = ask(app, f"/metadata/{name}")
        assert answer.body == (publisher.root / "metadata" / name).read_bytes()
        assert answer["Content-Type"] == "application/json"


def test_each_kind_of_address_says_how_long_it_may_be_kept(app: StaticApp) -> None:
    year = "public, max-age=31536000, immutable"
    assert ask(app, "/metadata/timestamp.json")["Cache-Control"] == "public, max-age=60, must-revalidate"
    assert ask(app, "/metadata/1.snapshot.json")["Cache-Control"] == year
    assert ask(app, object_address(MODELS, FIRST))["Cache-Control"] == year
    plain = ask(app, "/catalog/v2/models.yaml")["Cache-Control"]
    assert plain == "public, max-age=60, stale-while-revalidate=604800"


def test_documents_offer_themselves_as_dictionaries(app: StaticApp) -> None:
    plain = ask(app, "/catalog/v2/models.yaml")
    assert plain["Use-As-Dictionary"] == 'match="/catalog/v2/models.yaml"'
    by_hash = ask(app, object_address(EUROPEAN, EU))
    assert by_hash["Use-As-Dictionary"] == 'match="/targets/regions/eu/catalog/v2/*.models.yaml"'
    for answer in (plain, by_hash):
        assert answer["Vary"] == "Accept-Encoding, Available-Dictionary"
    assert ask(app, "/metadata/1.snapshot.json")["Use-As-Dictionary"] is None


@pytest.mark.parametrize(
    "path",
    [
        "/metadata/9.root.json",
        "/metadata/snapshot.json",
        "/metadata/0.root.json",
        "/metadata/01.root.json",
        "/metadata/1.../root.json",
        "/catalog/v2/models.yaml/",
        "/catalog/v2/models.yaml.",
        "/catalog/v2/Models.yaml",
        "/CATALOG/v2/models.yaml",
        "/catalog/v2/models.yaml;x",
        "/catalog/v2/models.yaml\0",
        "/catalog/v2\\models.yaml",
        "/catalog//v2/models.yaml",
        "//catalog/v2/models.yaml",
        "//evil.com",
        "/../etc/passwd",
        "/targets/../secret",
        "/targets/%2e%2e/secret",
        "/targets/catalog/../../secret",
        "/targets/catalog/v2/models.yaml",
        "/deltas/x/y.dcz",
        "/",
        "",
        "/secret",
        "/index.json/",
    ],
)
def test_what_is_not_in_the_release_is_not_there_and_nothing_redirects(
    app: StaticApp, publisher: Publisher, path: str
) -> None:
    (publisher.root / "secret").write_text("seed")
    (publisher.root.parent / "secret").write_text("seed")
    answer = ask(app, path)
    assert answer.status == 404
    assert answer["Location"] is None
    assert answer.problem["title"] == "Not Found"


def test_a_precompressed_copy_has_no_address_of_its_own(app: StaticApp, publisher: Publisher) -> None:
    publisher.compressed(MODELS)
    for suffix in (".gz", ".br", ".zst"):
        assert ask(app, object_address(MODELS, FIRST) + suffix).status == 404


def test_a_link_inside_the_store_leads_nowhere(app: StaticApp, publisher: Publisher) -> None:
    secret = publisher.root.parent / "secret"
    secret.write_text("seed")
    name = f"targets/catalog/v2/{sha256(b'x')}.models.yaml"
    (publisher.root / name).symlink_to(secret)
    assert ask(app, f"/{name}").status == 404
    (publisher.root / "metadata" / "7.root.json").symlink_to(secret)
    assert ask(app, "/metadata/7.root.json").status == 404
    (publisher.root / "minisign.pub").unlink()
    (publisher.root / "minisign.pub").symlink_to(secret)
    assert ask(app, "/minisign.pub").status == 404


def test_what_the_store_does_not_know_goes_to_the_fallback_but_never_our_own_addresses(
    publisher: Publisher,
) -> None:
    def fallback(environ, start_response):
        start_response("302 Found", [("Location", "/elsewhere"), ("Content-Length", "0")])
        return []

    app = StaticApp(publisher.root, fallback)
    assert ask(app, "/admin/").status == 302
    assert ask(app, "/", "POST").status == 302
    assert ask(app, "/mirrors/").status == 302
    for path in (
        "/catalog/v2/models.yaml/",
        "/metadata/9.root.json",
        "/targets/",
        "/regions/xx/",
        "/deltas/",
    ):
        assert ask(app, path).problem["status"] == 404


def test_an_empty_folder_and_a_missing_one_answer_404_until_something_is_published(tmp_path: Path) -> None:
    app = StaticApp(tmp_path / "store")
    assert ask(app, "/catalog/v2/models.yaml").status == 404
    Publisher(tmp_path / "store").publish({MODELS: FIRST})
    assert ask(app, "/catalog/v2/models.yaml").body == FIRST


# -- regions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("region=eu", EU),
        ("region=EU", EU),
        ("%72egion=%65u", EU),
        ("v=1&region=eu", EU),
        ("region=global", FIRST),
        ("v=1", FIRST),
        ("&&", FIRST),
    ],
)
def test_a_region_can_be_asked_for_at_the_plain_address(app: StaticApp, query: str, body: bytes) -> None:
    answer = ask(app, f"/catalog/v2/models.yaml?{query}")
    assert (answer.status, answer.body) == (200, body)


def test_the_signature_follows_the_region(app: StaticApp) -> None:
    answer = ask(app, "/catalog/v2/models.yaml.minisig?region=eu")
    assert answer.body.endswith(sha256(EU).encode())


@pytest.mark.parametrize(
    "query",
    [
        "region=",
        "region",
        "region=xx",
        "region=no",
        "region=eu&region=eu",
        "region=de&region=us",
        "region=eu%00",
        "region=DE'--",
        "region=../eu",
        "region=" + "e" * 10_000,
        "region=%EF%BC%A5u",
        "region=e%E2%84%AA",
        "region=%ff",
        "&".join(["x=1"] * 101),
    ],
)
def test_a_region_that_is_unknown_repeated_or_malformed_is_refused(app: StaticApp, query: str) -> None:
    answer = ask(app, f"/catalog/v2/models.yaml?{query}")
    assert answer.status == 400
    if "region" in query:
        assert answer.problem["regions"] == ["eu", "global"]
    assert len(answer.body) < 500


def test_a_letter_that_only_looks_like_the_regions_is_another(app: StaticApp, publisher: Publisher) -> None:
    publisher.publish({"regions/dk/catalog/v2/models.yaml": EU})
    assert ask(app, "/catalog/v2/models.yaml?region=DK").status == 200
    kelvin = "d%E2%84%AA"  # in lower case it is a k
    assert ask(app, f"/catalog/v2/models.yaml?region={kelvin}").status == 400


def test_a_document_without_that_region_is_404_not_the_wrong_document(app: StaticApp) -> None:
    assert ask(app, "/catalog/litellm/large.json?region=eu").problem["status"] == 404


# -- encodings and conditions ---------------------------------------------------------------------


def encoding_of(app: StaticApp, accept: str) -> str | None:
    return ask(app, "/catalog/v2/models.yaml", Accept_Encoding=accept)["Content-Encoding"]


def test_the_most_welcome_encoding_is_sent(publisher: Publisher) -> None:
    publisher.compressed(MODELS)
    app = StaticApp(publisher.root)
    assert encoding_of(app, "gzip") == "gzip"
    assert encoding_of(app, "x-gzip") == "gzip"
    assert encoding_of(app, "gzip, deflate, br, zstd") == "br"
    assert encoding_of(app, "BR;Q=0.5, gzip;q=0.8") == "gzip"
    assert encoding_of(app, "*") == "br"
    assert encoding_of(app, "br;q=0, *;q=0.5") == "gzip"
    assert encoding_of(app, "gzip;q=0.5, identity") is None
    assert encoding_of(app, "") is None
    assert encoding_of(app, "deflate, unknown") is None
    assert encoding_of(app, "gzip;q=0") is None
    assert encoding_of(app, "dcz, br;q=2") is None
    assert encoding_of(app, "br;q=2, gzip") == "gzip"
    assert encoding_of(app, "identity;q=0, gzip") == "gzip"


def test_only_when_nothing_is_acceptable_is_it_406(app: StaticApp) -> None:
    for accept in ("identity;q=0", "*;q=0", "br, identity;q=0"):
        assert ask(app, "/catalog/v2/models.yaml", Accept_Encoding=accept).problem["status"] == 406
    assert ask(app, "/catalog/v2/models.yaml", Accept="text/html;q=0").status == 200


def test_each_encoding_has_its_own_tag(publisher: Publisher) -> None:
    publisher.compressed(MODELS)
    app = StaticApp(publisher.root)
    stem = sha256(FIRST)[:32]
    for accept, tag in (("", stem), ("br", f"{stem}-br"), ("gzip", f"{stem}-gzip"), ("zstd", f"{stem}-zstd")):
        answer = ask(app, "/catalog/v2/models.yaml", Accept_Encoding=accept)
        assert answer["ETag"] == f'"{tag}"'
        again = ask(app, "/catalog/v2/models.yaml", Accept_Encoding=accept, If_None_Match=f'"{tag}"')
        assert (again.status, again.body, again["ETag"]) == (304, b"", f'"{tag}"')
        assert again["Content-Length"] is None


def test_the_tag_of_another_encoding_gives_the_document_but_that_of_the_plain_bytes_gives_304(
    publisher: Publisher,
) -> None:
    publisher.compressed(MODELS)
    app = StaticApp(publisher.root)
    stem = sha256(FIRST)[:32]
    for accept, held, status in (
        ("gzip", f'"{stem}-br"', 200),
        ("", f'"{stem}-gzip"', 200),
        ("gzip", f'"{stem}"', 304),
        ("identity;q=0", f'"{stem}"', 304),
    ):
        assert (
            ask(app, "/catalog/v2/models.yaml", Accept_Encoding=accept, If_None_Match=held).status == status
        )


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("*", 304),
        (" * ", 304),
        ("{tag}", 304),
        ("W/{tag}", 304),
        ('"other", {tag}', 304),
        ('"a",,, \t{tag} ,', 304),
        (", ".join([f'"{n}"' for n in range(1_000)]) + ", {tag}", 304),
        ('"other"', 200),
        ("{bare}", 200),
        ('"', 200),
        ('"{bare}', 200),
        ("w/{tag}", 200),
        ("junk {tag}", 200),
        ("", 200),
        ("é\x00", 200),
    ],
)
def test_if_none_match_compares_weakly_and_ignores_what_is_malformed(
    app: StaticApp, header: str, status: int
) -> None:
    bare = sha256(FIRST)[:32]
    held = header.replace("{tag}", f'"{bare}"').replace("{bare}", bare)
    assert ask(app, "/catalog/v2/models.yaml", If_None_Match=held).status == status


def test_if_modified_since_decides_nothing(app: StaticApp) -> None:
    when = "Fri, 01 Jan 2100 00:00:00 GMT"
    assert ask(app, "/catalog/v2/models.yaml", If_Modified_Since=when).status == 200
    assert ask(app, "/catalog/v2/models.yaml", If_Modified_Since=when, If_None_Match='"x"').status == 200


def test_copies_that_come_later_are_found_and_ones_that_go_are_forgotten(publisher: Publisher) -> None:
    now = count(0, LOOK_AGAIN_S + 1)
    app = StaticApp(publisher.root, monotonic=lambda: float(next(now)))
    assert encoding_of(app, "gzip") is None
    publisher.compressed(MODELS)
    assert encoding_of(app, "gzip") == "gzip"
    (publisher.root / f"{object_address(MODELS, FIRST)[1:]}.gz").unlink()
    assert encoding_of(app, "gzip") is None


def test_a_copy_that_goes_between_two_looks_costs_nobody_an_error(publisher: Publisher) -> None:
    publisher.compressed(MODELS)
    app = StaticApp(publisher.root, monotonic=lambda: 1.0)
    ask(app, "/catalog/v2/models.yaml", "HEAD")  # the server looks around now
    (publisher.root / f"{object_address(MODELS, FIRST)[1:]}.gz").unlink()
    answer = ask(app, "/catalog/v2/models.yaml", Accept_Encoding="gzip")
    assert (answer.status, answer.body, answer["Content-Encoding"]) == (200, FIRST, None)


# -- deltas ---------------------------------------------------------------------------------------


def test_a_client_that_holds_the_older_document_gets_the_delta(app: StaticApp, publisher: Publisher) -> None:
    publisher.publish({MODELS: SECOND})
    held = available(FIRST)
    for address in ("/catalog/v2/models.yaml", object_address(MODELS, SECOND)):
        answer = ask(app, address, Accept_Encoding="gzip, br, zstd, dcb, dcz", Available_Dictionary=held)
        assert answer["Content-Encoding"] == "dcz"
        assert answer["ETag"] == f'"{sha256(SECOND)[:32]}-dcz-{sha256(FIRST)[:16]}"'
        assert answer["Content-Type"] == "application/yaml; charset=utf-8"
        assert answer["Use-As-Dictionary"]
        assert dcz.decode(FIRST, answer.body, max_length=len(SECOND)) == SECOND
        frame = ask(app, f"/deltas/{sha256(FIRST)}/{sha256(SECOND)}.dcz")
        assert frame.body == answer.body
        assert frame["Content-Type"] == "application/octet-stream"
        assert frame["Content-Encoding"] is None


def available(data: bytes) -> str:
    return f":{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


@pytest.mark.parametrize(
    ("accept", "dictionary"),
    [
        ("gzip, br", available(FIRST)),
        ("dcz;q=0", available(FIRST)),
        ("*", available(FIRST)),
        ("dcz;q=0.1, identity;q=1", available(FIRST)),
        ("dcz", available(b"unknown")),
        ("dcz", available(EU)),
        ("dcz", sha256(FIRST)),
        ("dcz", available(FIRST).strip(":")),
        ("dcz", available(FIRST) + "," + available(FIRST)),
        ("dcz", available(FIRST) + ";a=1"),
        ("dcz", ":AAAA:"),
        ("dcz", "::"),
        ("dcz", "\xff"),
        ("dcz", ""),
    ],
)
def test_without_a_dictionary_that_we_know_the_document_is_sent_whole(
    app: StaticApp, publisher: Publisher, accept: str, dictionary: str
) -> None:
    publisher.publish({MODELS: SECOND})
    answer = ask(app, "/catalog/v2/models.yaml", Accept_Encoding=accept, Available_Dictionary=dictionary)
    assert (answer.status, answer.body, answer["Content-Encoding"]) == (200, SECOND, None)
    assert answer["Vary"] == "Accept-Encoding, Available-Dictionary"


# -- ranges, HEAD, other methods ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=-5", len(LARGE) - 5, len(LARGE) - 1),
        ("bytes=100000-", 100_000, len(LARGE) - 1),
        ("bytes=5-999999999999", 5, len(LARGE) - 1),
        ("bytes=-999999999", 0, len(LARGE) - 1),
        ("Bytes=0-0", 0, 0),
    ],
)
def test_one_range_is_answered_with_that_part(app: StaticApp, asked: str, first: int, last: int) -> None:
    answer = ask(app, "/catalog/litellm/large.json", Range=asked)
    assert (answer.status, answer.body) == (206, LARGE[first : last + 1])
    assert answer["Content-Range"] == f"bytes {first}-{last}/{len(LARGE)}"
    assert answer["ETag"] == f'"{sha256(LARGE)[:32]}"'


@pytest.mark.parametrize("asked", ["bytes=128000-", "bytes=999999999-", "bytes=-0"])
def test_a_range_beyond_the_end_is_416(app: StaticApp, asked: str) -> None:
    answer = ask(app, "/catalog/litellm/large.json", Range=asked)
    assert answer.problem["status"] == 416
    assert answer["Content-Range"] == f"bytes */{len(LARGE)}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=5-1",
        "bytes=9e9-",
        "items=0-1",
        "bytes=",
        "bytes=-",
        "bytes=0-1,3-4",
        "bytes=٣-٤",
        "bytes 0-1",
        "",
        "bytes=" + "9" * 5_000 + "-",
        "bytes=" + ",".join(["0-1"] * 1_000),
    ],
)
def test_several_ranges_and_malformed_ones_get_the_whole(app: StaticApp, asked: str) -> None:
    answer = ask(app, "/catalog/litellm/large.json", Range=asked)
    assert (answer.status, answer.body) == (200, LARGE)


def test_a_range_is_of_the_plain_bytes_whatever_encoding_is_welcome(publisher: Publisher) -> None:
    publisher.compressed(MODELS)
    app = StaticApp(publisher.root)
    part = ask(app, "/catalog/v2/models.yaml", Range="bytes=0-3", Accept_Encoding="gzip")
    assert (part.status, part.body, part["Content-Encoding"]) == (206, FIRST[:4], None)
    refused = ask(app, "/catalog/v2/models.yaml", Range="bytes=0-3", Accept_Encoding="gzip, identity;q=0")
    assert (refused.status, refused["Content-Encoding"]) == (200, "gzip")


def test_if_range_gives_the_part_only_for_the_very_bytes(app: StaticApp) -> None:
    tag = f'"{sha256(LARGE)[:32]}"'
    for held, status in ((tag, 206), (f"W/{tag}", 200), ('"x"', 200), ("Fri, 01 Jan 2100 00:00:00 GMT", 200)):
        assert ask(app, "/catalog/litellm/large.json", Range="bytes=0-3", If_Range=held).status == status
    held = ask(app, "/catalog/litellm/large.json", Range="bytes=0-3", If_None_Match=tag)
    assert held.status == 304


def test_head_has_the_headers_of_get_and_no_body(publisher: Publisher) -> None:
    publisher.compressed(MODELS)
    app = StaticApp(publisher.root)
    for address in (
        "/catalog/v2/models.yaml",
        "/catalog/litellm/large.json",
        "/absent",
        "/catalog/x?region=xx",
    ):
        for headers in ({}, {"Accept_Encoding": "br"}, {"Range": "bytes=0-3"}, {"Range": "bytes=999999-"}):
            got, head = ask(app, address, **headers), ask(app, address, "HEAD", **headers)
            assert (head.status, head.headers, head.body) == (got.status, got.headers, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "BREW"])
def test_our_addresses_can_only_be_read(app: StaticApp, method: str) -> None:
    answer = ask(app, "/catalog/v2/models.yaml", method)
    assert answer.problem["status"] == 405
    assert answer["Allow"] == "GET, HEAD, OPTIONS"


def test_a_method_override_changes_nothing(app: StaticApp) -> None:
    assert ask(app, "/catalog/v2/models.yaml", "POST", X_HTTP_Method_Override="GET").status == 405


def test_a_browser_of_another_site_may_read(app: StaticApp) -> None:
    preflight = ask(app, "/catalog/v2/models.yaml", "OPTIONS", Origin="https://app.example")
    assert preflight.status == 204
    assert preflight["Access-Control-Allow-Origin"] == "*"
    assert "GET" in (preflight["Access-Control-Allow-Methods"] or "")
    got = ask(app, "/catalog/v2/models.yaml")
    assert "ETag" in (got["Access-Control-Expose-Headers"] or "")


# -- metadata -------------------------------------------------------------------------------------

LONG_METADATA = ["/metadata/timestamp.json", "/metadata/1.snapshot.json", "/metadata/1.v2.json"]


@pytest.fixture
def signed_at_length(tmp_path: Path) -> StaticApp:
    """Metadata as long as real metadata: the test publisher's own is too short for compression."""
    Publisher(tmp_path).publish({MODELS: FIRST})
    store = FileStore(tmp_path)
    for address in LONG_METADATA:
        form = json.loads(store.get(address[1:]))
        form["signatures"] = [{"keyid": sha256(bytes([n])), "sig": "0" * 128} for n in range(3)]
        store.put(address[1:], json.dumps(form).encode())
    return StaticApp(tmp_path)


@pytest.mark.parametrize("address", LONG_METADATA)
def test_metadata_is_compressed_for_those_who_ask(signed_at_length: StaticApp, address: str) -> None:
    whole = ask(signed_at_length, address)
    assert whole["Content-Encoding"] is None
    undo = {"gzip": gzip.decompress, "zstd": zstd.decompress}
    for coding, decompress in undo.items():
        packed = ask(signed_at_length, address, Accept_Encoding=coding)
        assert (packed["Content-Encoding"], packed["Vary"]) == (coding, "Accept-Encoding")
        assert decompress(packed.body) == whole.body
        assert len(packed.body) < len(whole.body)
        assert packed["ETag"] == f'"{sha256(whole.body)[:32]}-{coding}"'
        for held in (packed["ETag"], whole["ETag"]):
            again = ask(signed_at_length, address, Accept_Encoding=coding, If_None_Match=held or "")
            assert (again.status, again.body) == (304, b"")


def test_metadata_stays_compressed_when_copies_are_looked_for(
    publisher: Publisher, signed_at_length: StaticApp
) -> None:
    clock = count(0, int(LOOK_AGAIN_S) + 1)
    patient = StaticApp(publisher.root, monotonic=lambda: float(next(clock)))
    for _ in range(3):
        assert ask(patient, LONG_METADATA[1], Accept_Encoding="zstd")["Content-Encoding"] == "zstd"


def test_a_new_timestamp_is_compressed_anew(tmp_path: Path, signed_at_length: StaticApp) -> None:
    before = ask(signed_at_length, LONG_METADATA[0], Accept_Encoding="gzip")
    store = FileStore(tmp_path)
    form = json.loads(store.get(LONG_METADATA[0][1:]))
    form["signed"]["expires"] = "2026-12-01T00:00:00Z"
    store.put(LONG_METADATA[0][1:], json.dumps(form).encode())
    after = ask(signed_at_length, LONG_METADATA[0], Accept_Encoding="gzip")
    assert b"2026-12-01" in gzip.decompress(after.body)
    assert after["ETag"] != before["ETag"]


def test_what_compression_does_not_make_shorter_is_sent_as_it_is(app: StaticApp) -> None:
    assert ask(app, "/index.json", Accept_Encoding="zstd, gzip")["Content-Encoding"] is None


def test_metadata_and_deltas_carry_no_needless_headers(app: StaticApp, publisher: Publisher) -> None:
    """A sync reads six of them, and each header would be as long as what changed."""
    publisher.publish({MODELS: SECOND})
    delta = "/" + delta_path(sha256(FIRST), sha256(SECOND))
    for address in ("/metadata/1.snapshot.json", "/metadata/timestamp.json", delta):
        answer = ask(app, address)
        assert answer.status == 200
        assert sorted(answer.headers) == [
            "access-control-allow-origin", "cache-control", "content-length", "content-type", "etag", "vary",
            "x-content-type-options",
        ]  # fmt: skip


# -- publications ---------------------------------------------------------------------------------


def test_a_publication_is_visible_with_the_next_request(app: StaticApp, publisher: Publisher) -> None:
    assert ask(app, "/catalog/v2/models.yaml").body == FIRST
    publisher.publish({MODELS: SECOND})
    assert ask(app, "/catalog/v2/models.yaml").body == SECOND
    assert ask(app, "/catalog/v2/models.yaml.minisig").body.endswith(sha256(SECOND).encode())
    assert ask(app, "/regions/eu/catalog/v2/models.yaml").body == EU
    assert ask(app, object_address(MODELS, FIRST)).body == FIRST


def test_nothing_is_visible_before_the_timestamp_is(app: StaticApp, publisher: Publisher) -> None:
    publisher.objects({MODELS: SECOND})
    timestamp = publisher.metadata()
    assert ask(app, "/catalog/v2/models.yaml").body == FIRST
    assert ask(app, object_address(MODELS, SECOND)).body == SECOND
    FileStore(publisher.root).put("metadata/timestamp.json", timestamp)
    assert ask(app, "/catalog/v2/models.yaml").body == SECOND


def test_a_new_mirror_without_a_publication_serves_the_new_index(
    app: StaticApp, publisher: Publisher
) -> None:
    assert ask(app, "/index.json").body == b'{"format": 1}'
    FileStore(publisher.root).put("index.json", b'{"format": 1, "schemas": []}')
    assert ask(app, "/index.json").body == b'{"format": 1, "schemas": []}'


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"signed": []}',
        b'{"signed": {"meta": {"snapshot.json": {"version": 99}}}}',
        b'{"signed": {"meta": {"snapshot.json": {"version": "1"}}}}',
        b'{"signed": {"meta": {"snapshot.json": {"version": true}}}}',
        b'{"signed": {"meta": {"../../x.json": {"version": 1}, "snapshot.json": {"version": 1}}}}',
        b'{"signed": {"meta": {}}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_broken_timestamp_leaves_the_last_whole_release(
    app: StaticApp, publisher: Publisher, damage: bytes
) -> None:
    whole = ask(app, "/metadata/timestamp.json").body
    FileStore(publisher.root).put("metadata/timestamp.json", damage)
    assert ask(app, "/metadata/timestamp.json").body == whole
    assert ask(app, "/catalog/v2/models.yaml").body == FIRST


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a//b", "a/./b", ".x", "a\\b"])
def test_a_role_that_names_a_path_outside_the_grammar_is_not_taken(
    app: StaticApp, publisher: Publisher, path: str
) -> None:
    ask(app, "/catalog/v2/models.yaml")
    publisher.held = {path: b"x"}
    if path.startswith("a/"):  # even where the object that it would mean is there
        plausible = publisher.root / object_path(path, sha256(b"x"))
        plausible.parent.mkdir(parents=True, exist_ok=True)
        plausible.write_bytes(b"x")
    FileStore(publisher.root).put("metadata/timestamp.json", publisher.metadata())
    assert ask(app, "/catalog/v2/models.yaml").body == FIRST


def test_a_half_copied_store_keeps_the_last_release_until_it_is_whole(publisher: Publisher) -> None:
    now = [0.0]
    app = StaticApp(publisher.root, monotonic=lambda: now[0])
    missing = publisher.root / object_address(MODELS, SECOND)[1:]
    assert ask(app, "/catalog/v2/models.yaml").body == FIRST
    publisher.objects({MODELS: SECOND})
    half = missing.read_bytes()[:-1]
    missing.write_bytes(half)
    FileStore(publisher.root).put("metadata/timestamp.json", publisher.metadata())
    assert ask(app, "/catalog/v2/models.yaml").body == FIRST
    missing.write_bytes(SECOND)
    now[0] += 1.1
    assert ask(app, "/catalog/v2/models.yaml").body == SECOND


def test_a_document_that_vanished_from_the_disk_is_503_not_a_crash(
    app: StaticApp, publisher: Publisher
) -> None:
    ask(app, "/index.json")
    (publisher.root / object_address("catalog/litellm/large.json", LARGE)[1:]).unlink()
    assert ask(app, "/catalog/litellm/large.json").problem["status"] == 503
    assert ask(app, "/catalog/litellm/large.json", Range="bytes=0-1").problem["status"] == 503


def test_a_document_that_was_cut_short_on_the_disk_is_not_sent_as_whole(
    app: StaticApp, publisher: Publisher
) -> None:
    ask(app, "/index.json")
    (publisher.root / object_address("catalog/litellm/large.json", LARGE)[1:]).write_bytes(LARGE[:-1])
    assert ask(app, "/catalog/litellm/large.json").problem["status"] == 503


def test_readers_see_each_publication_as_a_whole(tmp_path: Path) -> None:
    """Five documents change together: whoever has seen one at release N never sees another before N."""
    publisher = Publisher(tmp_path)
    paths = [f"catalog/v{number}/models.yaml" for number in range(5)]

    def release(number: int) -> dict[str, bytes]:
        return {path: b"%s release %d" % (path.encode(), number) for path in paths}

    publisher.publish(release(0))
    app = StaticApp(tmp_path)
    done = threading.Event()
    wrong: list[tuple[Answer, ...]] = []

    def read() -> None:
        while not done.is_set():
            seen = tuple(ask(app, f"/{path}") for path in paths)
            numbers = [int(answer.body.rsplit(b" ", 1)[1]) for answer in seen]
            if numbers != sorted(numbers) or any(answer.status != 200 for answer in seen):
                wrong.append(seen)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(1, 8):
        publisher.publish(release(number))
        newest = [ask(app, f"/{path}").body for path in paths]
        assert newest == list(release(number).values())
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong


# -- the life of a schema -------------------------------------------------------------------------

NOTICE = {
    "name": "v2",
    "file": MODELS,
    "status": "deprecated",
    "deprecated": "2026-11-20",
    "sunset": "2027-06-30",
}
CATWALK = "catalog/catwalk/v2/providers"


def published_again(publisher: Publisher, *notices: object) -> None:
    publisher.notices = list(notices)  # type: ignore[arg-type]
    publisher.publish({})


def test_a_deprecation_is_seen_with_the_next_release_and_gone_with_the_one_after(
    app: StaticApp, publisher: Publisher
) -> None:
    assert ask(app, f"/{MODELS}")["Sunset"] is None
    published_again(publisher, {**NOTICE, "successor": CATWALK})
    answer = ask(app, f"/{MODELS}", Accept_Encoding="gzip")
    assert (answer["Deprecation"], answer["Sunset"]) == ("@1795132800", "Wed, 30 Jun 2027 23:59:59 GMT")
    assert answer["Link"] == f'</{CATWALK}>; rel="successor-version"'
    assert ask(app, f"/{MODELS}", Range="bytes=0-3")["Sunset"] == answer["Sunset"]
    assert ask(app, object_address(MODELS, FIRST))["Sunset"] is None
    published_again(publisher)
    assert ask(app, f"/{MODELS}")["Sunset"] is None


def test_a_retired_schema_needs_no_successor(app: StaticApp, publisher: Publisher) -> None:
    del publisher.held[MODELS], publisher.held[EUROPEAN]
    published_again(publisher, {"name": "v2", "file": MODELS, "status": "retired"})
    for address in (MODELS, EUROPEAN, f"{MODELS}.minisig"):
        answer = ask(app, f"/{address}")
        assert answer.status == 410
        assert "successor" not in answer.problem
        assert answer["Link"] is None
    assert ask(app, f"/{MODELS}", method="POST").status == 410


def test_a_notice_of_a_later_version_is_read_as_far_as_it_is_understood(
    app: StaticApp, publisher: Publisher
) -> None:
    published_again(
        publisher, {**NOTICE, "status": "resting", "colour": {"of": "a field that we do not know"}}
    )
    answer = ask(app, f"/{MODELS}")
    assert (answer.status, answer["Sunset"]) == (200, None)


@pytest.mark.parametrize(
    "notice",
    [
        "v2",
        {},
        {"name": "v2", "status": "deprecated"},
        {**NOTICE, "successor": "https://elsewhere.example/a>; rel=x"},
        {**NOTICE, "successor": "../../etc/passwd"},
        {**NOTICE, "sunset": "2027-06-30\r\nX-Injected: 1"},
        {**NOTICE, "sunset": "2027-02-30"},
        {**NOTICE, "deprecated": 20261120},
        {**NOTICE, "file": ["catalog/v2/models.yaml"]},
        {**NOTICE, "clients": {"aichat": "newest"}},
    ],
)
def test_a_notice_that_is_not_one_leaves_the_last_whole_release(
    app: StaticApp, publisher: Publisher, notice: object
) -> None:
    publisher.held[MODELS] = SECOND
    publisher.objects({MODELS: SECOND})
    assert ask(app, f"/{MODELS}").body == FIRST
    published_again(publisher, notice)
    answer = ask(app, f"/{MODELS}")
    assert (answer.status, answer.body, answer["Link"]) == (200, FIRST, None)


@pytest.mark.parametrize(
    ("text", "version", "holds"),
    [
        (">=0.27.0 <0.31", "0.30.0", True),
        (">=0.27.0 <0.31", "0.31.0", False),
        (">=0.27.0 <0.31", "0.26.9", False),
        (">=0.27", "0.27.0", True),
        ("=1.2", "1.2.0", True),
        (">1.2", "1.2.1-alpha.3", True),
        ("<=1", "1.0.0+build", True),
        ("<10", "9.9.9", True),
    ],
)
def test_a_range_of_versions_holds_by_numbers(text: str, version: str, holds: bool) -> None:
    found = version_of(version)
    assert found is not None
    assert suits(text, found) is holds


@pytest.mark.parametrize(
    "text", ["", ">=", "0.27", ">=0.27,<1", ">=0.27 and <1", "~1.2", ">=1.2.3.4.5", ">=٣", "*"]
)
def test_what_is_no_range_is_said_to_be_none(text: str) -> None:
    assert not is_range(text)


# -- the version that a client says --------------------------------------------------------------

CODEX = "catalog/codex/models.json"
CODEX_OLD, CODEX_OLDER = "catalog/codex/models.before-0.150.json", "catalog/codex/models.before-0.98.json"
IN_EU = "regions/eu/"


@pytest.fixture
def codex(publisher: Publisher) -> StaticApp:
    files = {CODEX: b"newest", CODEX_OLD: b"older", CODEX_OLDER: b"oldest"}
    publisher.publish({**files, **{f"{IN_EU}{path}": b"eu " + data for path, data in files.items()}})
    return StaticApp(publisher.root)


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        ("", b"newest"),
        ("?client_version=0.169.0", b"newest"),
        ("?client_version=0.150.0", b"newest"),
        ("?client_version=0.150.0-alpha.1", b"newest"),
        ("?client_version=0.149.9", b"older"),
        ("?client_version=0.98", b"older"),
        ("?client_version=0.97.99", b"oldest"),
        ("?client_version=0.0.0", b"oldest"),
        ("?client_version=", b"newest"),
        ("?client_version=newest", b"newest"),
        ("?client_version=%00", b"newest"),
        ("?client_version=" + "9" * 5000, b"newest"),
        ("?client_version=0.1&client_version=0.2", b"newest"),
        ("?other=1", b"newest"),
        ("?client_version=0.1&region=EU", b"eu oldest"),
        ("?client_version=0.169.0&region=eu", b"eu newest"),
    ],
)
def test_a_client_gets_the_document_that_its_version_can_use(
    codex: StaticApp, asked: str, body: bytes
) -> None:
    answer = ask(codex, f"/{CODEX}{asked}")
    assert (answer.status, answer.body) == (200, body)
    assert answer["ETag"] == f'"{sha256(body)[:32]}"'


def test_the_address_of_a_region_and_the_signature_follow_the_version_too(codex: StaticApp) -> None:
    assert ask(codex, f"/{IN_EU}{CODEX}?client_version=0.1").body == b"eu oldest"
    signed = ask(codex, f"/{CODEX}.minisig?client_version=0.1").body
    assert signed == b"signature of " + sha256(b"oldest").encode()
    assert ask(codex, f"/{CODEX_OLD}").body == b"older"


def test_a_version_below_what_the_schema_is_for_is_told_so(codex: StaticApp, publisher: Publisher) -> None:
    notice = {"name": "codex", "file": CODEX, "status": "current", "clients": {"codex": ">=0.90 <0.160"}}
    published_again(publisher, notice)
    refused = ask(codex, f"/{CODEX}?client_version=0.89.9")
    assert refused.status == 406
    assert refused.problem["clients"] == {"codex": ">=0.90 <0.160"}
    for version, body in (("0.90", b"oldest"), ("0.170.0", b"newest"), ("unreadable", b"newest")):
        assert ask(codex, f"/{CODEX}?client_version={version}").body == body
    assert ask(codex, f"/{CODEX}").body == b"newest"
    assert ask(codex, f"/{MODELS}?client_version=0.1").body == FIRST


def test_a_retired_documents_variants_are_gone_with_it(codex: StaticApp, publisher: Publisher) -> None:
    for path in (CODEX, CODEX_OLD, CODEX_OLDER):
        del publisher.held[path], publisher.held[IN_EU + path]
    published_again(publisher, {"name": "codex", "file": CODEX, "status": "retired"})
    for path in (CODEX, f"{CODEX}?client_version=0.1", CODEX_OLD, f"{IN_EU}{CODEX_OLDER}.minisig"):
        assert ask(codex, f"/{path}").status == 410
