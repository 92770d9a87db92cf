"""OpenStack Swift with its S3 interface, on loopback: an object store that others wrote and many run.

Debian's packages, one process of each kind, one copy of everything. Its S3 interface checks signatures (version 4)
and refuses every condition on a write (501). It wants a cache in its pipeline, and does without one that is away.
"""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

STORAGE = ("account", "container", "object")
STARTS_WITHIN_S = 120.0
ACCESS_KEY, SECRET = "almanac:publisher", "a-secret-of-the-tests"
PROXY = """
[pipeline:main]
pipeline = catch_errors cache s3api tempauth bulk slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_almanac_publisher = {secret} .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
"""


@dataclass(frozen=True)
class Swift:
    endpoint: str

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "S3_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@contextmanager
def running_swift(folder: Path) -> Iterator[Swift]:
    """Skips where Swift is not installed; raises with its log where it does not start."""
    programs = {kind: shutil.which(f"swift-{kind}-server") for kind in (*STORAGE, "proxy")}
    if None in programs.values() or shutil.which("swift-ring-builder") is None:
        pytest.skip("OpenStack Swift (swift-proxy, -account, -container, -object) is not installed")
    ports = {kind: _free_port() for kind in programs}
    _configure(folder, ports)
    with ExitStack() as stack:
        for kind, program in programs.items():
            log = stack.enter_context((folder / f"{kind}.log").open("w"))
            command = [str(program), str(folder / f"{kind}-server.conf")]
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        for kind, port in ports.items():
            _wait_for(port, folder / f"{kind}.log")
        yield Swift(f"http://127.0.0.1:{ports['proxy']}")


def _configure(folder: Path, ports: Mapping[str, int]) -> None:
    (folder / "disks" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = almanac\n[storage-policy:0]\nname = one\ndefault = yes\n"
    )
    for kind in STORAGE:
        app = f"[pipeline:main]\npipeline = {kind}-server\n[app:{kind}-server]\nuse = egg:swift#{kind}\n"
        own = f"devices = {folder}/disks\nmount_check = false\nfallocate_reserve = 0\n"
        (folder / f"{kind}-server.conf").write_text(_common(folder, ports[kind]) + own + app)
        builder = str(folder / f"{kind}.builder")
        device = f"r1z1-127.0.0.1:{ports[kind]}/d1"
        for arguments in (("create", "2", "1", "1"), ("add", device, "1"), ("rebalance",)):
            subprocess.run(["swift-ring-builder", builder, *arguments], check=True, capture_output=True)
    proxy = _common(folder, ports["proxy"]) + PROXY.format(secret=SECRET)
    (folder / "proxy-server.conf").write_text(proxy)


def _common(folder: Path, port: int) -> str:
    return (
        f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\nuser = {getpass.getuser()}\n"
        f"swift_dir = {folder}\nlog_level = WARNING\n"
    )


def _wait_for(port: int, log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise RuntimeError(f"Swift did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
