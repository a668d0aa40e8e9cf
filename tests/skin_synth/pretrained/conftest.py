"""A tiny generator, as a distribution brings it."""

from __future__ import annotations

import pytest

from tests.publishing import added_to_path, write_metadata

CARD = "# Tiny\n\nProcedural lesions. Licence: Apache-2.0.\n"


@pytest.fixture(scope="session")
def packed(tiny_run, phantom_data, tmp_path_factory):
    """The directory of a package with a generator `tiny` and the list of its images."""
    from skin_synth.pretrained import pack

    package = tmp_path_factory.mktemp("site") / "tiny_generators"
    package.mkdir()
    (package / "__init__.py").touch()
    version = package / "tiny" / "1"
    assert pack(tiny_run, version.parent, CARD, data=phantom_data) == version
    write_metadata(package.parent, "skin-synth-tiny", {"tiny": "tiny_generators"})
    return package


@pytest.fixture(scope="module")
def installed(packed):
    """The directory of the installed package."""
    with added_to_path(packed.parent):
        yield packed
