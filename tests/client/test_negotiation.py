"""Whatever a stranger writes into a header or an address: a right answer, never an error of ours."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.negotiation import (
    Encodings,
    Span,
    UnsatisfiableRangeError,
    dictionary_hash,
    entity_tags,
    single_range,
)
from almanac.static import StaticApp
from tests.client.static_site import EUROPEAN, MODELS, Publisher, ask, object_address

BYTES = b"- name: model\n" * 20

# Text as a WSGI server hands it over: one character for each byte.
anything = st.text(st.characters(max_codepoint=255), max_size=200)
encodings = st.lists(
    st.tuples(
        st.sampled_from(["gzip", "br", "zstd", "dcz", "identity", "*", "x-gzip", "GZIP", "deflate", ""]),
        st.sampled_from(
            ["", ";q=0", ";q=1", ";q=0.5", "; q=0.001", ";q=2", ";q=", ";q=NaN", ";q=-1", ";x=1", ";"]
        ),
    ).map("".join),
    max_size=8,
).map(",".join)
ranges = st.one_of(
    st.tuples(st.integers(-5, 400), st.integers(-5, 400)).map(lambda pair: f"bytes={pair[0]}-{pair[1]}"),
    st.integers(0, 10**30).map(lambda n: f"bytes=-{n}"),
    st.integers(0, 10**30).map(lambda n: f"bytes={n}-"),
    anything.map(lambda text: f"bytes={text}"),
)
tags = st.lists(anything.map(lambda text: f'"{text}"') | anything, max_size=5).map(", ".join)
addresses = st.one_of(
    anything,
    st.lists(
        st.sampled_from(
            ["catalog", "v2", "models.yaml", "..", ".", "", "%2e%2e", "targets", "metadata", "deltas", "regions", "eu",
             "timestamp.json", "1.root.json", "a" * 64, "\0", "\\", "C:", "index.json", "e" * 64 + ".models.yaml"]
        ),
        max_size=7,
    ).map(lambda parts: "/" + "/".join(parts)),
)  # fmt: skip
queries = st.one_of(anything, anything.map(lambda text: f"region={text}"))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> StaticApp:
    root: Path = tmp_path_factory.mktemp("store")
    publisher = Publisher(root)
    publisher.publish({MODELS: BYTES, EUROPEAN: BYTES})
    publisher.publish({MODELS: BYTES + b"- name: another\n"})
    publisher.compressed(MODELS)
    return StaticApp(root)


@given(
    accept=anything | encodings,
    none_match=anything | tags,
    asked=anything | ranges,
    if_range=anything | tags,
    dictionary=anything,
    query=queries,
)
@settings(max_examples=400, deadline=None)
def test_no_header_makes_the_server_fail(
    *, app: StaticApp, accept: str, none_match: str, asked: str, if_range: str, dictionary: str, query: str
) -> None:
    headers = {
        "Accept_Encoding": accept,
        "If_None_Match": none_match,
        "Range": asked,
        "If_Range": if_range,
        "Available_Dictionary": dictionary,
    }
    answer = ask(app, f"/{MODELS}?{query}", **headers)
    assert answer.status in (200, 206, 304, 400, 404, 406, 416)
    assert answer.status < 400 or answer.problem["title"]
    # Each header alone as well, so that none hides behind another.
    for name, value in headers.items():
        assert ask(app, f"/{MODELS}", **{name: value}).status in (200, 206, 304, 406, 416)


@given(path=addresses)
@settings(max_examples=400, deadline=None)
def test_no_address_makes_the_server_fail_or_leave_the_store(app: StaticApp, path: str) -> None:
    answer = ask(app, path.replace("?", ""))
    assert answer.status in (200, 404)
    assert answer.status == 404 or answer["ETag"]


@given(header=anything | encodings)
def test_a_refused_encoding_is_never_chosen(header: str) -> None:
    wanted = Encodings(header)
    chosen = wanted.choose({"identity": 100, "gzip": 50, "br": 40, "zstd": 45})
    if chosen is None:
        assert all(wanted.weight(coding) == 0 for coding in ("identity", "gzip", "br", "zstd"))
    else:
        assert wanted.weight(chosen) > 0
        assert chosen == "identity" or header


@given(header=anything | ranges, length=st.integers(0, 300))
def test_a_range_is_always_inside_the_document(header: str, length: int) -> None:
    try:
        span = single_range(header, length)
    except UnsatisfiableRangeError:
        return
    if span is not None:
        assert 0 <= span.first <= span.last < length


@given(header=anything | tags)
def test_every_entity_tag_that_is_read_was_written(header: str) -> None:
    for tag in entity_tags(header):
        assert tag in header


@given(header=anything)
def test_a_dictionary_is_32_bytes_or_nothing(header: str) -> None:
    found = dictionary_hash(header)
    assert found is None or len(found) == 64


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", Span(0, 0)),
        ("bytes=2-", Span(2, 9)),
        ("bytes=-3", Span(7, 9)),
        ("bytes=-30", Span(0, 9)),
        ("bytes=8-30", Span(8, 9)),
        ("bytes=3-2", None),
        ("bytes=0-1,2-3", None),
    ],
)
def test_ranges_mean_what_the_standard_says(header: str, expected: Span | None) -> None:
    assert single_range(header, 10) == expected


def test_a_very_long_list_of_tags_is_read_in_one_pass() -> None:
    assert sum(1 for _ in entity_tags(", ".join(['"a"'] * 100_000))) == 100_000
    assert list(entity_tags('"' * 100_000 + "x"))[:1] in ([], ['""'])
    assert list(entity_tags(" " * 100_000 + "x")) == []


def test_a_copy_of_the_immutable_object_answers_as_the_plain_address_does(app: StaticApp) -> None:
    newest = BYTES + b"- name: another\n"
    for accept in ("", "br", "gzip"):
        plain = ask(app, f"/{MODELS}", Accept_Encoding=accept)
        by_hash = ask(app, object_address(MODELS, newest), Accept_Encoding=accept)
        assert (plain.body, plain["ETag"]) == (by_hash.body, by_hash["ETag"])
