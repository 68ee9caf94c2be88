"""What is fed to a reader: files that are right, files that once failed, and both with bytes changed."""

from __future__ import annotations

import random
from collections.abc import Sequence

# What readers of text have stumbled over, anywhere.
_WORDS = (
    *(b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b"\n", b"\r\n", b"\x85", b"\x1b[31m"),
    *(b"\t", b" ", b'"', b"'", b",", b";", b":", b"-", b"\\", b"/", b"#", b"%"),
    *(b"nan", b"inf", b"-inf", b"NaN", b"null", b"NA", b"None", b"true", b"yes", b"~", b"N/A"),
    *(b"0", b"-0", b"-1", b"1e3", b"1e400", b"-1e400", b"1e-400", b"1_000", b"0x10", b"0.1.2"),
    *(b"9" * 20, b"9" * 400, b"9" * 5000, b"2147483648", b"9223372036854775808", b"3000000000"),
    *(
        "\uff11\uff12",
        "٣",
        "²",
        "é",
        "e\u0301",
        "ß",
        "\u202e\u2028",
        "\ufeff",
        "😀",
        "\u017f",
        "\x9b",
    ),
    *(b"\xed\xa0\x80", b"A" * 3000, b"," * 1000, b"[" * 1000, b"../", b"C:\\", b"s3://", b"~/"),
)
WORDS = tuple(word.encode() if isinstance(word, str) else word for word in _WORDS)


def input_of(
    corpus: Sequence[bytes], words: Sequence[bytes], seed: int, number: int, most: int
) -> bytes:
    """The input with a number, always the same: first the corpus as it is, then changes to it.

    Args:
        words: that this reader may stumble over; `WORDS` are tried as well.
        most: bytes of an input.
    """
    if number < len(corpus):
        return corpus[number]
    draw = random.Random(f"{seed}:{number}")
    content = bytearray(draw.choice(corpus))
    for _ in range(min(1 + int(draw.expovariate(1)), 12)):
        _change(content, draw, corpus, words)
    return bytes(content[:most])


def _change(
    content: bytearray, draw: random.Random, corpus: Sequence[bytes], words: Sequence[bytes]
) -> None:
    """Change one place of `content`."""
    kind = draw.randrange(9)
    start = draw.randrange(len(content) + 1)
    stop = min(len(content), start + min(int(draw.expovariate(1 / 12)) + 1, len(content)))
    if kind == 0 and content:  # a bit
        content[start % len(content)] ^= 1 << draw.randrange(8)
    elif kind == 1:  # cut a part out
        del content[start:stop]
    elif kind == 2:  # cut the end, or the beginning, off
        if draw.random() < 0.3:
            del content[:start]
        else:
            del content[start:]
    elif kind == 3:  # bytes of any value
        content[start:stop] = draw.randbytes(stop - start)
    elif kind == 4:  # a part once more, or many times
        times = draw.choice((1, 1, 2, 50))
        content[start:start] = content[start:stop] * times
    elif kind == 5:  # two parts change places
        other = draw.randrange(len(content) + 1)
        content[start:stop], content[other:other] = b"", bytes(content[start:stop])
    elif kind == 6:  # a part of another input
        other = draw.choice(corpus)
        begin = draw.randrange(len(other) + 1)
        content[start:stop] = other[begin : begin + draw.choice((4, 16, 64, 1000))]
    else:  # a word, in place of something or between
        word = draw.choice(words if words and draw.random() < 0.5 else WORDS)
        content[start : stop if draw.random() < 0.5 else start] = word
