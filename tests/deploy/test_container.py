"""The container's files, as far as they can be looked at without a container engine: none of this ran in one."""

from __future__ import annotations

import http.server
import re
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.container.healthy import is_healthy
from deploy.environment import Environment
from tests.mirrors.home import ROOT

CONTAINER = ROOT / "deploy/container"
OURS = ("prepare", "web", "worker", "beat")


def lines() -> list[str]:
    text = (CONTAINER / "Containerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((CONTAINER / "compose.yaml").read_text())


def test_the_image_is_small_locked_and_not_root() -> None:
    stages = [line for line in lines() if line.startswith("FROM")]
    assert len(stages) == 2
    assert all("-slim-" in stage for stage in stages)
    final = lines()[lines().index(stages[1]) :]
    assert "USER 10001:10001" in final
    assert any("--require-hashes -r requirements/server.txt" in line for line in lines())
    assert any(line.startswith("HEALTHCHECK") and "healthy.py" in line for line in final)
    assert not any(re.search(r"\b(pip|apt-get|curl)\b", line) for line in final)
    assert not any(line.startswith(("ADD", "ENV SECRET", "ARG SECRET")) for line in lines())


def test_everything_that_is_copied_is_there_and_let_into_the_build() -> None:
    allowed = (CONTAINER / "Containerfile.dockerignore").read_text().split()
    for line in lines():
        if line.startswith("COPY") and "--from" not in line:
            source = line.split()[1]
            assert (ROOT / source).exists(), source
            assert f"!{source}" in allowed, source


def test_the_entry_point_knows_its_roles_and_refuses_others() -> None:
    script = CONTAINER / "entrypoint.sh"
    subprocess.run(["sh", "-n", script], check=True)
    done = subprocess.run(["sh", script, "nonsense"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "none of prepare, web, work, worker, beat, manage" in done.stderr
    for role in ("web", "work", "worker", "beat", "manage"):
        assert re.search(rf"^ +{role}\) +exec ", script.read_text(), re.MULTILINE), role


def test_our_services_are_read_only_without_privileges_and_wait_for_what_they_need(
    compose: dict[str, Any],
) -> None:
    for name in OURS:
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["command"] == [name]
        for needed, how in service["depends_on"].items():
            theirs = compose["services"][needed]
            if how["condition"] == "service_healthy":
                assert theirs["healthcheck"]["test"]
            else:
                assert theirs["restart"] == "no", needed


def test_every_service_volume_and_secret_that_is_named_exists(compose: dict[str, Any]) -> None:
    assert {"web", "worker", "beat", "db", "broker", "s3"} <= set(compose["services"])
    for service in compose["services"].values():
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        for volume in service.get("volumes", ()):
            assert volume.split(":")[0] in compose["volumes"]
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")  # what is published to the world goes through the proxy


def test_every_variable_is_one_that_settings_or_the_libraries_read(compose: dict[str, Any]) -> None:
    settings = (ROOT / "deploy/settings.py").read_text()
    theirs = {"AWS_DEFAULT_REGION", "AWS_SHARED_CREDENTIALS_FILE"}
    for name in OURS:
        for variable in compose["services"][name]["environment"]:
            assert f'"{variable.removesuffix("_FILE")}"' in settings or variable in theirs, variable


def test_web_has_no_passphrase(compose: dict[str, Any]) -> None:
    web, worker = compose["services"]["web"], compose["services"]["worker"]
    assert "key_passphrase" not in web["secrets"]
    assert web["environment"]["KEY_PASSPHRASE_FILE"] == ""
    assert Environment(web["environment"] | {"KEY_PASSPHRASE_FILE": ""}).secret("KEY_PASSPHRASE") is None
    assert "key_passphrase" in worker["secrets"]


def test_secrets_are_made_once_each_another_and_readable_as_settings(
    tmp_path: Path, compose: dict[str, Any]
) -> None:
    folder = tmp_path / "secrets"
    made = []
    for _ in range(2):
        subprocess.run(["sh", CONTAINER / "secrets.sh", folder], check=True, capture_output=True)
        made.append({path.name: path.read_text() for path in folder.iterdir()})
    assert made[0] == made[1]
    assert folder.stat().st_mode & 0o777 == 0o700
    named = {Path(secret["file"]).name for secret in compose["secrets"].values()}
    assert named <= set(made[0])
    assert len({made[0][name] for name in ("key_passphrase", "secret_key", "postgres_password")}) == 3
    database = Environment({"DATABASE_URL_FILE": str(folder / "database_url")}).database(
        "DATABASE_URL", tmp_path
    )
    assert (database["HOST"], database["PASSWORD"]) == ("db", made[0]["postgres_password"].strip())
    identities = yaml.safe_load(made[0]["s3.json"])["identities"]
    assert identities[0]["credentials"][0]["secretKey"] == made[0]["s3_secret"].strip()
    assert "Write" not in identities[1]["actions"][0]


def test_the_health_check_asks_under_a_name_that_is_let_in() -> None:
    asked = []

    class Web(http.server.BaseHTTPRequestHandler):
        status = 200

        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Host"]))
            self.send_response(self.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {"PORT": str(server.server_port), "ALLOWED_HOSTS": "*, .example.org"}
    assert is_healthy(environment)
    Web.status = 503
    assert not is_healthy({**environment, "ALLOWED_HOSTS": ""})
    server.shutdown()
    server.server_close()
    assert not is_healthy(environment)
    assert asked == [("/healthz", "example.org"), ("/healthz", "127.0.0.1")]
