"""The mark of an image that a generative model made: IPTC's digital source type, in XMP.

Search engines, archives and editors of images read it (IPTC Photo Metadata Standard 2023.1).
"""

from __future__ import annotations

from tfrecords_tools.images.png_file import UNICODE_TEXT, XMP_KEYWORD, chunk_of

SYNTHETIC_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    b'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
SYNTHETIC_CHUNK = chunk_of(UNICODE_TEXT, XMP_KEYWORD + bytes(5) + SYNTHETIC_XMP)
"""The mark as a chunk of a PNG."""
