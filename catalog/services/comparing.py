"""Two schemas compared over the live catalog: whom the change from one to the other would break, and where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from catalog.compatibility import Difference, differences
from catalog.reading import LiveState
from catalog.rendering import render_view
from catalog.schemas.base import Finding, Omission, Schema
from catalog.schemas.registry import NATIVE, SCHEMAS

CONTRACTS: Final = Path(__file__).parents[1] / "schemas" / "files"


@dataclass(frozen=True, slots=True)
class Comparison:
    differences: tuple[Difference, ...]
    """Of the contracts."""
    findings: tuple[Finding, ...] = ()
    """What the old schema's clients would say to the new one's document as it is now; each names its client."""
    lost: tuple[Omission, ...] = ()
    """Members of the old document that the new one has not, and why."""

    @property
    def breaks(self) -> bool:
        return any(d.severity == "break" for d in self.differences) or any(
            finding.severity == "stop" for finding in self.findings
        )


def contract_name(schema: str) -> str:
    """Under which name a schema's contract lies: ``models-dev``, ``genai-prices-v1``."""
    return schema.replace("/", "-").replace(".", "-")


def contract_of(schema: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((CONTRACTS / f"{contract_name(schema)}.schema.json").read_text())
    return found


def compare_schemas(old: str, new: str) -> Comparison:
    """``new`` in the place of ``old``, with the live records."""
    state = LiveState()
    before = render_view(SCHEMAS[old], state, SCHEMAS)
    after = render_view(SCHEMAS[new], state, SCHEMAS)
    listed = {line.key for line in after.lines}
    reasons = {left.key: left.reason for left in after.omissions}
    gone = [line.key for line in before.lines if line.key not in listed]
    lost = [Omission(key, reasons.get(key, "it is not a member")) for key in gone]
    return Comparison(
        tuple(differences(contract_of(old), contract_of(new))),
        tuple(SCHEMAS[old].gate(after.data)),
        tuple(sorted(lost)),
    )


def client_of(schema: Schema) -> str:
    """Who reads it."""
    native = NATIVE.get(schema.name)
    return str(getattr(native, "client", "almanac"))
