"""What the readers of YAML and JSON refuse, where they say it is, and what they keep of a number."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from catalog.schemas.reading.json_reader import parse_value, read_json
from catalog.schemas.reading.values import Json, Number, ParseError, to_json
from catalog.schemas.reading.yaml_reader import Located, read_yaml

LAUGHS = b"a: &a [x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (n + 1, n + 1, n, n) for n in range(97, 106))


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (LAUGHS, "anchors/aliases are not allowed (line 1", 1),
        (b"b: 1\na: &a [*a]", "anchors/aliases are not allowed (line 2", 2),
        (b"a: 1\n<<: {b: 2}", "merge keys are not allowed", 2),
        (b"a: 1\nb: !!python/object/apply:os.system [id]", "tags are not allowed", 2),
        (b"a: ! x", "tags are not allowed", 1),
        (b"!!str a: x", "tags are not allowed", 1),
        (b"%TAG ! tag:x,2026:\n--- !y z", "tag directives are not allowed", 1),
        (b"[" * 2_000, "nested deeper than 32 levels", 1),
        (b"[" * 100_000, "nested deeper than 32 levels", 1),
        (b"- " * 50_000 + b"a", "nested deeper than 32 levels", 1),
        (b"{a: " * 50_000, "nested deeper than 32 levels", 1),
        (b"? " * 50_000, "a key must be text", 1),
        (b"a: 1\nb: 2\na: 3", "the key 'a' stands twice in one mapping, in lines 1 and 3", 3),
        (b"a: 1\n---\nb: 2", "one document is expected", 2),
        (b"a: .inf", "is not a number that a catalog can hold", 1),
        (b"a: -.INF", "is not a number that a catalog can hold", 1),
        (b"a: .nan", "is not a number that a catalog can hold", 1),
        (b"a: 1e400", "is out of range", 1),
        (b"a: " + b"9" * 5_000, "is out of range", 1),
        (b'a: "\\ud800"', "invalid Unicode", 1),
        (b'a: "x\\0y"', "NUL is no text", 1),
        (b"a: \x00", "does not allow", 1),
        (b"a: caf\xe9", "the file is not UTF-8 (byte 7)", 1),
        ("a: b".encode("utf-16"), "is not UTF-8", 1),
        ("a: b".encode("utf-32"), "is not UTF-8", 1),
        (b"a:\n\t- b", "cannot start any token", 2),
        (b"a: @b", "cannot start any token", 1),
        (b"a: b: c", "mapping values are not allowed", 1),
        (b"1: a", "the key '1' is not text", 1),
        (b"null: a", "the key 'null' is not text", 1),
        (b"[a]: b", "a key must be text", 1),
        (b"a: [b", "not YAML", 2),
    ],
)
def test_yaml_that_is_not_plain_is_refused_at_its_line(data: bytes, reason: str, line: int):
    with pytest.raises(ParseError) as refused:
        read_yaml(data)
    assert reason in str(refused.value)
    assert refused.value.line == line


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (b"[" * 2_000, "nested deeper than 32 levels", 1),
        (b"[" * 100_000, "nested deeper than 32 levels", 1),
        (b'{"a":' * 100_000, "nested deeper than 32 levels", 1),
        (b'{"a": 1,\n"b": {"c": 1,\n"c": 2}}', "the key 'c' stands twice in one object, in lines 2 and 3", 3),
        (b'{"a": 1,\n"\\u0061": 2}', "the key 'a' stands twice in one object, in lines 1 and 2", 2),
        (b'{"a": NaN}', "NaN is not a number that JSON has", 1),
        (b"[1,\n-Infinity]", "-Infinity is not a number that JSON has", 2),
        (b'{"a": 1e400}', "is out of range", 1),
        (b'{"a": ' + b"9" * 5_000 + b"}", "is out of range", 1),
        (b'{"a":\n"\\ud800"}', "is no text", 2),
        (b'{"\\udc00\\ud83d": 1}', "is no text", 1),
        (b'{"a": "\\u0000"}', "is no text", 1),
        (b'{"a": "x\ny"}', "not JSON", 1),
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8", 1),
        (b'{"a": "\xe9"}', "the file is not UTF-8 (byte 8)", 1),
        (b"", "the file is empty", 1),
        (b'{"a": 1} x', "not JSON", 1),
        (b'{"a": 1,}', "not JSON", 1),
        (b'{"a": 01}', "not JSON", 1),
        (b"{'a': 1}", "not JSON", 1),
        (b'{"a": "' + b"\\" * 9 + b'"', "not JSON", 1),
    ],
)
def test_json_that_is_not_plain_is_refused_at_its_line(data: bytes, reason: str, line: int):
    with pytest.raises(ParseError) as refused:
        read_json(data)
    assert reason in str(refused.value)
    assert refused.value.line == line


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("yes", "yes"), ("Off", "Off"), ("y", "y"),
        ("12:30:45", "12:30:45"), ("2026-11-20", "2026-11-20"), ("010", "010"), ("1_000", "1_000"), ("0128", "0128"),
        ("+5", Number("5")), ("0x1F", Number("31")), ("0o17", Number("15")), ("-7", Number("-7")), ("0", Number("0")),
        ("1.10", Number("1.10")), ("1e-06", Number("1e-06")), ("3.e-7", Number("3.0e-7")), (".5", Number("0.5")),
        ("1E5", Number("1e5")), ("5.", Number("5.0")), ("-0.0", Number("-0.0")), ("00.5", "00.5"),
        ("true", True), ("True", True), ("FALSE", False), ("tRue", "tRue"),
        ("null", None), ("~", None), ("Null", None), ("''", ""), ("'null'", "null"), ('"1"', "1"), ("1.2.3", "1.2.3"),
        ("-", [None]), ("+", "+"), (".", "."), ("1e", "1e"), ("0x", "0x"), ("Infinity", "Infinity"), ("a\tb", "a\tb"),
    ],
)  # fmt: skip
def test_plain_scalars_are_read_by_yaml_1_2s_short_list(text: str, value: Json):
    assert read_yaml(text.encode())[0] == value


def test_a_line_that_ends_in_a_tab_and_crlf_and_a_missing_last_newline_are_fine():
    assert read_yaml(b"- name: a\t\r\n  b: 1\r\n- name: c")[0] == [
        {"name": "a", "b": Number("1")},
        {"name": "c"},
    ]


def test_json_is_read_as_yaml_too():
    assert read_yaml(b'[{"a": "b", "c": [1, null]}]')[0] == [{"a": "b", "c": [Number("1"), None]}]


def test_one_byte_order_mark_is_left_out_with_a_notice():
    mark = "\ufeff".encode()
    assert read_yaml(mark + b"a: 1")[1] != ()
    assert read_json(mark + b"[1]").notices != ()
    with pytest.raises(ParseError):
        read_json(mark + mark + b"[1]")


def test_a_file_over_the_limit_is_refused_before_it_is_read():
    for read in (read_yaml, read_json):
        with pytest.raises(ParseError, match="at most 4 are read"):
            read(b"[1,2]", max_bytes=4)


def test_a_key_repeated_at_the_top_can_be_let_through_with_a_notice_and_counts_as_other_readers_count_it():
    read = read_json(b'{"a": {"x": 1},\n"b": {},\n"a": {"x": 2}}', last_key_counts=True)
    assert read.value == {"a": {"x": Number("2")}, "b": {}}
    assert list(read.value) == ["a", "b"]
    assert "in lines 1 and 3; the last one counts" in read.notices[0]
    with pytest.raises(ParseError, match="stands twice"):
        read_json(b'{"a": {"x": 1, "x": 1}, "a": {}}', last_key_counts=True)


def test_lines_of_keys_and_items_are_known_for_messages():
    read = read_json(b'{\n"a": [\n{"x": {}},\n\n{"y": 2}],\n"b": {"c": 1}}')
    assert read.key_lines == {"a": 2, "b": 6}
    assert read.item_lines["a"] == [3, 5]
    value, _ = read_yaml(b"- a: 1\n-\n  b: 2\n")
    assert isinstance(value, list)
    assert [item.line for item in value if isinstance(item, Located)] == [1, 3]


def test_the_lines_of_a_list_at_the_top_are_known():
    read = read_json(b'[\n{"a": {"b": [{}]}},\n\n{"c": 1}\n]')
    assert read.item_lines[""] == [2, 4]


def test_a_number_is_its_spelling_and_no_text():
    assert Number("1") != Number("1.0")
    assert Number("1") != "1"
    assert Number("1") == Number("1")
    assert to_json([Number("1e-06"), "1", True, None]) == '[1e-06,"1",true,null]'


texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=8)
numbers = st.from_regex(r"\A-?(0|[1-9][0-9]{0,6})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?\Z").map(Number)
values = st.recursive(
    st.none() | st.booleans() | texts | numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_json_text_keeps_everything_about_a_value(value: Json):
    assert to_json(parse_value(to_json(value))) == to_json(value)
    assert to_json(read_json(to_json(value).encode()).value) == to_json(value)


hostile = st.one_of(
    st.binary(max_size=200),
    st.text(alphabet=list("[]{}:,-?&*!|>'\"%@`#<\\\n\t .0123456789eE~nulltruf\u0085\ufeff"), max_size=80).map(
        str.encode
    ),
)


@given(hostile)
def test_no_bytes_at_all_give_a_traceback(data: bytes):
    for read in (read_yaml, read_json):
        with contextlib.suppress(ParseError):
            read(data)


@given(hostile)
def test_whatever_yaml_is_accepted_stock_pyyaml_accepts_too(data: bytes):
    """So nothing reaches a document that other readers cannot follow; its own quirks (``=``, 30 February) aside."""
    try:
        read_yaml(data)
    except ParseError:
        return
    with contextlib.suppress(ValueError, yaml.constructor.ConstructorError):
        yaml.load(data, Loader=yaml.CSafeLoader)
