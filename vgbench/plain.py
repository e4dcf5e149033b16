"""Text from files and errors, made safe to print: no characters that control a terminal, a picture or a document."""

import re

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that change the direction of writing (Unicode's UAX 9), and lone surrogates."""


def printable(text: str) -> str:
    r"""The text with its line breaks; control characters are written as `\x1b`."""
    return "\n".join(_UNSAFE.sub(_escape, line) for line in text.split("\n"))


def one_line(text: str) -> str:
    r"""The text on one line, without space at both ends; control characters are written as `\x1b`."""
    return printable(" ".join(text.split()))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
