"""The main job on all engines, without a container: ``python -m tests.engines.main_job [--rounds N] [--seed N]``.

PostgreSQL, Redis and a bucket of its own (``tests/faults3.py``, a fake of our own, as a process that keeps what it
acknowledged), two Celery workers, beat and web by the commands of the run-book, an operator who edits and presses
"publish" in the admin, and a client that polls the bucket's public address. Each of them but the client is killed by
SIGKILL, over and over, in the middle of publications. At the end: the store verifies, each release was published once,
every acknowledged edit is out, and the client saw whole releases only, in rising order.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import json
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
django.setup()

from tests.engines.bucket import PLACE  # noqa: E402
from tests.engines.installation import Crew, Installation, short_folder  # noqa: E402
from tests.engines.poller import DOCUMENT  # noqa: E402
from tests.engines.services import Postgres, Redis, Service, free_port, running, wait_until  # noqa: E402
from tests.engines.start_commands import in_a_shell, start_commands  # noqa: E402
from tests.mirrors.home import ROOT  # noqa: E402

PASSWORD = "a password of this run"
VICTIMS = ("first worker", "second worker", "beat", "web", "Redis", "PostgreSQL", "bucket")
MAKE_OPERATOR = """
import sys
from django.contrib.auth import get_user_model
get_user_model().objects.create_superuser("operator", password=sys.argv[2])
"""


class Bucket(Service):
    name = "bucket"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.engines.bucket", str(self.folder / "objects"), str(self.port)]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'client' / 'src'}"}

    def answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.public}/nothing", timeout=2).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            return answer.code == 404
        except OSError:
            return False
        return False  # there is no such name

    @property
    def public(self) -> str:
        """The address that everybody may read."""
        return f"http://127.0.0.1:{self.port}/{PLACE}"

    @property
    def settings(self) -> dict[str, str]:
        return {
            "ALMANAC_STORE": f"s3://{PLACE}",
            "S3_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "AKIATESTS",
            "AWS_SECRET_ACCESS_KEY": "secret of the tests",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


class Browser:
    """As much of one as it takes to sign in and press "publish"."""

    def __init__(self, base: str) -> None:
        self.base = base
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def fetch(self, path: str, **form: str) -> str:
        data = urllib.parse.urlencode(form).encode() if form else None
        with self.opener.open(f"{self.base}{path}", data, timeout=60) as answer:
            return answer.read().decode()

    def post(self, path: str, **form: str) -> str:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.fetch(path))
        assert token, f"{path} has no form"
        return self.fetch(path, csrfmiddlewaretoken=token[1], **form)

    def publish(self) -> None:
        """Again until the server has said that it is kept; it may be killed in between."""
        wait_until(self._has_published, "the admin keeps what it was asked for", patience_s=120)

    def _has_published(self) -> bool:
        try:
            with self.opener.open(f"{self.base}/admin/publish/", timeout=60) as answer:
                is_stranger = "/admin/login/" in answer.geturl()
            if is_stranger:
                self.post("/admin/login/", username="operator", password=PASSWORD, next="/admin/publish/")
            self.post("/admin/publish/")
        except urllib.error.HTTPError as answer:
            answer.close()
            return False
        except OSError:
            return False
        return True


@dataclass
class Job:
    """What runs, and what was done to it."""

    installation: Installation
    crew: Crew
    services: dict[str, Service]
    curator: subprocess.Popen[str]
    browser: Browser
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)

    def edit(self) -> None:
        name = f"Edit {len(self.acknowledged) + 1}"
        assert self.curator.stdin is not None
        assert self.curator.stdout is not None
        self.curator.stdin.write(name + "\n")
        self.curator.stdin.flush()
        assert self.curator.stdout.readline() == f"kept {name}\n"
        self.acknowledged.append(name)

    def kill(self, victim: str) -> None:
        self.kills[victim] += 1
        if victim in self.services:
            self.services[victim].kill()
            time.sleep(self.chance.uniform(0.1, 1.0))
            self.services[victim].start()
        else:
            self.crew.members[victim].kill()

    def round(self, *victims: str) -> None:
        """An edit, a press on "publish", and at some moment of what follows they die."""
        self.edit()
        self.browser.publish()
        for victim in victims:
            time.sleep(self.chance.uniform(0.0, 2.5))
            self.kill(victim)

    def check(self, log: list[dict[str, Any]]) -> dict[str, Any]:
        installation = self.installation
        assert set(installation.states()) <= {"announced", "unchanged"}, installation.states()
        releases = installation.releases()
        assert releases == list(range(1, len(releases) + 1)), f"not exactly one of each release: {releases}"
        installation.python("from catalog.services.audit import first_broken\nassert first_broken() is None")
        verified = installation.facts("verifystore", self.bucket.public)
        assert verified["verified"], verified
        assert check_client(log, self.published()) == releases[-1]
        assert log[-1]["pair"] == [self.acknowledged[-1]] * 2, (
            "the last acknowledged edit has not reached the client"
        )
        return verified

    def published(self) -> dict[int, str]:
        """Release → SHA-256 of the client's document in it, by the database."""
        found = self.installation.rows(
            "SELECT p.release, d.sha256 FROM mirrors_appearance a"
            " JOIN mirrors_publisheddocument d ON d.id = a.document_id"
            " JOIN mirrors_publication p ON p.id = a.publication_id WHERE d.path = %s",
            DOCUMENT,
        )
        return dict(found)

    @property
    def bucket(self) -> Bucket:
        found = self.services["bucket"]
        assert isinstance(found, Bucket)
        return found


def check_client(log: list[dict[str, Any]], published: dict[int, str]) -> int:
    """The newest release that it had; never one that is older than the one before, never half of one."""
    newest = 0
    for line in (line for line in log if "release" in line):
        assert line["release"] >= newest, f"from release {newest} back to {line}"
        newest = line["release"]
        assert line["sha256"] == published[newest], f"not the document of release {newest}: {line}"
        first, second = line["pair"]
        assert first == second, f"half of an edit: {line}"
    return newest


@contextmanager
def started(command: list[str], installation: Installation, **more: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, cwd=ROOT, env=installation.environment, text=True, **more)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def run(folder: Path, deaths: Sequence[Sequence[str]], *, seed: int, short: bool = False) -> dict[str, Any]:
    """One round for each of ``deaths``; the short form has forty models and a faster beat.

    What was done and seen; raises ``AssertionError`` where anything was not as it must be.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        postgres = stack.enter_context(running(Postgres))
        redis = stack.enter_context(running(Redis))
        bucket = stack.enter_context(running(Bucket))
        assert isinstance(postgres, Postgres)
        assert isinstance(redis, Redis)
        assert isinstance(bucket, Bucket)
        port = free_port()
        installation = Installation(
            folder / "home",
            **bucket.settings,
            DATABASE_URL=postgres.create("almanac"),
            CELERY_BROKER_URL=redis.url,
            PUBLIC_BASE_URL=bucket.public,
            PORT=str(port),
            SECRET_KEY=secrets.token_urlsafe(50),
        )
        fingerprint = first_day(installation, small=short)
        crew = stack.enter_context(Crew(installation).at_work())
        start_all(crew, "tests.engines.quick" if short else "deploy")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        curator = stack.enter_context(
            started([sys.executable, "-m", "tests.engines.curator"], installation, **pipes)
        )
        assert curator.stdout is not None
        assert curator.stdout.readline() == "ready\n"
        services: dict[str, Service] = {"PostgreSQL": postgres, "Redis": redis, "bucket": bucket}
        browser = Browser(f"http://127.0.0.1:{port}")
        chance = random.Random(seed)
        job = Job(installation, crew, services, curator, browser, chance)
        log_path = folder / "client.log"
        polling = [
            sys.executable,
            "-m",
            "tests.engines.poller",
            str(folder / "client"),
            bucket.public,
            fingerprint,
        ]
        with (
            told_with_logs(crew),
            log_path.open("w") as out,
            started(polling, installation, stdout=out) as client,
        ):
            for turn, victims in enumerate(deaths):
                job.round(*victims)
                if turn % 3 == 2:
                    crew.settle(patience_s=240)
            job.edit()
            browser.publish()
            crew.settle(patience_s=240)
            newest = installation.releases()[-1]
            wait_until(lambda: seen(log_path) == newest, "the client has the newest release")
            assert client.poll() is None, "the client died"
        log = lines(log_path)
        job.check(log)
        return report(job, log, seconds=time.monotonic() - began)


@contextmanager
def told_with_logs(crew: Crew) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{error}\n{crew.logs()}") from None


def drawn(rounds: int, chance: random.Random) -> list[list[str]]:
    """Each part in its turn, then any one or two of them at once."""
    in_turn = [[victim] for victim in VICTIMS]
    return [*in_turn, *(chance.sample(VICTIMS, chance.choice((1, 2))) for _ in range(rounds - len(in_turn)))][
        :rounds
    ]


def first_day(installation: Installation, *, small: bool) -> str:
    """Tables, keys, a catalog, the first publication, an operator; the root's fingerprint."""
    if small:
        installation.prepared_here()
    else:
        installation.folder.mkdir(parents=True)
        for command in (("migrate", "--verbosity=0"), ("keys", "create"), ("loaddemo",), ("publish",)):
            installation.manage(*command)
    installation.manage("collectstatic", "--no-input")
    installation.python(MAKE_OPERATOR, PASSWORD)
    return str(installation.facts("verifystore")["fingerprint"])


def start_all(crew: Crew, beat_app: str) -> None:
    """By the run-book's own lines; two workers on one machine take names of their own."""
    commands = start_commands()
    for name in ("first", "second"):
        crew.add(f"{name} worker", in_a_shell(f"{commands['worker']} -n {name}@%h"))
    crew.add("beat", in_a_shell(commands["beat"].replace("-A deploy", f"-A {beat_app}")))
    crew.add("web", in_a_shell(commands["web"]))


def lines(log: Path) -> list[dict[str, Any]]:
    """Only those that are written to their end."""
    text = log.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def seen(log: Path) -> int:
    return next((line["release"] for line in reversed(lines(log)) if "release" in line), 0)


def report(job: Job, log: list[dict[str, Any]], *, seconds: float) -> dict[str, Any]:
    errors = Counter(line["error"] for line in log if "error" in line)
    return {
        "kills": dict(job.kills),
        "acknowledged_edits": len(job.acknowledged),
        "releases": len(job.installation.releases()),
        "restarts": {name: member.starts - 1 for name, member in job.crew.members.items()},
        "polls": len(log),
        "polls_by_delta": sum(line.get("how") == "delta" for line in log),
        "polls_that_kept_the_last_good_copy": dict(errors),
        "releases_seen": len({line["release"] for line in log if "release" in line}),
        "seconds": round(seconds, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.engines.main_job", description=__doc__)
    parser.add_argument("--rounds", type=int, default=28, help="edits, publications and kills (28)")
    parser.add_argument("--seed", type=int, default=1, help="decides victims and moments (1)")
    options = parser.parse_args()
    with short_folder() as folder:
        facts = run(folder, drawn(options.rounds, random.Random(options.seed)), seed=options.seed)
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):40} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
