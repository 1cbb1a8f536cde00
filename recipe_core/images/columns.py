"""What does the pass over the files measure? One row per sample, these columns, these units."""

from __future__ import annotations

import pyarrow as pa

PASS_VERSION = 4
"""Raise it when a column's meaning changes: every stored row is then measured anew."""

PASS_FIELDS = pa.schema(
    [
        ("content_hash", pa.string()),
        ("file_size", pa.int64()),
        ("extension", pa.string()),
        ("error", pa.string()),
        ("error_detail", pa.string()),
        ("pillow_ok", pa.bool_()),
        ("strict_ok", pa.bool_()),
        ("warning", pa.string()),
        ("format", pa.string()),
        ("mode", pa.string()),
        ("bits", pa.int8()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("aspect", pa.float32()),
        ("megapixels", pa.float32()),
        ("orientation", pa.int8()),
        ("n_frames", pa.int32()),
        ("has_alpha", pa.bool_()),
        ("alpha_used", pa.bool_()),
        ("grey_in_rgb", pa.bool_()),
        ("jpeg_quality", pa.float32()),
        ("brightness", pa.float32()),
        ("contrast", pa.float32()),
        ("saturation", pa.float32()),
        ("colorfulness", pa.float32()),
        ("sharpness", pa.float32()),
        ("entropy", pa.float32()),
        ("edge_density", pa.float32()),
        ("dark_share", pa.float32()),
        ("light_share", pa.float32()),
        ("border_share", pa.float32()),
        ("uniform_block_share", pa.float32()),
        ("phash", pa.uint64()),
        ("dhash", pa.uint64()),
        ("phash_turned", pa.list_(pa.uint64(), 7)),
    ]
)
"""
content_hash   32 hex digits, BLAKE3-128 of the file's bytes; null where it cannot be read
file_size      bytes
extension      lower case without the dot, '' where there is none
error          '' where the picture can be trusted, else its class:
               missing, unreadable (permission, I/O), empty, not_an_image (text, HTML, archive …),
               wrong_magic (a picture's name or first bytes, but no decoder knows it), truncated,
               undecodable (a decoder gave up), damaged (it loads, but a strict decoder objects),
               bomb (more pixels, bytes or memory than the limits in limits.py and look.py; not
               decoded), unsupported (a valid format without a decoder here), crashed, timeout
error_detail   the decoder's own words
pillow_ok      Pillow loads it; true without asking where the strict decoder accepts a JPEG
               (libjpeg is behind both), null where it was not tried
strict_ok      the strict decoder agrees (JPEG: libjpeg without a warning, and no colour that RGB
               does not have; PNG: checksums of critical chunks, complete to IEND); null for
               formats without one
warning        warnings the decoder raised while it loaded, '' where none
format         Pillow's name (JPEG, PNG …), '' where unknown
mode           Pillow's mode as stored (RGB, L, P, CMYK, I;16 …)
bits           bits per channel as stored (1 … 16, 32)
width, height  pixels of the displayed picture (after EXIF orientation)
aspect         width / height
megapixels     width × height / 1e6
orientation    EXIF value 1 … 8, 1 where there is none
n_frames       frames of an animated picture, else 1
has_alpha      the mode has an alpha channel or a transparent colour
alpha_used     at least one pixel is not opaque
grey_in_rgb    stored in a colour mode, but R = G = B (lossy formats: within 3 levels) in every
               pixel looked at
jpeg_quality   1 … 100, the IJG quality that its luminance table comes closest to; null if not JPEG
The rest is measured on the displayed picture with its longer side at 160 pixels (120 to 160 for a
JPEG; its own size where that is smaller), in 8-bit sRGB; 16-bit values divided by 257; statistics
with transparent parts over mid-grey, hashes over white:
brightness     mean luma (Rec. 601), 0 … 1
contrast       standard deviation of luma, 0 … 0.5
saturation     mean HSV saturation, 0 … 1
colorfulness   Hasler & Süsstrunk 2003 (M3), 0 … about 150
sharpness      root mean square of the Laplacian over contrast, 0 … about 4.5; at that one scale it
               compares between sizes within about a half (see statistics.py)
entropy        Shannon entropy of the luma histogram (256 bins), 0 … 8 bits
edge_density   share of pixels whose Sobel gradient exceeds a fixed level, 0 … 1
dark_share     share of pixels with luma <= 2 of 255
light_share    share of pixels with luma >= 253 of 255
border_share   share of the area in flat borders of one colour (letterbox), 0 … 1
uniform_block_share  share of the area in the largest flat horizontal band at the lower end, as a
               decoder leaves it where the data stopped (not white, not black, not the colour of
               the top), 0 … 1; of the picture as stored
phash, dhash   64-bit perceptual hashes, bit order of imagehash (first bit is the highest)
phash_turned   phash of the seven other ways to turn or mirror it: rotated 90, 180, 270 degrees
               counter-clockwise, mirrored left-right, and that mirrored one rotated 90, 180, 270
Everything from format on is null where it could not be measured.
"""
