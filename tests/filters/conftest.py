"""Fixtures for tests of the filters."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.filters.hub_server import HubServer


@pytest.fixture
def hub_server() -> Iterator[HubServer]:
    with HubServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
