"""Are the chunks of a PNG whole?"""

from __future__ import annotations

import struct
import zlib

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def png_problem(data: bytes) -> str:
    """What is wrong with the chunks that a picture depends on, '' where nothing is.

    A critical chunk with a wrong CRC, no image data, or an end before IEND (PNG, third edition, 5).
    """
    view = memoryview(data)
    at, image_data = 8, False
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            return f"the file ends within the chunk {kind!r}"
        critical = not kind[0] & 32
        if critical and zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(
            data[end - 4 : end], "big"
        ):
            return f"the checksum of the chunk {kind.decode('latin-1')!r} is wrong"
        image_data = image_data or kind == b"IDAT"
        if kind == b"IEND":
            return "" if image_data else "there is no image data"
        at = end
    return "the file ends before its end mark (IEND)"
