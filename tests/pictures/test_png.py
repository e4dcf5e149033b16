"""PNG files compressed anew."""

import zlib

from vgbench.pictures.png import recompressed


def chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def test_pixels_stay_and_take_one_chunk_between_those_around_them() -> None:
    pixels = bytes(10_000)
    stored = zlib.compress(pixels, 0)
    before, after = chunk(b"IHDR", b"thirteen byte"), chunk(b"IEND", b"")
    signature = b"\x89PNG\r\n\x1a\n"
    given = signature + before + chunk(b"IDAT", stored[:50]) + chunk(b"IDAT", stored[50:]) + after
    assert recompressed(given) == signature + before + chunk(b"IDAT", zlib.compress(pixels, 9)) + after
