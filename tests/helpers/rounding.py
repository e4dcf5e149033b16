"""Texts that hold derived figures, compared as different processors write them.

The last bits of a logarithm or a sum depend on the processor and on the versions of its libraries. They show where a
figure lies on the edge between two roundings, and change its last digit by one.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?!\w|\.\d)")


def differences(one: str, other: str) -> list[str]:
    """The lines of two texts that rounding does not explain, as `line number: one | other`.

    Words, spaces and integers have to be equal. Numbers of which one at least has decimals may differ by one unit in
    the last digit of the more precise one. What is part of a word, as in a hash or in a version of three parts, is no
    number.
    """
    lines = zip_longest(one.split("\n"), other.split("\n"), fillvalue="")
    return [f"{number}: {a} | {b}" for number, (a, b) in enumerate(lines, 1) if a != b and not _alike(a, b)]


def _alike(one: str, other: str) -> bool:
    words, figures = ([list(found(line)) for line in (one, other)] for found in (_NUMBER.split, _figures))
    return words[0] == words[1] and all(_near(a, b) for a, b in zip(*figures, strict=True))


def _figures(line: str) -> Iterator[Decimal]:
    return (Decimal(text.replace(",", "")) for text in _NUMBER.findall(line))


def _near(one: Decimal, other: Decimal) -> bool:
    last = min(int(number.as_tuple().exponent) for number in (one, other))
    return one == other or (last < 0 and abs(one - other) <= Decimal(1).scaleb(last))
