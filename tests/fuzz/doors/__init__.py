"""Every kind of file that the product reads, and how it reads it: the list in docs/security.md."""

from __future__ import annotations

from tests.fuzz.doors import (
    data_sets,
    evaluation,
    exports,
    images,
    runs,
    servers,
    synthesis,
    tables,
)
from tests.fuzz.runner import Doors

DOORS: Doors = {
    **data_sets.DOORS,
    **tables.DOORS,
    **images.DOORS,
    **runs.DOORS,
    **synthesis.DOORS,
    **evaluation.DOORS,
    **exports.DOORS,
    **servers.DOORS,
}
"""Makes the door of each kind of file, each in a separate folder."""
