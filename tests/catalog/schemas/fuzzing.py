"""Spoilt documents against every importer: none may crash, take more than 2 s or more than 64 MiB.

``python -m tests.catalog.schemas.fuzzing --seconds 600``: each schema in a process of its own, so that one that dies or
never comes back is seen. A finding is printed with its seed and case, which give the same bytes again, and kept as a file.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final, NoReturn

MOST_SECONDS: Final = 2.0
MOST_BYTES: Final = 64 * 2**20
SPARE_BYTES: Final = 512 * 2**20
"""Of address space above what the process has: what would take more fails here instead of taking the machine along."""
GIVES_UP_S: Final = 20
MEASURED: Final = 4
"""Each so many-th case is run once more with its memory measured, which makes it several times slower."""
ROOT: Final = Path(__file__).resolve().parents[3]

HISTORIES: Final = {
    "litellm": "litellm", "models.dev": "modelsdev", "catwalk": "catwalk", "genai-prices/v1": "genai_v1",
    "genai-prices": "genai_v2", "gpt4all": "gpt4all_v3", "lmstudio": "lmstudio",
}  # fmt: skip


LARGE: Final = ("litellm", "modelsdev")
LARGE_FROM: Final = 1_000_000
"""Archives of documents of megabytes are not unpacked for a run that spoils smaller ones."""
Importer = Callable[[bytes], object]


class TookTooLongError(Exception):
    pass


def documents(schema: str, *, most: int) -> list[bytes]:
    """Real ones where there are any, of at most so many bytes; and always what we render of the starter catalog."""
    from tests.catalog.schemas import histories
    from tests.catalog.schemas.memory import MemoryCatalog, give_out, take_in
    from tests.catalog.test_importing_over_the_starter import STARTER

    found: list[bytes] = []
    is_too_large = HISTORIES.get(schema) in LARGE and most < LARGE_FROM
    if (
        schema in HISTORIES
        and not is_too_large
        and (histories.FOLDER / f"{HISTORIES[schema]}.tar.xz").exists()
    ):
        found = [data for _, data in histories.versions(HISTORIES[schema])]
    elif schema in ("v1", "v2") and (histories.FOLDER / "aichat.tar.xz").exists():
        found = [data for _, name, data in histories.aichat_versions() if name == schema]
    some = found[:: max(1, len(found) // 5)]
    catalog = MemoryCatalog()
    take_in(catalog, "almanac/v1", STARTER.read_bytes())
    return [*(data for data in some if len(data) <= most), give_out(catalog, schema).data]


def case(schema: str, number: int, seed: int, originals: Sequence[bytes]) -> bytes:
    from tests.catalog.schemas.mutations import mutated

    random = Random(f"{seed}/{schema}/{number}")
    return mutated(random.choice(originals), random.choice(originals), random)


def importer_of(schema: str) -> Importer:
    """Reads a document and plans what it would change: everything but the writing."""
    from catalog.importing import plan_import
    from catalog.schemas.registry import SCHEMAS
    from tests.catalog.schemas.memory import MemoryCatalog

    found = SCHEMAS[schema]
    return lambda data: plan_import(found, found.parse(data), MemoryCatalog())


def faults_of(importer: Importer, data: bytes, *, measured: bool) -> Iterator[str]:
    """What an import of this document does that none may do; a refusal in plain words is none."""
    yield from _run(importer, data, time.process_time, MOST_SECONDS, "took {:.1f} s of the processor")
    if measured:
        tracemalloc.start()
        try:
            yield from _run(importer, data, _peak, MOST_BYTES, "took {:,.0f} bytes")
        finally:
            tracemalloc.stop()


def _peak() -> float:
    return float(tracemalloc.get_traced_memory()[1])


def _run(
    importer: Importer, data: bytes, gauge: Callable[[], float], most: float, says: str
) -> Iterator[str]:
    from almanac.errors import AlmanacError
    from catalog.schemas.base import ParseError

    before = gauge()
    try:
        importer(data)
    except (AlmanacError, ParseError) as refusal:
        if not str(refusal).strip() or "Traceback" in str(refusal):
            yield "refused without words"
    except TookTooLongError:
        yield f"did not come back within {GIVES_UP_S} s"
    except (Exception, RecursionError) as error:  # noqa: BLE001 -- whatever it is, it is what we look for
        yield f"{type(error).__name__}: {str(error)[:200]}"
    taken = gauge() - before
    if taken > most:
        yield says.format(taken)


def work(schemas: Sequence[str], *, seed: int, cases: int, seconds: float, most: int) -> None:
    """In a process of its own: a line for each finding, and at the end one with the number of cases."""
    import django

    django.setup()
    originals = {schema: documents(schema, most=most) for schema in schemas}
    _limit_memory()
    signal.signal(signal.SIGVTALRM, _too_long)
    done, share = 0, seconds / len(schemas)
    for schema in schemas:
        importer, ends, number = importer_of(schema), time.monotonic() + share, 0
        while number < cases and time.monotonic() < ends:
            _note({"schema": schema, "at": number})
            data = case(schema, number, seed, originals[schema])
            signal.setitimer(signal.ITIMER_VIRTUAL, GIVES_UP_S)
            for fault in faults_of(importer, data, measured=number % MEASURED == 0):
                _note({"schema": schema, "case": number, "fault": fault})
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            number += 1
        done += number
    _note({"done": done})


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    if pages:
        limit = pages * resource.getpagesize() + SPARE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _too_long(_number: int, _frame: FrameType | None) -> NoReturn:
    raise TookTooLongError


def _note(said: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def run(schemas: Sequence[str], *, seed: int, cases: int, seconds: float, most: int) -> tuple[int, list[str]]:
    """(cases, findings) of one process for these schemas, its death among the findings."""
    command = [sys.executable, "-m", "tests.catalog.schemas.fuzzing", "--schemas", ",".join(schemas)]
    command += ["--seed", str(seed), "--cases", str(cases), "--seconds", str(seconds), "--most", str(most)]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "deploy.settings",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'client' / 'src'}",
    }
    patience = seconds + 10 * GIVES_UP_S + 60
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=patience, check=False
        )
        said = [json.loads(line) for line in done.stdout.splitlines()]
        end = (
            "" if done.returncode == 0 else f"the process ended with {done.returncode}: {done.stderr[-300:]}"
        )
    except subprocess.TimeoutExpired as late:
        text = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
        said, end = [json.loads(line) for line in text.splitlines()], "the process never came back"
    faults = [one for one in said if "fault" in one]
    if end:
        last = next((one for one in reversed(said) if "at" in one), {"schema": schemas[0], "at": 0})
        faults.append({"schema": last["schema"], "case": last["at"], "fault": end})
    findings = [f"{one['schema']}, seed {seed}, case {one['case']}: {one['fault']}" for one in faults]
    return next((one["done"] for one in said if "done" in one), len(said)), findings


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _asked(arguments)
    if asked.schemas:
        work(
            asked.schemas.split(","),
            seed=asked.seed,
            cases=asked.cases,
            seconds=asked.seconds,
            most=asked.most,
        )
        return 0
    import django

    django.setup()
    from catalog.schemas.registry import SCHEMAS

    print(f"seed {asked.seed}")
    found = 0
    for schema in SCHEMAS:
        share = asked.seconds / len(SCHEMAS)
        cases, findings = run([schema], seed=asked.seed, cases=asked.cases, seconds=share, most=asked.most)
        print(f"{schema}: {cases:,} spoilt documents, {len(findings)} findings", flush=True)
        found += len(findings)
        for finding in findings:
            print(f"  {finding}")
        _keep(schema, asked, findings)
    return 1 if found else 0


def _keep(schema: str, asked: argparse.Namespace, findings: Sequence[str]) -> None:
    originals = documents(schema, most=asked.most) if findings else []
    for number in sorted({int(finding.split(" case ")[1].split(":")[0]) for finding in findings})[:20]:
        folder = Path(tempfile.mkdtemp(prefix="almanac-fuzz-"))
        (folder / "document").write_bytes(case(schema, number, asked.seed, originals))
        print(f"  case {number} is kept in {folder}")


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="for all schemas together")
    parser.add_argument("--cases", type=int, default=10**9, help="at most, for each schema")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9))
    parser.add_argument("--most", type=int, default=4_000_000, help="bytes of the documents that are spoilt")
    parser.add_argument("--schemas", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
    sys.exit(main())
