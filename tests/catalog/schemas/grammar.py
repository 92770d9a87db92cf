"""Documents that follow a format's grammar, and stray from it as real ones do: odd orders, nulls, unknown fields, spellings."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from catalog.schemas.reading.json_reader import read_json
from catalog.schemas.reading.values import Json, Number, to_json
from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
WHOLE = st.integers(-3, 2_000_000_000).map(lambda value: Number(str(value)))
NUMBERS = WHOLE | st.sampled_from(
    [Number(text) for text in ("0", "1.0", "1e3", "1.50", "-0", "2.5e-06", "128000.0")]
)
NAMES = st.sampled_from(["x", "note", "pricing.prompt", "=odd", "", "a.b", "ünïcode"]) | TEXT
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
IDS = st.from_regex(r"[a-zA-Z@~][a-zA-Z0-9/:._@-]{0,20}", fullmatch=True)
DAYS = st.dates().map(lambda day: day.isoformat())
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def objects(
    draw: st.DrawFn,
    needed: Mapping[str, st.SearchStrategy[Json]],
    usual: Mapping[str, st.SearchStrategy[Json]],
    *,
    strays: bool = True,
) -> dict[str, Json]:
    """The needed fields, some of the usual ones (now and then with any value at all), some strays, in any order."""
    item = {name: draw(values) for name, values in needed.items()}
    for name, values in usual.items():
        if draw(st.integers(0, 4)):
            item[name] = draw(values) if draw(st.integers(0, 7)) else draw(VALUES)
    if strays:
        for name, value in draw(st.dictionaries(NAMES, VALUES, max_size=2)).items():
            item.setdefault(name, value)
    if draw(st.booleans()):
        return {name: item[name] for name in draw(st.permutations(list(item)))}
    return item


def spelled(data: bytes) -> str:
    """Everything that a reader can see, as one text."""
    return to_json(read_json(data).value)


def assert_round_trip(schema: str, document: Json, catalog: MemoryCatalog | None = None) -> None:
    catalog = MemoryCatalog() if catalog is None else catalog
    data = to_json(document).encode()
    take_in(catalog, schema, data)
    view = give_out(catalog, schema)
    assert spelled(view.data) == to_json(document)
    assert not view.omissions
    assert take_in(catalog, schema, data).changes == []
