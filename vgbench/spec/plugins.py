"""Plug-ins: packages that register members, found by their entry points."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from threading import RLock

from vgbench.errors import PluginError

OWN = "vgbench"
"""The distribution whose entry points are the built-in members."""


@dataclass(frozen=True)
class Package:
    """A package by the name and the version of its distribution."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Plugins:
    """Imports the modules that register members, once: vgbench's own and those of installed plug-ins.

    vgbench registers its members through the same entry points, so registries do not depend on the modules that fill
    them.

    Args:
        group: of the entry points.

    Attributes:
        loading: the package whose plug-in is being imported, to which new members belong; None otherwise, and during
            the import of vgbench's own members.
    """

    def __init__(self, group: str) -> None:
        self._group = group
        self.loading: Package | None = None
        self._packages: list[Package] | None = None
        self._failure: PluginError | None = None
        self._lock = RLock()

    def load(self) -> tuple[Package, ...]:
        """Import every plug-in on the first call, and return their packages.

        Raises:
            PluginError: a plug-in fails; the message names its package. Later calls raise it again, since a suite
                could have another meaning without that plug-in.
        """
        with self._lock:
            if self._failure:
                raise self._failure
            if self._packages is None:
                self._packages = []  # set before the imports, so that a plug-in that reads a registry does not recurse
                built_in, others = _entries(self._group)
                for entry in built_in:  # first, so that a plug-in cannot take their names
                    entry.load()
                for entry in others:
                    self._packages.append(self._import(entry))
            return tuple(dict.fromkeys(self._packages))

    def packages(self) -> tuple[Package, ...]:
        """The packages of all plug-ins, none of which is imported."""
        _, others = _entries(self._group)
        return tuple(dict.fromkeys(_package(entry) for entry in others))

    def _import(self, entry: EntryPoint) -> Package:
        self.loading = package = _package(entry)
        try:
            entry.load()
        except Exception as error:  # a plug-in may raise anything
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            self._failure = PluginError(f"plug-in {entry.name!r} of package {package} cannot be loaded: {reason}")
            raise self._failure from error
        finally:
            self.loading = None
        return package


def _package(entry: EntryPoint) -> Package:
    assert entry.dist  # set for every entry point that was found in a distribution
    return Package(entry.dist.name, entry.dist.version)


def _entries(group: str) -> tuple[list[EntryPoint], list[EntryPoint]]:
    """The entry points of a group, vgbench's own and all others, both ordered by name.

    Raises:
        PluginError: vgbench has none, since its package is not installed.
    """
    entries = sorted(entry_points(group=group), key=lambda entry: (entry.name, entry.value))
    built_in = [entry for entry in entries if entry.dist and entry.dist.name == OWN]
    if not built_in:
        raise PluginError("vgbench is not installed in this environment; run `pip install -e .` in its folder")
    return built_in, [entry for entry in entries if entry not in built_in]
