"""A server in front of an exported version."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def server(served_version):
    from tests.skin_synth.serving.stand_in import StandIn

    with StandIn(served_version) as standing:
        yield standing
