"""An exported version, and a server in front of it."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def served_version(tiny_run, tmp_path_factory):
    from skin_synth.saved_model.export import export

    return export(tiny_run, tmp_path_factory.mktemp("served") / "skin")


@pytest.fixture(scope="session")
def server(served_version):
    from tests.skin_synth.serving.stand_in import StandIn

    with StandIn(served_version) as standing:
        yield standing
