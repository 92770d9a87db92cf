"""PostgreSQL, Redis and RabbitMQ of the tests' own: on free ports of loopback, to be killed and started again at will.

Each keeps its data where it lies, so that what comes back after a kill is what was there before it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

PATIENCE_S = 60.0
POSTGRES_PROGRAMS = Path("/usr/lib/postgresql")
RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Not the one in /usr/sbin: Debian's wrapper there changes to a user, a folder and a log of its own."""


class Absent(Exception):  # noqa: N818  # no fault: the reason for a skip
    """The program is not on this machine."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(look: Callable[[], object], what: str, *, patience_s: float = PATIENCE_S) -> None:
    give_up = time.monotonic() + patience_s
    while not look():
        assert time.monotonic() < give_up, f"{what}: not within {patience_s:.0f} s"
        time.sleep(0.05)


class Service:
    """A server in a folder of its own. ``kill`` is SIGKILL for it and all that it started."""

    name = "service"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"almanac-{self.name.lower()}-", dir="/tmp"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def answers(self) -> bool:
        raise NotImplementedError

    def owner(self) -> str | None:
        return None

    def start(self) -> None:
        """Returns when it answers; one that ends at once, because something of the killed one is still there, is tried again."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            self._spawn()
            while self.process and self.process.poll() is None:
                if self.answers():
                    return
                assert time.monotonic() < give_up, f"{self.name} does not answer\n{self.log()}"
                time.sleep(0.05)
            assert time.monotonic() < give_up, f"{self.name} does not start\n{self.log()}"
            time.sleep(0.2)

    def _spawn(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self.environment(),
                user=self.owner(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """As a power cut of the process would: no signal handler, no flush, no goodbye."""
        assert self.process is not None
        if self.process.poll() is None:
            below = _descendants(self.process.pid)
            for pid in (self.process.pid, *below):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.kills += 1
        self.process.wait(PATIENCE_S)

    def stop(self) -> None:
        """For good; the folder goes as well."""
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]


class Postgres(Service):
    name = "PostgreSQL"

    def __init__(self) -> None:
        found = sorted(POSTGRES_PROGRAMS.glob("*/bin"), key=lambda folder: float(folder.parent.name))
        if not found:
            raise Absent("PostgreSQL's server programs are not on this machine")
        self.programs = found[-1]
        super().__init__()
        if os.geteuid() == 0:
            try:
                account = pwd.getpwnam("postgres")
            except KeyError:
                raise Absent("PostgreSQL does not run as root, and there is no user postgres") from None
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        initdb = [self.programs / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                  "--locale=C.UTF-8", "--no-sync"]  # fmt: skip
        subprocess.run(initdb, check=True, user=self.owner(), cwd=self.folder, capture_output=True)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def owner(self) -> str | None:
        return "postgres" if os.geteuid() == 0 else None

    def command(self) -> list[str]:
        given = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200"}
        settings = [f"-c{name}={value}" for name, value in given.items()]
        return [str(self.programs / "postgres"), "-D", str(self.data), "-p", str(self.port), *settings]

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.address("postgres"), connect_timeout=2):
                return True
        except psycopg.Error:
            return False

    def address(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """An empty database; its address."""
        with psycopg.connect(self.address("postgres"), autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{database}"')
        return self.address(database)


class Redis(Service):
    """Keeps what it was given: an append-only file, written every second, as a broker should."""

    name = "Redis"

    def __init__(self) -> None:
        self.program = shutil.which("redis-server") or ""
        if not self.program:
            raise Absent("redis-server is not on this machine")
        super().__init__()

    def command(self) -> list[str]:
        return [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
                "--appendonly", "yes", "--save", ""]  # fmt: skip

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as asking:
                asking.sendall(b"PING\r\n")
                return asking.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


class RabbitMQ(Service):
    """A node with a name, a cookie and a port mapper of its own, so that it knows of no other on this machine."""

    name = "RabbitMQ"

    def __init__(self) -> None:
        self.mapper = shutil.which("epmd") or ""
        if not RABBIT.exists() or not self.mapper:
            raise Absent("RabbitMQ is not on this machine")
        super().__init__()
        self.mapper_port, self.node_port = free_port(), free_port()
        (self.folder / "plugins").write_text("[].\n", encoding="utf-8")
        mapping = [self.mapper, "-address", "127.0.0.1", "-port", str(self.mapper_port)]
        self.mapping = subprocess.Popen(
            mapping,
            cwd=self.folder,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def command(self) -> list[str]:
        return [str(RABBIT)]

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self.mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "almanac-tests@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.node_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def answers(self) -> bool:
        """AMQP's greeting, answered by the server's first frame."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as asking:
                asking.sendall(b"AMQP\x00\x00\x09\x01")
                return asking.recv(8)[:1] == b"\x01"
        except OSError:
            return False

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def stop(self) -> None:
        super().stop()
        self.mapping.kill()
        self.mapping.wait()


@contextmanager
def running(kind: Callable[[], Service]) -> Iterator[Service]:
    service = kind()
    try:
        service.start()
        yield service
    finally:
        service.stop()


@contextmanager
def running_or_skipped(kind: Callable[[], Service]) -> Iterator[Service]:
    """For tests: where the program is missing, they are left out and say why, or fail where all must be there."""
    try:
        service = kind()
    except Absent as reason:
        if os.environ.get("ALMANAC_REQUIRE_SERVICES"):
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    try:
        service.start()
        yield service
    finally:
        service.stop()


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            found += [int(child), *_descendants(int(child))]
    return found
