"""HTML pages from the templates of this package."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

import jinja2
import numpy as np

from skin_synth.image_grid import png_bytes


def render_page(
    template: str, *, filters: Mapping[str, Callable[..., str]] | None = None, **values: object
) -> str:
    """Fills a template of `templates/`; escapes values, and refuses missing values."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skin_synth.evaluation.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters or {}
    return environment.get_template(template).render(**values)


def image_uri(image: np.ndarray) -> str:
    """Encodes uint8[height, width, 3] as a PNG in a data URI."""
    return f"data:image/png;base64,{base64.b64encode(png_bytes(image)).decode('ascii')}"
