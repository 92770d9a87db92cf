"""``manage.py start``: what ``make run`` calls. Prepares whatever is missing, asks nothing, then serves with a worker."""

from __future__ import annotations

import hashlib
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand

from almanac.addresses import metadata_path
from almanac.errors import AlmanacError
from almanac.stores import ObjectNotFoundError, store_at
from catalog.models import RecordVersion
from mirrors.services.edge import means_from_settings
from mirrors.services.first_start import ensure_keys
from mirrors.services.preparing import StoppedError
from mirrors.services.publishing import publish
from mirrors.services.serving import require_free_port
from signing.metadata import fingerprint
from signing.private_files import locked, write_private

OPERATOR = "operator"


class Command(BaseCommand):
    help = "Prepare what is missing, then serve web and worker on 127.0.0.1 (PORT). This is what `make run` does."
    requires_system_checks: list[str] = []  # the database may not be there yet

    def handle(self, **_options: Any) -> None:
        try:
            self._start()
        except AlmanacError as error:
            self.stderr.write(f"error: {error.name}: {error}")
            sys.exit(error.exit_code)

    def _start(self) -> None:
        require_free_port("127.0.0.1", settings.PORT)
        with locked(
            settings.ALMANAC_HOME
        ):  # a second start of the same home waits here, and finds all prepared
            self._prepare()
        call_command("serve", worker=True)

    def _prepare(self) -> None:
        if settings.SECRET_KEY_IS_NEW:
            keep_secret_key(settings.SECRET_KEY_PATH, settings.SECRET_KEY)
        settings.PORT_FILE.write_text(f"{settings.PORT}\n", encoding="ascii")
        call_command("migrate", verbosity=0, interactive=False)
        collect_assets(settings.ALMANAC_HOME / "static.stamp")
        now = datetime.now(UTC)
        keyring = ensure_keys(settings.KEYS_DIR, settings.KEY_PASSPHRASE, now=now)
        if not RecordVersion.objects.filter(live=True).exists():
            call_command("loaddemo", stdout=self.stderr)
        self._publish_first()
        # Last, and said at once: a start that is interrupted before leaves nobody whose password was never shown.
        self._say_addresses(keyring.minisign_public_key().line, make_operator())

    def _publish_first(self) -> None:
        """The first publication; later ones are the operator's to ask for, and the worker's to finish."""
        if first_root() is not None:
            return
        self.stderr.write("Publishing the starter catalog …")
        try:
            publish(means_from_settings(), by="start")
        except StoppedError as stop:
            self.stderr.write(f"warning: nothing was published: {stop}")

    def _say_addresses(self, minisign_key: str, password: str | None) -> None:
        base, root = settings.PUBLIC_BASE_URL, first_root()
        lines = [
            "",
            "Almanac is starting. Ctrl-C stops all of it.",
            f"  what is published    {base}/",
            f"  admin                {base}/admin/",
            f"  aichat               {base}/catalog/v2/models.yaml",
            f"  LiteLLM              {base}/catalog/litellm/model_prices_and_context_window.json",
            f"  minisign key         {minisign_key}",
        ]
        if root is not None:
            print_of_root = fingerprint(root)
            lines += [
                f"  root fingerprint     {print_of_root}",
                f"  trust it             .venv/bin/almanac trust {base} --fingerprint {print_of_root}",
                "  then                 .venv/bin/almanac sync",
            ]
        if password is not None:
            lines += [
                "",
                f"  Sign in as           {OPERATOR}",
                f"  with the password    {password}   (shown this once)",
            ]
        self.stdout.write("\n".join([*lines, ""]))
        self.stdout.flush()


def keep_secret_key(path: Path, key: str) -> None:
    """Sessions survive a restart: the key of this first process is kept for the next ones."""
    if not path.exists() or not path.stat().st_size:
        write_private(path, f"{key}\n".encode())


def collect_assets(stamp: Path) -> None:
    """Gathers the admin's files once for each state of them, so that a second start does not wait for it."""
    state = hashlib.sha256(django.__version__.encode())
    for folder in settings.STATICFILES_DIRS:
        for file in sorted(Path(folder).rglob("*")):
            if file.is_file():
                state.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != state.hexdigest():
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        stamp.write_text(state.hexdigest(), encoding="utf-8")


def make_operator() -> str | None:
    """The first operator's password, or ``None`` when somebody can already sign in."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser(OPERATOR, password=password)
    return password


def first_root() -> bytes | None:
    """The root that clients pin, or ``None`` before the first publication."""
    try:
        return store_at(settings.ALMANAC_STORES[0]).get(metadata_path("root", 1))
    except ObjectNotFoundError:
        return None
