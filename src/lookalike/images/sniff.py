"""The content decides what a file is, not its name."""

from __future__ import annotations

__all__ = ["not_an_image", "sniff"]

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_OTHER = (
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "JPEG XL, which is not supported"),
    (b"\0\0\0\x0cJXL ", "JPEG XL, which is not supported"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000, which is not supported"),
    (b"\0\0\1\0", "an icon"),
    (b"PK\3\4", "a ZIP archive"),
    (b"RIFF", "audio or video"),
    (b"\x1aE\xdf\xa3", "a video"),
)


def sniff(head: bytes) -> str | None:
    """Name the image format that a file starts like.

    Parameters
    ----------
    head : bytes
        The first 64 bytes, or more.

    Returns
    -------
    {"JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"} or None

    Examples
    --------
    >>> sniff(b"GIF89a..."), sniff(b"hello")
    ('GIF', None)
    """
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[4:8] == b"ftyp":
        brands = _brands(head)
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
    return None


def not_an_image(head: bytes) -> str:
    """Say what a file is that is no image we read.

    Examples
    --------
    >>> not_an_image(b"")
    'empty file'
    >>> not_an_image(b"Dear diary,")
    'not an image: looks like text'
    """
    if not head:
        return "empty file"
    head = head[:4096]
    if not head.strip(b"\0"):
        return "not an image: only zero bytes"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "not an image: looks like a web page"
    if start.startswith(b"<svg") or b"<svg" in start[:1000]:
        return "SVG drawings are not supported"
    if head[4:8] == b"ftyp":
        return "not an image: looks like a video"
    for magic, name in _OTHER:
        if head.startswith(magic):
            return f"not an image we read: looks like {name}"
    return "not an image: looks like text" if _is_text(head) else "not an image in a known format"


def _brands(head: bytes) -> set[bytes]:
    """Return the brands of an ISO media file: the major one and the compatible ones."""
    end = min(int.from_bytes(head[:4], "big"), len(head), 256)
    return {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}


def _is_text(head: bytes) -> bool:
    """Tell whether bytes read as UTF-8 text; a character cut at the end does not count."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter in "\t\n\r\f" for letter in text)
