"""``sync --for``: a client's own verified document, put where that client reads it. Undone by ``--restore``.

Nothing is rendered here: the document is a signed target. An installed package is never touched.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from almanac import addresses
from almanac.accepted import Accepted
from almanac.durable import local_errors, read_plain, write_durably
from almanac.errors import AlmanacError, LocalStateError, MalformedError, UsageError
from almanac.obtain import Obtained
from almanac.state import State

BACKUP_SUFFIX: Final = ".before-almanac"
RECORD: Final = "installed.json"


@dataclass(frozen=True, slots=True)
class Job:
    """Where the file goes and what must be known to write it; found out before anything is fetched."""

    file: Path | None
    """``None``: below our own data folder."""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What was written or undone."""

    client: str
    file: Path
    what: str
    settings: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "client": self.client,
            "file": str(self.file),
            "what": self.what,
            "settings": dict(self.settings),
        }

    def lines(self) -> list[str]:
        return [
            f"{self.client}: {self.file} {self.what}",
            *(f"  set {name}={value}" for name, value in self.settings),
            *(f"  {note}" for note in self.notes),
        ]


class Installer(Protocol):
    """One client: which document it wants, where it reads, and how the file is made from the document."""

    client: str

    def paths(self, regions: Iterable[str]) -> list[str]: ...
    def prepare(self, environ: Mapping[str, str], version: str | None) -> Job: ...
    def content(self, document: bytes, job: Job) -> bytes: ...
    def done(self, file: Path, what: str, path: str, mirror: str) -> Done: ...


class Aichat:
    """aichat reads ``models-override.yaml`` in its configuration folder, only when it names the running version."""

    client = "aichat"
    oldest = (0, 27)

    def paths(self, regions: Iterable[str]) -> list[str]:
        return [addresses.document_path("v2/models.yaml", region=region) for region in regions]

    def prepare(self, environ: Mapping[str, str], version: str | None) -> Job:
        number = _version(version) if version is not None else _asked_version()
        if tuple(int(part) for part in number.split(".")[:2]) < self.oldest:
            raise UsageError(
                f"aichat {number} reads no list", advice="0.27.0 is the first that does: upgrade aichat"
            )
        return Job(_aichat_folder(environ) / "models-override.yaml", number)

    def content(self, document: bytes, job: Job) -> bytes:
        """The signed lines, two blanks to the right below ``list:``: every number keeps its spelling."""
        lines = _block_list(document)
        body = "\n".join(f"  {line}" if line.strip() else "" for line in lines)
        return f"version: {job.version}\nlist:\n{body.rstrip()}\n".encode()

    def done(self, file: Path, what: str, path: str, mirror: str) -> Done:  # noqa: ARG002
        return Done(self.client, file, what, notes=("after each upgrade of aichat, sync again",))


class LiteLLM:
    """LiteLLM reads only an address; the verified copy lies in our data folder for programs that load it themselves."""

    client = "litellm"
    file = "model_prices_and_context_window.json"

    def paths(self, regions: Iterable[str]) -> list[str]:
        return [addresses.document_path(f"litellm/{self.file}", region=region) for region in regions]

    def prepare(self, environ: Mapping[str, str], version: str | None) -> Job:  # noqa: ARG002
        return Job(None)

    def content(self, document: bytes, job: Job) -> bytes:  # noqa: ARG002
        return document

    def done(self, file: Path, what: str, path: str, mirror: str) -> Done:
        settings = (("LITELLM_MODEL_COST_MAP_URL", mirror + path),)
        note = (
            "LiteLLM fetches that address itself and verifies nothing; this file is the verified copy of it"
        )
        return Done(self.client, file, what, settings, (note,))


INSTALLERS: Final[dict[str, Installer]] = {"aichat": Aichat(), "litellm": LiteLLM()}


def named(client: str) -> Installer:
    installer = INSTALLERS.get(client.lower())
    if installer is None:
        supported = " and ".join(INSTALLERS)
        raise UsageError(f"--for {client!r} is not supported yet", advice=f"supported are {supported}")
    return installer


def install(state: State, installer: Installer, job: Job, document: Obtained, *, mirror: str) -> Done:
    """Writes the file as a whole. What stood there before, if it was not ours, is kept beside it."""
    file = _file(state, installer, job)
    new = installer.content(document.data, job)
    old = read_plain(file)
    if old == new:
        return installer.done(file, "is up to date", document.path, mirror)
    record = _records(state).get(installer.client, {})
    backup = str(record.get("backup", "")) if old is not None and _is_ours(old, record) else ""
    if old is not None and not _is_ours(old, record):
        backup = str(file.with_name(file.name + BACKUP_SUFFIX))
        write_durably(Path(backup), old, mode=_mode(file))
    _record(state, installer.client, {"file": str(file), "sha256": _sha256(new), "backup": backup})
    write_durably(file, new, mode=_mode(file))
    return installer.done(file, "written", document.path, mirror)


def restore(state: State, installer: Installer) -> Done:
    """Puts back what stood there before; a file that somebody changed since is left alone."""
    record = _records(state).get(installer.client)
    if record is None:
        raise UsageError(f"nothing was written for {installer.client}", advice="there is nothing to restore")
    file = Path(record["file"])
    current = read_plain(file)
    if current is not None and not _is_ours(current, record):
        what = "left as it is: somebody changed it since"
    elif record["backup"] and (before := read_plain(Path(record["backup"]))) is not None:
        write_durably(file, before, mode=_mode(file))
        what = "is again what it was before"
    else:
        with local_errors(file):
            file.unlink(missing_ok=True)
        what = "removed: there was none before"
    _record(state, installer.client, None)
    return Done(installer.client, file, what)


def held(state: State, accepted: Accepted, paths: Sequence[str]) -> Obtained:
    """A client's document from what was accepted before."""
    for path in paths:
        document = accepted.newest.documents.get(path)
        data = state.document(document.sha256) if document else None
        if document is not None and data is not None:
            return Obtained(path, document.sha256, document.length, "unchanged", data)
    raise LocalStateError("not held", where=f"({paths[0]})", advice="sync once without --offline")


def _file(state: State, installer: Installer, job: Job) -> Path:
    if job.file is None:
        return state.folder / "clients" / installer.client / getattr(installer, "file", "document")
    return job.file.resolve()


def _mode(file: Path) -> int:
    """Settings of other programs keep their permissions; new ones are readable as the user's files usually are."""
    try:
        return file.stat().st_mode & 0o777
    except OSError:
        return 0o644


def _is_ours(data: bytes, record: Mapping[str, Any]) -> bool:
    return _sha256(data) == record.get("sha256")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _records(state: State) -> dict[str, dict[str, Any]]:
    data = read_plain(state.folder / RECORD)
    try:
        form = json.loads(data or b"{}")
        return {
            str(client): {"file": str(r["file"]), "sha256": str(r["sha256"]), "backup": str(r["backup"])}
            for client, r in form.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise LocalStateError(
            "damaged",
            where=f"file {state.folder / RECORD}",
            advice="remove it; backups end in " + BACKUP_SUFFIX,
        ) from None


def _record(state: State, client: str, record: dict[str, Any] | None) -> None:
    records: dict[str, Any] = _records(state)
    records.pop(client, None)
    if record is not None:
        records[client] = record
    write_durably(state.folder / RECORD, json.dumps(records, indent=1).encode() + b"\n")


def _aichat_folder(environ: Mapping[str, str]) -> Path:
    if named_folder := environ.get("AICHAT_CONFIG_DIR"):
        return Path(named_folder).expanduser()
    from platformdirs import user_config_path

    return user_config_path("aichat", appauthor=False, roaming=True)


def _version(text: str) -> str:
    found = re.fullmatch(
        r"(?:aichat )?v?([0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}(?:-[0-9A-Za-z.]{1,40})?)", text.strip()
    )
    if found is None:
        raise UsageError("not a version", where=repr(text[:60]), advice="write it like 0.30.0")
    return found[1]


def _asked_version() -> str:
    """What ``aichat --version`` says."""
    import subprocess

    try:
        answer = subprocess.run(
            ["aichat", "--version"], capture_output=True, timeout=10, check=True, text=True
        )
    except FileNotFoundError:
        raise UsageError(
            "aichat is not on PATH", advice="say which version will read the file: --client-version 0.30.0"
        ) from None
    except (OSError, subprocess.SubprocessError) as error:
        raise AlmanacError(
            f"`aichat --version` failed ({type(error).__name__})", advice="give --client-version"
        ) from error
    return _version(answer.stdout)


def _block_list(document: bytes) -> list[str]:
    """The document's lines, if moving them to the right keeps their meaning and leaves aichat with models."""
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError("not UTF-8", where="(models.yaml)", advice="nothing was written") from error
    lines = text.replace("\r\n", "\n").split("\n")
    content = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    unusable = any(line.startswith(("---", "...", "%", "\ufeff", "\t")) for line in lines)
    if (
        unusable
        or not content
        or not content[0].startswith("- ")
        or not any("name:" in line for line in content)
    ):
        raise MalformedError(
            "not a list of providers with models", where="(models.yaml)", advice="nothing was written"
        )
    return lines
