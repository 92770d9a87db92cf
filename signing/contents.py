"""Refuses, before anything is signed, contents that no client would find or that two roles would answer for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tuf.api.metadata import DelegatedRole

from almanac.addresses import METADATA_NAME, SHA256, is_target_path
from signing.delegations import TOP_LEVEL, Delegation, RoleContent, TargetFile
from signing.errors import ContentsError

DELTA_KEY = re.compile(r"[0-9a-f]{16}")


def check_contents(contents: Mapping[str, RoleContent]) -> None:
    """Every role is delegated to exactly once, and every target lies in the paths of all its delegations."""
    if "targets" not in contents:
        raise ContentsError("the contents name no role 'targets'", advice="it delegates to all others")
    if contents["targets"].targets:
        raise ContentsError(
            "'targets' lists documents", advice="it only delegates; give them to a role of their own"
        )
    reached = {"targets"}
    for chain in _walk(contents, "targets", ()):
        role = chain[-1].role
        if role in reached:
            raise ContentsError(f"role {role!r} is delegated to twice")
        reached.add(role)
        for target in contents[role].targets:
            _check_target(target, chain)
    unreached = sorted(set(contents) - reached)
    if unreached:
        raise ContentsError(f"no role delegates to {', '.join(map(repr, unreached))}")


def _walk(
    contents: Mapping[str, RoleContent], role: str, chain: tuple[Delegation, ...]
) -> Iterator[tuple[Delegation, ...]]:
    """Every delegated role, as the chain of delegations that leads to it."""
    for delegation in contents[role].delegates:
        name = delegation.role
        if name in TOP_LEVEL or not METADATA_NAME.fullmatch(f"{name}.json"):
            raise ContentsError(f"{name!r} cannot be the name of a delegated role")
        if name not in contents:
            raise ContentsError(f"role {name!r} is delegated to and has no content")
        if any(name == earlier.role for earlier in chain):
            raise ContentsError(f"role {name!r} delegates to itself")
        yield (*chain, delegation)
        yield from _walk(contents, name, (*chain, delegation))


def _check_target(target: TargetFile, chain: tuple[Delegation, ...]) -> None:
    sound = (
        is_target_path(target.path)
        and SHA256.fullmatch(target.sha256)
        and target.length >= 0
        and target.release >= 0
        and all(DELTA_KEY.fullmatch(key) and length > 0 for key, length in target.deltas.items())
    )
    if not sound:
        raise ContentsError("this target is not well formed:", where=repr(target.path))
    for delegation in chain:
        covers = DelegatedRole(delegation.role, [], 1, terminating=True, paths=list(delegation.paths))
        if not covers.is_delegated_path(target.path):
            raise ContentsError(
                f"no client would find {target.path!r}",
                where=f"in role {delegation.role!r}",
                advice="its path is outside the paths that were delegated to that role",
            )
