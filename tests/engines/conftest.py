"""Services of the tests' own: started once for each module that kills them, once for all that only use them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from tests.engines.installation import Template
from tests.engines.services import Postgres, running_or_skipped


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    with running_or_skipped(Postgres) as server:
        yield Template(cast(Postgres, server), tmp_path_factory.mktemp("template") / "installation")
