"""The same work with a broker: real Redis, real RabbitMQ, a real worker process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from celery import Celery

from tests.conftest import require_service
from tests.deploy.test_command_line import ROOT, manage

BROKERS = {"Redis": "redis://127.0.0.1:6379/14", "RabbitMQ": "amqp://guest:guest@127.0.0.1:5672//"}
ASK = """
from datetime import datetime, timezone
from mirrors.services.publishing import request_publication
print(request_publication(by="alice", now=datetime.now(timezone.utc)).pk)
"""


@pytest.fixture(scope="module")
def prepared_home(tmp_path_factory) -> Path:
    """An installation with the starter catalog, not published yet."""
    home = tmp_path_factory.mktemp("celery") / "home"
    for command in (("migrate", "--verbosity=0"), ("loaddemo",), ("keys", "create")):
        done = manage(*command, home=home)
        assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def home(prepared_home, tmp_path) -> Path:
    subprocess.run(["cp", "-a", prepared_home, tmp_path / "home"], check=True)
    return tmp_path / "home"


@pytest.mark.service
@pytest.mark.parametrize("broker", BROKERS)
def test_a_worker_woken_by_a_broker_publishes_what_was_asked_for_once(broker, home):
    require_service(broker)
    queue, url = f"almanac-test-{uuid.uuid4().hex}", BROKERS[broker]
    asked = manage("shell", "--verbosity=0", "-c", ASK, home=home)
    assert asked.returncode == 0, asked.stderr
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "deploy", "worker", "--pool=solo", "-Q", queue, "--loglevel=ERROR",
         "--without-gossip", "--without-mingle", "-n", f"{queue}@%h"],
        cwd=ROOT,
        env={**os.environ, "ALMANAC_HOME": str(home), "CELERY_BROKER_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        with Celery("almanac", broker=url) as app:
            for _ in range(3):  # a message that comes three times does what one does
                app.send_task("mirrors.tasks.publish", args=[int(asked.stdout)], queue=queue)
            app.send_task("mirrors.tasks.tick", queue=queue)
        index = home / "store" / "index.json"
        deadline = time.monotonic() + 120
        while not index.exists():
            assert worker.poll() is None, worker.stderr.read() if worker.stderr else ""
            assert time.monotonic() < deadline, "nothing was published"
            time.sleep(0.2)
    finally:
        worker.terminate()
        worker.communicate(timeout=60)
    assert json.loads(index.read_text())["release"] == 1
    assert manage("verifystore", home=home).returncode == 0
