"""``manage.py keys …``: the keys of this installation, and root or targets signed elsewhere."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from almanac.errors import LocalStateError, MalformedError, UsageError
from mirrors.management.base import PlainCommand
from mirrors.management.commands.publish import operator
from mirrors.management.key_text import key_facts, key_line, keyring_facts, keyring_lines
from mirrors.services import keyholding, ledger
from mirrors.services.edge import means_from_settings
from signing import ceremony
from signing.bridging import BRIDGED
from signing.keyring import Keyring, open_key_file
from signing.keys import Ed25519Signer
from signing.private_files import write_new
from signing.register import CHANGEABLE, PURPOSES, THRESHOLD_ROLES, KeyInfo

NEXT = "the next publication or tick carries it; until then the old one serves"
IN_TWO = (
    "the next publication or tick names the new key beside the old one; the one after that drops the old one, "
    "so that readers can verify at every moment"
)
AT_ONCE = (
    "the next publication or tick drops the old key at once; readers may be unable to verify for the seconds between "
    "its new root and its new timestamp. Publish now, and finish it if it is interrupted"
)
AWAY = "is kept elsewhere: 'keys ceremony request {role}' writes what its holders must sign; until then the old key serves"


class Command(PlainCommand):
    help = "Create, list, rotate and move the keys of this installation; sign root or targets elsewhere. Prints no secret."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        self._verb(verbs, "list", "public facts of every key; needs no passphrase")

        create = self._verb(verbs, "create", "the keys of a first day, or one more of a purpose", writes=True)
        create.add_argument("purpose", nargs="?", choices=CHANGEABLE, help="one more key of this purpose")

        rotate = self._verb(
            verbs,
            "rotate",
            "a new current key; the old one is retired and kept",
            writes=True,
            more=(
                "A key of timestamp, snapshot or targets is replaced in two publications: a root that lists the old "
                "and the new key, and, when what both signed is out, a root that lists the new one alone. Where root "
                "is kept elsewhere its holders are asked twice in turn. A key of root, publisher or network needs one "
                "publication. Where several keys of a role must sign, one more must while old and new are both listed, "
                "as far as the signatures reach, so that the holder of both does not count as two."
            ),
        )
        rotate.add_argument("purpose", choices=CHANGEABLE)
        rotate.add_argument("--key", help="which one, where there are several: the first digits of its id")
        rotate.add_argument(
            "--now",
            action="store_true",
            help="somebody else may have the old key: drop it in one step, though readers may be unable to verify for "
            "the seconds between two writes",
        )

        retire = self._verb(verbs, "retire", "a current key stops being one, without a new one", writes=True)
        retire.add_argument("key", help="the first digits of its id")

        threshold = self._verb(verbs, "threshold", "how many keys of a role must sign", writes=True)
        threshold.add_argument("role", choices=sorted(THRESHOLD_ROLES))
        threshold.add_argument("number", type=int)

        out = self._verb(verbs, "export", "a sealed copy of a key, or its public half", writes=True)
        out.add_argument("key", help="a purpose with one current key, or the first digits of a key's id")
        out.add_argument("--output", required=True, type=Path, metavar="FILE")
        out.add_argument(
            "--remove", action="store_true", help="keep it only there: this folder's own copy goes"
        )
        out.add_argument("--public", action="store_true", help="the public half alone, for another keyring")
        self._passphrase_argument(out)

        back = self._verb(verbs, "import", "take in a file that 'export' wrote", writes=True)
        back.add_argument("file", type=Path)
        self._passphrase_argument(back)

        self._add_ceremony(verbs)

    def _add_ceremony(self, verbs: Any) -> None:
        parser = verbs.add_parser("ceremony", help="root or targets signed by keys that are kept elsewhere")
        steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
        request = self._verb(
            steps, "request", "write what must be signed for the next publication", writes=True
        )
        request.add_argument("role", choices=ceremony.OFFLINE_ROLES)
        request.add_argument("--output", required=True, type=Path, metavar="FILE")
        show = self._verb(steps, "show", "what a signature on a request would say, and which are missing")
        show.add_argument("file", type=Path)
        sign = self._verb(
            steps, "sign", "sign a request with a key of this keyring or of a file", writes=True
        )
        sign.add_argument("file", type=Path)
        sign.add_argument("--output", required=True, type=Path, metavar="FILE")
        sign.add_argument(
            "--key", required=True, help="a key's file, or the first digits of an id in this keyring"
        )
        sign.add_argument("--yes", action="store_true", help="do not ask: what it says was read before")
        self._passphrase_argument(sign)
        done = self._verb(steps, "import", "take the signed request in for the next publication", writes=True)
        done.add_argument("files", nargs="+", type=Path, help="one file, or the copies that holders signed")

    def _verb(
        self, verbs: Any, name: str, text: str, *, writes: bool = False, more: str = ""
    ) -> CommandParser:
        parser: CommandParser = verbs.add_parser(name, help=text, description=text, epilog=more)
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON object")
        if writes:
            parser.add_argument(
                "--dry-run", action="store_true", help="say what would be done; write nothing"
            )
        return parser

    @staticmethod
    def _passphrase_argument(parser: CommandParser) -> None:
        parser.add_argument(
            "--passphrase-file", type=Path, metavar="FILE",
            help="the passphrase of the key's file (not of the keyring); asked for at a terminal otherwise",
        )  # fmt: skip

    # The verbs.

    def work(self, **options: Any) -> None:
        name = options["verb"] if options["verb"] != "ceremony" else f"ceremony_{options['step']}"
        verb: Callable[[dict[str, Any]], None] = getattr(self, f"do_{name}")
        verb(options)

    def do_list(self, options: dict[str, Any]) -> None:
        keyring = self._keyring()
        named = ledger.root_keyids()
        if options["as_json"]:
            self.print_json(keyring_facts(keyring, named=named))
        else:
            self.stdout.write("\n".join(keyring_lines(keyring, named=named)))

    def do_create(self, options: dict[str, Any]) -> None:
        purpose, folder = options["purpose"], settings.KEYS_DIR
        if options["dry_run"]:
            held = {info.purpose for info in self._keyring().list()} if Keyring.exists(folder) else set()
            wanted = [purpose] if purpose else [name for name in PURPOSES if name not in held]
            self._say(options, f"Would create: {', '.join(wanted) or 'nothing'}", {"would_create": wanted})
            return
        if purpose:
            made = [keyholding.add_key(keyring=self._keyring(), purpose=purpose, **_who())]
        else:
            made = [*keyholding.create_keys(folder=folder, passphrase=settings.KEY_PASSPHRASE, **_who())]
        self._say_keys(options, made, "created", otherwise="every purpose has its key: nothing to create")

    def do_rotate(self, options: dict[str, Any]) -> None:
        keyring, purpose = self._keyring(), options["purpose"]
        if options["dry_run"]:
            self._say(options, f"Would rotate: {purpose}", {"would_rotate": purpose})
            return
        made = keyholding.rotate_key(
            keyring=keyring, purpose=purpose, keyid=options["key"], revoke=options["now"], **_who()
        )
        self._say_keys(options, [made], "is the new key")
        self._say_what_follows(keyring, purpose, at_once=options["now"])

    def do_retire(self, options: dict[str, Any]) -> None:
        keyring = self._keyring()
        if options["dry_run"]:
            self._say(options, f"Would retire: {options['key']}", {"would_retire": options["key"]})
            return
        info = keyholding.retire_key(keyring=keyring, keyid=options["key"], **_who())
        self._say_keys(options, [info], "is retired")

    def do_threshold(self, options: dict[str, Any]) -> None:
        keyring, role, number = self._keyring(), options["role"], options["number"]
        if options["dry_run"]:
            self._say(options, f"Would ask for {number} keys of {role}", {"role": role, "would_ask": number})
            return
        keyholding.set_threshold(keyring=keyring, role=role, threshold=number, **_who())
        self._say(options, f"{role}: {number} keys must sign; {NEXT}", {"role": role, "threshold": number})

    def do_export(self, options: dict[str, Any]) -> None:
        keyring, output = self._keyring(), options["output"]
        keyid = _chosen(keyring, options["key"]).keyid
        if options["dry_run"]:
            self._say(options, f"Would export: {keyid[:16]} to {output}", {"would_export": keyid})
            return
        if options["public"]:
            info = _chosen(keyring, keyid)
            write_new(output, json.dumps({"purpose": info.purpose, "public": info.public}).encode() + b"\n")
        else:
            passphrase = self._passphrase(options, confirm=True)
            info = keyholding.export_key(
                keyring=keyring, keyid=keyid, destination=output, passphrase=passphrase,
                remove=options["remove"], **_who(),
            )  # fmt: skip
        self._say_keys(options, [info], f"is in {output}")

    def do_import(self, options: dict[str, Any]) -> None:
        keyring, source = self._keyring(), options["file"]
        public = _public_half(source)
        if options["dry_run"]:
            self._say(options, f"Would import: {source}", {"would_import": str(source)})
            return
        if public:
            info = keyholding.adopt_key(keyring=keyring, purpose=public[0], public=public[1], **_who())
        else:
            passphrase = self._passphrase(options)
            info = keyholding.import_key(keyring=keyring, source=source, passphrase=passphrase, **_who())
        self._say_keys(options, [info], "is in this keyring")

    def do_ceremony_request(self, options: dict[str, Any]) -> None:
        release = ledger.published_release() or 0
        means = means_from_settings()
        request = keyholding.signing_request(
            means=means, role=options["role"], release=release, now=timezone.now()
        )
        self._write_request(options, request)

    def do_ceremony_show(self, options: dict[str, Any]) -> None:
        self._describe(options, _read_request(options["file"]))

    def do_ceremony_sign(self, options: dict[str, Any]) -> None:
        request = _read_request(options["file"])
        signer = self._holder(options)
        if not options["as_json"]:
            self.stdout.write("\n".join(ceremony.describe(request)))
        self._confirm(options)
        self._write_request(options, ceremony.sign_request(request, signer))

    def do_ceremony_import(self, options: dict[str, Any]) -> None:
        request = ceremony.merged([_read_request(path) for path in options["files"]])
        ceremony.completed(request)
        if not options["dry_run"]:
            keyholding.bring_signed(keyring=self._keyring(), request=request, **_who())
        self._describe(options, request)

    # Inside.

    def _keyring(self) -> Keyring:
        return Keyring.open(settings.KEYS_DIR, settings.KEY_PASSPHRASE)

    def _say(self, options: dict[str, Any], line: str, facts: dict[str, Any]) -> None:
        if options["as_json"]:
            self.print_json(facts)
        else:
            self.stdout.write(line)

    def _say_what_follows(self, keyring: Keyring, purpose: str, *, at_once: bool) -> None:
        """A new key is named by root or by targets, whose own keys may be with their holders."""
        role = "targets" if purpose in ("publisher", "network") else "root"
        here = sum(keyring.signer(key.keyid) is not None for key in keyring.public_keys(role))
        if here < keyring.threshold(role):
            self.stderr.write(f"{role} {AWAY.format(role=role)}")
        else:
            in_two = IN_TWO if purpose in BRIDGED else NEXT
            self.stderr.write(f"{purpose}: {AT_ONCE if at_once and purpose in BRIDGED else in_two}")

    def _say_keys(self, options: dict[str, Any], keys: Any, what: str, otherwise: str = "") -> None:
        keyring = self._keyring()
        facts = [key_facts(info, is_here=keyring.is_here(info.keyid)) for info in keys]
        lines = [f"{key_line(info, is_here=keyring.is_here(info.keyid))}: {what}" for info in keys]
        self._say(options, "\n".join(lines) or otherwise, {"keys": facts})

    def _holder(self, options: dict[str, Any]) -> Ed25519Signer:
        """Whoever signs: a key's file, or a key of this keyring."""
        if Path(options["key"]).is_file():
            return open_key_file(Path(options["key"]), self._passphrase(options))
        keyring = self._keyring()
        signer = keyring.signer(_chosen(keyring, options["key"]).keyid)
        if signer is None:
            raise UsageError("this key is kept elsewhere:", where=options["key"], advice="name its file")
        return signer

    def _write_request(self, options: dict[str, Any], request: ceremony.SigningRequest) -> None:
        if not options["dry_run"]:
            write_new(options["output"], ceremony.write_request(request))
        self._describe(options, request)

    def _describe(self, options: dict[str, Any], request: ceremony.SigningRequest) -> None:
        needed = [
            {"of": n.of, "threshold": n.threshold, "signed": n.signed, "unsigned": n.unsigned}
            for n in ceremony.needed_signatures(request)
        ]
        self._say(options, "\n".join(ceremony.describe(request)), {"role": request.role, "needed": needed})

    def _confirm(self, options: dict[str, Any]) -> None:
        if options["yes"] or options["dry_run"]:
            return
        if options["as_json"] or not sys.stdin.isatty():
            raise UsageError(
                "nobody is here to confirm", advice="read it with 'ceremony show', then add --yes"
            )
        if input("Sign this? Type yes: ").strip() != "yes":
            raise UsageError("not signed")

    def _passphrase(self, options: dict[str, Any], *, confirm: bool = False) -> bytes:
        path = options["passphrase_file"]
        if path is not None:
            try:
                return bytes(path.read_bytes().strip())
            except OSError as error:
                raise LocalStateError(f"{error.strerror}:", where=str(path)) from error
        if not sys.stdin.isatty():
            raise UsageError(
                "the key's file has a passphrase of its own", advice="give --passphrase-file FILE"
            )
        first = getpass.getpass("Passphrase of the key's file: ")
        if confirm and getpass.getpass("Once more: ") != first:
            raise UsageError("these were two different passphrases")
        return first.encode()


def _who() -> dict[str, Any]:
    return {"by": operator(), "now": timezone.now()}


def _chosen(keyring: Keyring, words: str) -> KeyInfo:
    """A key by its purpose, where that has one current key, or by the first digits of its id."""
    keys = keyring.list()
    found = [info for info in keys if info.purpose == words and info.is_current]
    found = found or [info for info in keys if info.keyid.startswith(words) and words]
    if len(found) != 1:
        raise UsageError(f"{len(found)} keys fit {words!r}", advice="'keys list' shows their ids")
    return found[0]


def _public_half(path: Path) -> tuple[str, bytes] | None:
    """Purpose and public key of a file that holds no more; ``None`` for a sealed one."""
    try:
        form = json.loads(path.read_bytes()[:65536])
        if "sealed" in form:
            return None
        return str(form["purpose"]), bytes.fromhex(form["public"])
    except OSError as error:
        raise LocalStateError(f"{error.strerror}:", where=str(path)) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedError("this is not a key's file:", where=str(path)) from error


def _read_request(path: Path) -> ceremony.SigningRequest:
    try:
        with path.open("rb") as file:
            return ceremony.read_request(file.read(ceremony.MOST_BYTES))
    except OSError as error:
        raise LocalStateError(f"{error.strerror}:", where=str(path)) from error
