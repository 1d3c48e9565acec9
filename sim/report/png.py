"""Pixels to PNG files: 8 bits for each of red, green and blue, not interlaced, rows unfiltered.

Figures are mostly flat colour, which deflates best as it is; trying the filters of the format row
by row takes longer and makes larger files. The format is that of the W3C Recommendation "Portable
Network Graphics (PNG) Specification", third edition, 2025.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TRUE_COLOUR = 2
METRES_PER_INCH = 0.0254


def write_png(path: Path, pixels: NDArray[np.uint8], dpi: float) -> None:
    """Write an image.

    Parameters
    ----------
    path : Path
    pixels : (height, width, 3 or more) uint8
        Red, green and blue, top row first; further channels are left out.
    dpi : float [1/inch]
        Resolution noted in the file.
    """
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), dtype=np.uint8)
    rows[:, 1:] = pixels[:, :, :3].reshape(height, -1)
    per_metre = round(dpi / METRES_PER_INCH)
    path.write_bytes(
        SIGNATURE
        + _chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, TRUE_COLOUR, 0, 0, 0))
        + _chunk(b"pHYs", struct.pack(">2IB", per_metre, per_metre, 1))
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    content = kind + data
    return struct.pack(">I", len(data)) + content + struct.pack(">I", zlib.crc32(content))
