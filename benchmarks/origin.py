"""Requests per second of the origin, each as a ratio to nginx that serves the same files in the same run.

    python -m benchmarks.origin [--seconds 3] [--rounds 3] [--all] [--json]

Every server has two workers on loopback and is asked by ``wrk`` in turn, round after round; the ratio
of a round compares neighbours in time, and the median of the rounds is told. ``--all`` measures gunicorn as well.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from almanac.addresses import TIMESTAMP, metadata_path, object_path
from almanac.stores import FileStore
from benchmarks.measuring import Row, missing

CASES = {"304": "catalog/small.json", "2 KB": "catalog/small.json", "1 MB": "catalog/large.json"}
NGINX = """
daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 10000000; types {{ application/json json; }}
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{port}; root {store};
    add_header Cache-Control "public, max-age=60, stale-while-revalidate=604800";
    add_header Vary "Accept-Encoding, Available-Dictionary";
    add_header Access-Control-Allow-Origin "*";
    add_header X-Content-Type-Options "nosniff";
  }}
}}
"""
GRANIAN = "-m granian --interface wsgi --http 1 --no-ws --workers 2 --host 127.0.0.1 --port {port} --log-level error"
GUNICORN = "-m gunicorn -w 2 -b 127.0.0.1:{port} --log-level error -k {kind}"


def run() -> list[Row]:
    """The rows of ``make bench``: the server that ``make run`` starts."""
    measured = measure()
    if "skipped" in measured:
        return [missing("origin", "requests per second", measured["skipped"])]
    note = "medians of 3 rounds; 2 workers each, wrk -t1 -c16 on the same cores"
    return [
        Row("origin", case, ours["requests_per_second"], "/s", nginx["requests_per_second"], "nginx", note)
        for case, ours in measured["granian"].items()
        for nginx in (measured["nginx"][case],)
    ]


def measure(*, seconds: float = 2, rounds: int = 3, everything: bool = False) -> dict[str, Any]:
    """Server → case → {requests per second, ratio to nginx}; a reason instead where the programs are missing."""
    absent = [program for program in ("nginx", "wrk") if shutil.which(program) is None]
    if absent:
        return {"skipped": f"{' and '.join(absent)} not installed"}
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as folder, ExitStack() as running:
        store = Path(folder, "store")
        _fill(store)
        Path(folder).chmod(0o755)  # nginx's workers are another user when it is started by root
        commands = _commands(Path(folder), store, everything=everything)
        ports = {name: running.enter_context(_server(*command, store)) for name, command in commands.items()}
        rates: dict[str, dict[str, list[float]]] = {name: {case: [] for case in CASES} for name in ports}
        for _ in range(rounds):
            for case in CASES:
                for name, port in ports.items():
                    rates[name][case].append(_requests_per_second(port, case, seconds))
    nginx = rates["nginx"]
    return {
        name: {case: _summary(cases[case], nginx[case]) for case in CASES} for name, cases in rates.items()
    }


def _summary(rates: list[float], nginx: list[float]) -> dict[str, float]:
    ratio = statistics.median(ours / theirs for ours, theirs in zip(rates, nginx, strict=True))
    return {"requests_per_second": round(statistics.median(rates)), "ratio_to_nginx": round(ratio, 2)}


def _fill(store: Path) -> None:
    """A store with two documents, in the form that a publication leaves."""
    files = FileStore(store)
    documents = {"catalog/small.json": b"x" * 2_000, "catalog/large.json": os.urandom(500_000).hex().encode()}
    targets = {}
    for path, data in documents.items():
        sha256 = hashlib.sha256(data).hexdigest()
        files.put(object_path(path, sha256), data)
        files.put(path, data)
        targets[path] = {"length": len(data), "hashes": {"sha256": sha256}}
    files.put(metadata_path("v2", 1), json.dumps({"signed": {"targets": targets}}).encode())
    files.put(
        metadata_path("snapshot", 1), json.dumps({"signed": {"meta": {"v2.json": {"version": 1}}}}).encode()
    )
    files.put(TIMESTAMP, json.dumps({"signed": {"meta": {"snapshot.json": {"version": 1}}}}).encode())


def _commands(folder: Path, store: Path, *, everything: bool) -> dict[str, tuple[list[str], int]]:
    ports = [_free_port() for _ in range(4)]
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, store=store, port=ports[0]))
    commands = {
        "nginx": (["nginx", "-c", str(configuration), "-e", str(folder / "nginx.log")], ports[0]),
        "granian": (_python(GRANIAN.format(port=ports[1])), ports[1]),
    }
    if everything:
        commands["gunicorn gthread"] = (
            _python(GUNICORN.format(port=ports[2], kind="gthread --threads 4")),
            ports[2],
        )
        commands["gunicorn sync"] = (_python(GUNICORN.format(port=ports[3], kind="sync")), ports[3])
    return commands


def _python(arguments: str) -> list[str]:
    return [sys.executable, *arguments.split(), "benchmarks.origin_app:application"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _server(command: list[str], port: int, store: Path) -> Iterator[int]:
    environment = {**os.environ, "BENCHMARK_STORE": str(store)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_until_it_answers(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"a server did not start: {process.args}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"a server did not answer: {process.args}")


def _requests_per_second(port: int, case: str, seconds: float) -> float:
    address = f"http://127.0.0.1:{port}/{CASES[case]}"
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s"]
    if case == "304":
        command += ["-H", f"If-None-Match: {_etag(port, CASES[case])}"]
    output = subprocess.run([*command, address], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"not every answer was right: {output}")
    found = re.search(r"Requests/sec:\s+([0-9.]+)", output)
    if found is None:
        raise RuntimeError(f"wrk said something else: {output}")
    return float(found[1])


def _etag(port: int, path: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"HEAD /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b"")).decode("latin-1")
    found = re.search(r"(?im)^etag: *(\S+)", answer)
    if found is None:
        raise RuntimeError(f"no ETag: {answer}")
    return found[1]


def table(results: dict[str, Any]) -> str:
    if "skipped" in results:
        return f"origin: skipped, {results['skipped']}"
    lines = [f"{'server':<18}" + "".join(f"{case + ', requests/s':>22}{'to nginx':>10}" for case in CASES)]
    for server, cases in results.items():
        cells = (
            f"{found['requests_per_second']:>22,}{found['ratio_to_nginx']:>10.2f}" for found in cases.values()
        )
        lines.append(f"{server:<18}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=2, help="how long each measurement lasts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--all", action="store_true", help="gunicorn as well")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = measure(seconds=arguments.seconds, rounds=arguments.rounds, everything=arguments.all)
    print(json.dumps(results, indent=2) if arguments.json else table(results))


if __name__ == "__main__":
    main()
