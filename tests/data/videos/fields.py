"""Videos in fields (PAFF), as AVCHD cameras write H.264: a frame is two pictures, of every other line.

No encoder at hand writes them, so this does, by ITU-T H.264: of each macroblock the samples themselves
(I_PCM), which takes no more than headers.
"""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from tests.conftest import draw_number

RATE = 25  # frames a second, of two fields each
SIZE = (64, 128)  # a frame's height, which has whole macroblocks in each field, and its width
_DARK, _BRIGHT, _DIMMER, _GREY = 16, 235, 190, 128  # of limited range
_STRUCTS = {"top": 1, "bottom": 2, "both": 3}
_LINES = {"top": slice(0, None, 2), "bottom": slice(1, None, 2), "both": slice(None)}

_BLOCK = 16  # pixels a side, of a macroblock
_START = b"\0\0\0\1"
_PICTURE, _FIRST_PICTURE, _SEI, _SEQUENCE, _PICTURES, _DELIMITER = 1, 5, 6, 7, 8, 9  # nal_unit_type
_P, _I = 5, 7  # slice_type, of all slices of a picture
_FRAME_NUMBERS, _ORDERS = 4, 8  # bits of frame_num and of pic_order_cnt_lsb


class Picture(NamedTuple):
    """A frame, or a field of one.

    Attributes:
        content: with start codes.
        shown, decoded: when, in fields from the video's start.
        lasts: how long, in fields.
        second: of the two fields in a frame.
        key: decoding can begin here.
    """

    content: bytes
    shown: int
    decoded: int
    lasts: int
    second: bool
    key: bool


class _Bits:
    """Bits one after another, as the standard writes its syntax elements."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def u(self, value: int, bits: int = 1) -> None:
        self._bits.append(f"{value:0{bits}b}")

    def ue(self, *values: int) -> None:
        for value in values:
            self.u(value + 1, 2 * (value + 1).bit_length() - 1)

    def align(self, first: str = "0") -> None:
        missing = -sum(map(len, self._bits)) % 8
        if missing:
            self._bits.append(first + "0" * (missing - 1))

    def samples(self, content: bytes) -> None:
        self.align()
        self._bits.append("".join(f"{byte:08b}" for byte in content))

    def unit(self, kind: int, importance: int = 3) -> bytes:
        """A NAL unit of them."""
        self._bits.append("1")
        self.align()
        bits = "".join(self._bits)
        content = bytes([importance << 5 | kind]) + int(bits, 2).to_bytes(len(bits) // 8, "big")
        safe = bytearray()
        for byte in content:  # nothing in it looks like a start code
            if byte <= 3 and safe[-2:] == b"\0\0":
                safe.append(3)
            safe.append(byte)
        return _START + bytes(safe)


def _sequence(out_of_order: bool) -> bytes:
    """The sequence parameter set."""
    bits = _Bits()
    for value in (77, 0, 30):  # the Main profile, no constraints, level 3
        bits.u(value, 8)
    bits.ue(0, _FRAME_NUMBERS - 4, 0, _ORDERS - 4, 2)  # of two reference frames
    bits.u(0)
    bits.ue(SIZE[1] // _BLOCK - 1, SIZE[0] // 2 // _BLOCK - 1)
    bits.u(0)  # frame_mbs_only_flag
    bits.u(0)  # mb_adaptive_frame_field_flag: whole pictures are fields
    bits.u(1)  # direct_8x8_inference_flag
    bits.u(0)
    bits.u(1)  # VUI follows, of which the first four parts are not there
    bits.u(0, 4)
    bits.u(1)
    bits.u(1, 32)
    bits.u(2 * RATE, 32)  # ticks a second: a field each
    bits.u(1)
    bits.u(0, 2)
    bits.u(1)  # pic_struct_present_flag
    bits.u(1)  # how far pictures are out of order
    bits.u(1)
    bits.ue(0, 0, 10, 10, int(out_of_order), 2)
    return bits.unit(_SEQUENCE)


def _picture_parameters() -> bytes:
    bits = _Bits()
    bits.ue(0, 0)
    bits.u(0, 2)  # CAVLC
    bits.ue(0, 0, 0)
    bits.u(0, 3)
    bits.ue(0, 0, 0)
    bits.u(1)  # deblocking_filter_control_present_flag, to have none
    bits.u(0, 2)
    return bits.unit(_PICTURES)


def _delimiter() -> bytes:
    bits = _Bits()
    bits.u(1, 3)  # I and P slices
    return bits.unit(_DELIMITER, 0)


def _timing(struct: int) -> bytes:
    """What says of a picture which lines it has (pic_struct), as cameras do."""
    bits = _Bits()
    for value in (1, 1):  # pic_timing, of one byte
        bits.u(value, 8)
    bits.u(struct, 4)
    bits.u(0, 2 if struct >= 3 else 1)  # no clock's time of either field
    bits.align("1")
    return bits.unit(_SEI, 0)


def _slice(
    lines: np.ndarray, part: str, number: int, order: int, *, first: bool, key: bool, kept: bool
) -> bytes:
    """All of a picture.

    Args:
        lines: uint8, their luma.
        part: of the frame: "top", "bottom", or "both".
        number: frame_num.
        order: pic_order_cnt_lsb.
        first: the first picture of all, an IDR.
        key: an I slice; else P, of macroblocks that refer to nothing.
        kept: others may refer to it.
    """
    bits = _Bits()
    bits.ue(0, _I if key else _P, 0)
    bits.u(number, _FRAME_NUMBERS)
    bits.u(part != "both")  # field_pic_flag
    if part != "both":
        bits.u(part == "bottom")
    if first:
        bits.ue(0)
    bits.u(order, _ORDERS)
    if not key:
        bits.u(0, 2)  # the usual number of references, in the usual order
    if kept:
        bits.u(0, 2 if first else 1)
    bits.ue(0, 1)  # slice_qp_delta; no deblocking
    colour = bytes([_GREY]) * (2 * (_BLOCK // 2) ** 2)
    for row in range(0, lines.shape[0], _BLOCK):
        for column in range(0, lines.shape[1], _BLOCK):
            bits.ue(*([25] if key else [0, 30]))  # I_PCM; in P slices, after no skipped ones
            bits.samples(lines[row : row + _BLOCK, column : column + _BLOCK].tobytes() + colour)
    return bits.unit(_FIRST_PICTURE if first else _PICTURE, 2 if kept else 0)


def shown(frame: int) -> np.ndarray:
    """What a decoder makes of a frame, ``[H, W, 3]``, but for rounding."""
    grey = (_luma(frame).astype(int) - _DARK) * 255 // (_BRIGHT - _DARK)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _luma(frame: int) -> np.ndarray:
    """The samples of a frame: its number; the upper line of two is brighter than the lower."""
    drawn = draw_number(frame, SIZE)[:, :, 0] > 0
    bright = np.where(np.arange(SIZE[0]) % 2, _DIMMER, _BRIGHT)[:, None]
    return np.where(drawn, bright, _DARK).astype(np.uint8)


def stream(
    frames: int, *, bottom_first: bool = False, out_of_order: bool = False, some_whole: bool = False
) -> list[Picture]:
    """The pictures of a video with numbered frames, as they are stored.

    Args:
        bottom_first: the lower field of a frame is shown before the upper, as in DV.
        out_of_order: every other frame is stored after the next one, as B frames are.
        some_whole: the first frame, and every third from there, is one picture: encoders choose.
    """
    stored = list(range(frames))
    if out_of_order:
        for place in range(1, frames - 1, 2):
            stored[place : place + 2] = [place + 1, place]
    found: list[Picture] = []
    references = 0
    for place, frame in enumerate(stored):
        kept = not out_of_order or frame % 2 == 0
        parts = ["bottom", "top"] if bottom_first else ["top", "bottom"]
        if some_whole and frame % 3 == 0:
            parts = ["both"]
        for second, part in enumerate(parts):
            first = not found
            content = _delimiter()
            if first:
                content += _sequence(out_of_order) + _picture_parameters()
            content += _timing(_STRUCTS[part])
            content += _slice(
                _luma(frame)[_LINES[part]],
                part,
                references % 2**_FRAME_NUMBERS,
                (2 * frame + second) % 2**_ORDERS,
                first=first,
                key=first,
                kept=kept,
            )
            when = 2 * (frame + out_of_order) + second  # nothing is shown before it is decoded
            lasts = 3 - len(parts)
            found.append(Picture(content, when, 2 * place + second, lasts, bool(second), first))
        references += kept
    return found


def write(path: Path, pictures: list[Picture], *, together: bool = False) -> Path:
    """A file of pictures, without encoding them anew: each is a packet, with times if there are any.

    Args:
        together: the two fields of a frame are a packet.
    """
    raw = b"".join(picture.content for picture in pictures)
    if path.suffix == ".h264":
        path.write_bytes(raw)
        return path
    packets: list[list[Picture]] = []
    for picture in pictures:
        if together and picture.second:
            packets[-1].append(picture)
        else:
            packets.append([picture])
    # Cameras write packets of 192 bytes.
    options = {"mpegts_m2ts_mode": "1"} if path.suffix == ".mts" else {}
    with (
        av.open(io.BytesIO(raw), format="h264") as source,
        av.open(str(path), "w", options=options) as container,
    ):
        copied = container.add_stream_from_template(source.streams.video[0])
        for inside in packets:
            packet = av.Packet(b"".join(picture.content for picture in inside))
            packet.stream, packet.time_base = copied, Fraction(1, 2 * RATE)
            packet.pts, packet.dts = inside[0].shown, inside[0].decoded
            packet.duration = sum(picture.lasts for picture in inside)
            packet.is_keyframe = inside[0].key
            container.mux(packet)
    return path
