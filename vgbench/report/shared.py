"""Sentences that are the same of several mitigations, said once."""

from collections.abc import Iterable


def said_once(sentences: Iterable[tuple[str, str]]) -> list[str]:
    """Names, a comma between them, before what is the same of all, in the order of the first of each.

    Args:
        sentences: a name, and the sentence about it without the name.
    """
    names: dict[str, list[str]] = {}
    for name, sentence in sentences:
        names.setdefault(sentence, []).append(name)
    return [f"{', '.join(dict.fromkeys(each))}{sentence}" for sentence, each in names.items()]
