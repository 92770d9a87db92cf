"""Composes ``starter.json`` from the selection beside it and the shared data: ``python -m catalog.starter.compose``.

Run by hand when the selection or the data changes; its output is committed. The same input gives the same bytes.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from catalog import records
from catalog.records import Kind
from catalog.starter import facts, histories
from catalog.starter.facts import GIB, Facts

HERE: Final = Path(__file__).resolve().parent
SHARED_DATA: Final = HERE.parents[2] / "shared" / "data"

SECTIONS: Final = {
    "regions": (Kind.REGION, records.RegionRecord),
    "labs": (Kind.LAB, records.LabRecord),
    "providers": (Kind.PROVIDER, records.ProviderRecord),
    "entries": (Kind.ENTRY, records.EntryRecord),
    "offerings": (Kind.OFFERING, records.OfferingRecord),
    "featured": (Kind.FEATURED, records.FeaturedRecord),
    "trials": (Kind.TRIAL, records.TrialRecord),
    "experiments": (Kind.EXPERIMENT, records.ExperimentRecord),
}
TIERS: Final = ((4 * GIB, "phone"), (16 * GIB, "laptop"), (32 * GIB, "desktop"), (96 * GIB, "workstation"))
STATED_REGIONS: Final = {"us": "us", "europe": "eu", "asia": "asia"}
"""A cloud's region begins with one of these words; ``global`` rules nothing out."""


class Composer:
    """The selection, and what each source that it names says."""

    def __init__(self, selection: Mapping[str, Any], data: Path) -> None:
        self.selection = selection
        self.data = data

    def document(self) -> bytes:
        entries, offerings = self._entries_and_offerings()
        contents: dict[str, list[dict[str, Any]]] = {
            "regions": [{"code": code, **region} for code, region in self.selection["regions"].items()],
            "labs": [{"slug": slug, "name": name} for slug, name in self.selection["labs"].items()],
            "providers": [self._provider(slug) for slug in self.selection["providers"]],
            "entries": entries,
            "offerings": offerings,
            "featured": self.selection["featured"],
            "trials": self.selection["trials"],
            "experiments": self.selection["experiments"],
        }
        return assemble(contents)

    def _provider(self, slug: str) -> dict[str, Any]:
        names = self.selection["providers"][slug]
        listed = self._document("models.dev").get(names.get("models.dev", slug), {})
        catwalk = {provider["id"]: provider for provider in self._document("catwalk")}
        endpoint = catwalk.get(names.get("catwalk", slug), {}).get("api_endpoint", "")
        endpoint = endpoint if endpoint.startswith("https://") else None
        fields = {
            "slug": slug,
            "name": listed.get("name") or self.selection["names"][slug],
            "api": listed.get("api") or endpoint,
            "env": listed.get("env"),
            "docs": listed.get("doc"),
            "names": dict(sorted(names.items())),
        }
        return {name: value for name, value in fields.items() if value}

    def _entries_and_offerings(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        entries: list[dict[str, Any]] = []
        offerings: list[dict[str, Any]] = []
        for lab, chosen in self.selection["entries"].items():
            for slug, keys in chosen.items():
                artifacts = self.selection["artifacts"].get(f"{lab}/{slug}", [])
                sources = {key: self._sources(key) for key in keys}
                first = keys[0].partition(":")[0] if keys else ""
                entry = self._entry(lab, slug, first, list(sources.values()), artifacts)
                entries.append(entry)
                offerings += [self._offering(key, entry, sources[key]) for key in keys]
        return entries, offerings

    def _entry(
        self, lab: str, slug: str, first: str, sources: list[list[str]], artifacts: list[str]
    ) -> dict[str, Any]:
        """The first offering's sources state its facts; a file's source speaks where there is no offering.

        A date of deprecation counts only where the first provider is the lab's own: elsewhere it says when that
        provider stops, not when the model does.
        """
        files = [f"{self.selection['histories'][name]}#{file}" for name, _, file in map(_at_hash, artifacts)]
        stated = merge(self._facts(source) for source in [*(sources[0] if sources else []), *files])
        dates = dict(stated.dates)
        if first != self.selection["homes"].get(lab, lab):
            dates.pop("deprecated", None)
        fields = {
            "lab": lab,
            "slug": slug,
            "name": stated.name,
            "mode": self._mode(sources) or stated.mode,
            "stage": stated.stage or "current",
            "modalities": stated.modalities,
            "limits": stated.limits,
            "capabilities": stated.capabilities,
            **dates,
            "open_weights": stated.open_weights,
            "links": dict(sorted(stated.links.items())),
            "sources": list(dict.fromkeys([*(s for group in sources for s in group), *files])),
            "aliases": self.selection["aliases"].get(f"{lab}/{slug}"),
            "artifacts": [self._artifact(source) for source in files],
        }
        return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}

    def _mode(self, sources: list[list[str]]) -> str:
        """LiteLLM names the mode; models.dev only lets it be guessed."""
        litellm = (source for group in sources[:1] for source in group if source.startswith("litellm:"))
        return next((self._facts(source).mode for source in litellm), "")

    def _offering(self, key: str, entry: Mapping[str, Any], sources: list[str]) -> dict[str, Any]:
        provider, native_id, _ = records.split_offering_key(key)
        stated = [self._facts(source) for source in sources]
        own = stated[0]
        prices = [*own.prices]
        for other in stated[1:]:
            prices += agreeing_tiers(own, other)
        fields = {
            "provider": provider,
            "native_id": native_id,
            "entry": f"{entry['lab']}/{entry['slug']}",
            "stage": own.stage or entry["stage"],
            "limits": differing(own.limits, entry.get("limits", {})),
            "capabilities": differing(own.capabilities, entry.get("capabilities", {})),
            "modalities": own.modalities if own.modalities != entry.get("modalities") else None,
            "prices": sorted(prices, key=facts.price_order),
            "availability": self._availability(sources),
        }
        return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}

    def _availability(self, sources: list[str]) -> dict[str, Any] | None:
        """LiteLLM states regions for a few offerings: our regions that it does not name are ruled out."""
        for source in sources:
            found = histories.find(self.data, source) or {}
            stated = found.get("supported_regions", ()) if source.startswith("litellm:") else ()
            if stated and "global" not in stated:
                named = {STATED_REGIONS[region.partition("-")[0]] for region in stated}
                return {"never": sorted(set(STATED_REGIONS.values()) - named), "note": ", ".join(stated)}
        return None

    def _artifact(self, source: str) -> dict[str, Any]:
        found = histories.find(self.data, source)
        history, _, file = histories.split_source(source)
        if found is None:
            raise LookupError(f"{source} is not in the shared data")
        if history == "gpt4all_v3":
            ram = int(found["ramrequired"]) * GIB
            return {
                "name": file,
                "url": found["url"],
                "size_bytes": int(found["filesize"]),
                "format": "gguf",
                "quantization": found["quant"].upper(),
                "ram_bytes": ram,
                "hardware_tier": hardware_tier(ram),
            }
        variant = next(f for f in found["files"]["all"] if f["name"] == file)
        return {
            "name": file,
            "url": variant["url"],
            "size_bytes": variant["sizeBytes"],
            "sha256": variant["sha256checksum"],
            "format": variant["format"],
            "quantization": variant["quantization"],
            "hardware_tier": hardware_tier(variant["sizeBytes"] * 5 // 4),
        }

    def _sources(self, key: str) -> list[str]:
        """Where the offering is described: models.dev first, then LiteLLM."""
        provider, native_id, _ = records.split_offering_key(key)
        names = self.selection["providers"][provider]
        version = self.selection["histories"]
        family = names.get("litellm", provider)
        candidates = [
            f"{version['models.dev']}#{names.get('models.dev', provider)}/{native_id}",
            *(f"{version['litellm']}#{name}" for name in (native_id, f"{family}/{native_id}")),
        ]
        found = [source for source in candidates if self._describes(source, family)]
        if not found:
            raise LookupError(f"{key}: no source lists it")
        return found[:2]

    def _describes(self, source: str, family: str) -> bool:
        found = histories.find(self.data, source)
        if found is None or not source.startswith("litellm:"):
            return found is not None
        return str(found["litellm_provider"]).startswith(family)

    def _facts(self, source: str) -> Facts:
        found = histories.find(self.data, source)
        history, _, pointer = histories.split_source(source)
        if found is None:
            raise LookupError(f"{source} is not in the shared data")
        match history:
            case "modelsdev":
                return facts.models_dev_facts(found)
            case "litellm":
                return facts.litellm_facts(pointer, found)
            case "gpt4all_v3":
                return facts.gpt4all_facts(found)
            case _:
                return facts.lmstudio_facts(found)

    def _document(self, family: str) -> Any:
        history, file, _ = histories.split_source(self.selection["histories"][family])
        return histories.read_version(self.data, history, file)


def merge(stated: Iterable[Facts]) -> Facts:
    """The first to say something is believed; the others fill in what it leaves unsaid."""
    every = list(stated)
    fields: dict[str, Any] = {}
    for name in Facts.__dataclass_fields__:
        values = [getattr(each, name) for each in every]
        if name in {"limits", "capabilities", "dates", "links"}:
            fields[name] = _in_order({key: v for value in reversed(values) for key, v in value.items()})
        else:
            fields[name] = next((v for v in values if v not in ("", {}, None, ())), values[0])
    return Facts(**fields)


def agreeing_tiers(own: Facts, other: Facts) -> list[records.PriceRecord]:
    """Prices of service tiers from a second source, where it agrees with the first about the standard ones."""
    ours = {facts.price_order(p): p["amount"] for p in own.prices}
    theirs = {facts.price_order(p): p["amount"] for p in other.prices}
    shared = ours.keys() & theirs.keys()
    if not shared or any(ours[terms] != theirs[terms] for terms in shared):
        return []
    meters = {p["meter"] for p in own.prices}
    return [p for p in other.tier_prices if p["meter"] in meters]


def differing(own: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """What the offering says otherwise than its entry."""
    return _in_order({name: value for name, value in own.items() if shared.get(name) != value})


def hardware_tier(ram_bytes: int) -> str:
    return next((tier for most, tier in TIERS if ram_bytes <= most), "server")


def assemble(contents: Mapping[str, list[dict[str, Any]]]) -> bytes:
    """The ``almanac/v1`` form: one record a line, sorted by key, fields in their declared order."""
    sections = []
    for section, (kind, form) in SECTIONS.items():
        lines = sorted(
            (key, record_line(kind, form, key, each)) for key, each in keyed(kind, contents[section])
        )
        sections.append(f'"{section}":[\n' + ",\n".join(line for _, line in lines) + "\n]")
    return ('{"format":"almanac/v1",\n' + ",\n".join(sections) + "}\n").encode()


def keyed(kind: Kind, contents: Iterable[dict[str, Any]]) -> Iterable[tuple[str, dict[str, Any]]]:
    for record in contents:
        yield records.key_of(kind, {"ordinal": 1, **record}), record


def record_line(kind: Kind, form: type, key: str, record: Mapping[str, Any]) -> str:
    identity = {"id": key} if kind in (Kind.ENTRY, Kind.OFFERING) else {}
    fields = {name: record[name] for name in form.__annotations__ if name in record}
    return json.dumps({**identity, **fields}, ensure_ascii=False, separators=(",", ":"))


def _in_order(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Capabilities and limits in the order of the record's vocabulary, others by name."""
    order = [*records.LimitsRecord.__annotations__, *records.CAPABILITIES]
    return {
        name: fields[name] for name in sorted(fields, key=lambda n: (order.index(n) if n in order else -1, n))
    }


def _at_hash(text: str) -> tuple[str, str, str]:
    return text.partition("#")


def main() -> int:
    if not SHARED_DATA.is_dir():
        sys.stderr.write("The shared data is not here: expected a folder shared/data beside the project.\n")
        return 1
    selection = tomllib.loads((HERE / "selection.toml").read_text())
    document = Composer(selection, SHARED_DATA).document()
    (HERE / "starter.json").write_bytes(document)
    sys.stdout.write(f"starter.json: {len(document):,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
