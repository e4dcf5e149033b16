"""What several findings have in common, said once."""

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """The items of each key, both in the order in which they first occur."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def said_once(sentences: Iterable[tuple[str, str]]) -> list[str]:
    """Names, a comma between them, before what is the same of all, in the order of the first of each.

    Args:
        sentences: a name, and the sentence about it without the name.
    """
    return [f"{names}{sentence}" for sentence, names in _names(sentences).items()]


def shares(amounts: Iterable[tuple[str, str]]) -> str:
    """Amounts with the names that have them, in the order of the first of each: `0.1 with adam, sgd; 0.2 with muon`.

    Args:
        amounts: a name, and its amount.
    """
    return "; ".join(f"{amount} with {names}" for amount, names in _names(amounts).items())


def _names(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    groups = grouped(dict.fromkeys(pairs), lambda pair: pair[1])
    return {text: ", ".join(name for name, _ in group) for text, group in groups.items()}
