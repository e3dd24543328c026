"""JPEG: the header is read here, the pixels by Pillow's decoder at a reduced scale.

Pillow reads the header in Python, byte by byte through damage, and looks into EXIF for a resolution that
nobody asks for. Reading it once, with what the guards need, is faster and takes a bounded time on any input.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from PIL import ImageFile

from lookalike.images.memory import Refused

__all__ = ["JpegHeader", "JpegPicture", "count_scans", "draft_scale", "read_jpeg_header"]

_NEXT_MARKER = re.compile(rb"\xff([\x01-\xfe])")
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_ALONE = {0x01, *range(0xD0, 0xD9)}
_MODES = {1: ("L", "L"), 3: ("RGB", "RGB"), 4: ("CMYK", "CMYK;I")}
_BLOCK = 2**20


@dataclass(slots=True)
class JpegHeader:
    """What stands before the picture data of a JPEG.

    Attributes
    ----------
    width, height : int
        Pixels, as stored.
    components : int
        1 grey, 3 colour, 4 CMYK.
    samples : int
        Samples of all components, after chroma subsampling: what a decoder of several scans must keep.
    scans : bool
        The picture comes in several scans (progressive, or one component at a time).
    adobe : bool
        An Adobe segment is present: CMYK values are stored inverted.
    exif, profile : bytes or None
        The EXIF block and the colour profile.
    """

    width: int = 0
    height: int = 0
    components: int = 0
    samples: int = 0
    scans: bool = False
    adobe: bool = False
    exif: bytes | None = None
    profile: bytes | None = None
    pieces: dict[int, bytes] = field(default_factory=dict)


def read_jpeg_header(head: bytes) -> JpegHeader:
    """Read the segments of a JPEG up to its first scan.

    Parameters
    ----------
    head : bytes
        The start of the file, all segments before the picture data included.

    Raises
    ------
    Refused
        The segments are damaged, or of a kind that is not supported.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> Image.new("RGB", (5, 4)).save(out := io.BytesIO(), "JPEG")
    >>> header = read_jpeg_header(out.getvalue())
    >>> header.width, header.height, header.components, header.scans
    (5, 4, 3, False)
    """
    header, position = JpegHeader(), 2
    while match := _NEXT_MARKER.search(head, position):
        marker, position = head[match.end() - 1], match.end()
        if marker in _ALONE:
            continue
        if marker == 0xD9 or position + 2 > len(head):
            break
        end = position + (head[position] << 8) + head[position + 1]
        if marker == 0xDA:
            return _finished(header, head[position + 2])
        if marker >= 0xE0:
            _read_application(header, marker, head[position + 2 : end])
        elif marker in _FRAMES:
            _read_frame(header, marker, head[position + 2 : end])
        position = max(end, position + 2)
    raise Refused("truncated: the file ends before the picture data")


def _finished(header: JpegHeader, scan_components: int) -> JpegHeader:
    """Close the header at the first scan."""
    if not header.components:
        raise Refused("damaged: the frame header is missing")
    header.scans = header.scans or scan_components < header.components
    if header.pieces:
        header.profile = b"".join(header.pieces[key] for key in sorted(header.pieces))
    return header


def _read_application(header: JpegHeader, marker: int, segment: bytes) -> None:
    """Keep the EXIF block, the pieces of the colour profile and the Adobe mark."""
    if marker == 0xE1 and header.exif is None and segment.startswith(b"Exif\0\0"):
        header.exif = segment
    elif marker == 0xE2 and segment.startswith(b"ICC_PROFILE\0") and len(segment) > 14:
        header.pieces[segment[12]] = segment[14:]
    elif marker == 0xEE and segment.startswith(b"Adobe"):
        header.adobe = True


def _read_frame(header: JpegHeader, marker: int, segment: bytes) -> None:
    """Read size and components."""
    if len(segment) < 6 or len(segment) < 6 + 3 * segment[5]:
        raise Refused("damaged: the frame header is cut short")
    bits, header.height, header.width, header.components = struct.unpack_from(">BHHB", segment)
    if bits != 8 or header.components not in _MODES:
        raise Refused(f"{bits}-bit JPEG with {header.components} components is not supported")
    if not header.width or not header.height:
        raise Refused("damaged: the picture has no size")
    factors = [(byte >> 4, byte & 15) for byte in segment[7 : 7 + 3 * header.components : 3]]
    widest, tallest = max(x for x, _ in factors) or 1, max(y for _, y in factors) or 1
    padded = (header.width + 8 * widest) * (header.height + 8 * tallest)
    header.samples = sum(padded * x * y // (widest * tallest) for x, y in factors)
    header.scans = marker in _PROGRESSIVE


def draft_scale(size: tuple[int, int], min_side: int | None) -> int:
    """Return by how much a JPEG may shrink while decoding and keep `min_side` on its shorter side: 1, 2, 4 or 8.

    Examples
    --------
    >>> draft_scale((4032, 3024), 224), draft_scale((300, 200), 224), draft_scale((300, 200), None)
    (8, 1, 1)
    """
    room = min(size) // min_side if min_side else 1
    return 8 if room >= 8 else 4 if room >= 4 else 2 if room >= 2 else 1


def count_scans(handle: BinaryIO) -> int:
    r"""Count the scans of a JPEG; inside picture data the marker's bytes cannot occur.

    Examples
    --------
    >>> import io
    >>> count_scans(io.BytesIO(b"\xff\xda picture \xff\xda picture"))
    2
    """
    handle.seek(0)
    total, last = 0, b""
    while block := handle.read(_BLOCK):
        total += block.count(b"\xff\xda") + (last == b"\xff" and block[:1] == b"\xda")
        last = block[-1:]
    return total


class JpegPicture(ImageFile.ImageFile):
    """A JPEG whose header was read by `read_jpeg_header`, to be decoded at ``1 / scale``.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> Image.new("RGB", (64, 32)).save(out := io.BytesIO(), "JPEG")
    >>> JpegPicture(out, read_jpeg_header(out.getvalue()), 2).size
    (32, 16)
    """

    format = "JPEG"
    format_description = "JPEG with a header read elsewhere"

    def __init__(self, handle: BinaryIO, header: JpegHeader, scale: int) -> None:
        self._header, self._scale = header, scale
        super().__init__(handle)

    def _open(self) -> None:
        """Tell Pillow mode, size and decoder, as its guide for plugins asks."""
        header, scale = self._header, self._scale
        self._mode, raw = _MODES[header.components]
        if header.components == 4 and not header.adobe:
            raw = "CMYK"
        self._size = -(-header.width // scale), -(-header.height // scale)
        self.tile = [ImageFile._Tile("jpeg", (0, 0, *self._size), 0, (raw, ""))]
        self.decoderconfig = (scale, 0)
        self.decodermaxblock = _BLOCK
