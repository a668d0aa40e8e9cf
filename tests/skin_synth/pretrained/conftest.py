"""A tiny generator, packed as one that comes with the package."""

from __future__ import annotations

import pytest

CARD = "# Tiny\n\nProcedural lesions. Licence: Apache-2.0.\n"


@pytest.fixture(scope="session")
def packed(tiny_run, tmp_path_factory):
    """The directory of generators, with one named `tiny`."""
    from skin_synth.pretrained import pack

    root = tmp_path_factory.mktemp("pretrained")
    assert pack(tiny_run, root / "tiny", CARD) == root / "tiny" / "1"
    return root
