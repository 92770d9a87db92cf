"""The whole story: an operator's edit becomes a client's verified copy. Nothing is stood in for: database, keys, disk, sockets."""

from __future__ import annotations

import hashlib
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from almanac import Catalog
from almanac.state import State
from almanac.static import StaticApp
from almanac.stores import store_at
from almanac.sync import sync
from almanac.trust import pin
from catalog.records import Kind
from catalog.services.editing import edit_record
from mirrors.services.catalog_source import CatalogSource
from mirrors.services.means import Means
from mirrors.services.publishing import publish
from signing.keyring import Keyring
from signing.sealing import INTERACTIVE
from tests import factories


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def means(tmp_path, now):
    """An installation: real keys, a real folder as its store, the database of the test."""
    keyring = Keyring.create(tmp_path / "keys", b"passphrase", now=now, strength=INTERACTIVE)
    address = f"file://{tmp_path / 'store'}"
    return Means(
        stores={address: store_at(address)},
        catalog=CatalogSource(),
        open_keys=lambda: keyring,
        base_url="http://127.0.0.1:8000",
        staging=tmp_path / "staging",
        clock=lambda: now,
    )


@pytest.fixture
def origin(tmp_path):
    """The static server over the store's folder, on a loopback port."""
    server = make_server("127.0.0.1", 0, StaticApp(tmp_path / "store"), handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.django_db(transaction=True)
def test_an_operators_edit_becomes_a_clients_verified_copy(means, origin, tmp_path, now):
    # An operator has a catalog: a lab, a provider, a model and what it costs there.
    factories.write(
        factories.region(),
        factories.lab("acme"),
        factories.provider("acme", names={"aichat": "openai", "litellm": "openai"}),
        *(factories.entry(f"eta-{n}", limits={"context_tokens": 1000 + n}) for n in range(100)),
        *(factories.offering(f"eta-{n}", entry=f"acme/eta-{n}") for n in range(100)),
        factories.entry("zeta", limits={"context_tokens": 424242}),
        factories.offering("zeta-9000", entry="acme/zeta", prices=[factories.price("0.0000015")]),
    )
    assert publish(means, by="alice").release == 1

    # Somebody who was told the fingerprint trusts the address, and syncs.
    client = State(tmp_path / "client", tmp_path / "client-config")
    root = means.primary.get("metadata/1.root.json")
    pin(client, origin, root=root, fingerprint=hashlib.sha256(root).hexdigest())
    assert sync(client).catalog.how == "full"
    catalog = Catalog(tmp_path / "client", config_dir=tmp_path / "client-config")
    assert catalog.get("acme:zeta-9000").price("input") == "0.0000015 USD"

    # The operator edits the price and publishes; the client gets only the difference, and has exactly what was signed.
    _, cheaper = factories.offering("zeta-9000", entry="acme/zeta", prices=[factories.price("0.00000125")])
    edit_record(kind=Kind.OFFERING, key="acme:zeta-9000", after=cheaper, by="alice", now=now)
    assert publish(means, by="alice").release == 2

    outcome = sync(client)
    assert outcome.catalog.how == "delta"
    assert outcome.after.newest.number == 2
    assert catalog.get("acme:zeta-9000").price("input") == "0.00000125 USD"
    published = means.primary.get("catalog/almanac/v1/catalog.json")
    assert client.document(hashlib.sha256(published).hexdigest()) == published
    assert outcome.cost.bytes < len(published)

    # Nothing new costs next to nothing; and the same edit again is no new release.
    assert sync(client).cost.requests <= 2
    assert edit_record(kind=Kind.OFFERING, key="acme:zeta-9000", after=cheaper, by="alice", now=now) is None
    assert publish(means, by="alice").release is None
