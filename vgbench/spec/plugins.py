"""Plug-ins: packages that register members of their own, found by their entry points in the group `vgbench.plugins`."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from vgbench.errors import PluginError

GROUP = "vgbench.plugins"


@dataclass(frozen=True)
class Package:
    """A package by the name and the version of its distribution."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Plugins:
    """The plug-ins that are installed, imported once.

    Attributes:
        loading: the package whose plug-in is being imported, which is whose members are registered; None otherwise.
    """

    def __init__(self) -> None:
        self.loading: Package | None = None
        self._packages: list[Package] | None = None
        self._failure: PluginError | None = None

    def load(self, built_in: Iterable[str]) -> tuple[Package, ...]:
        """Import every plug-in, unless that is done already, and return their packages.

        Args:
            built_in: modules to import before them, so that these have the first claim to a name.

        Raises:
            PluginError: a plug-in fails; names its package. Later calls raise it again, since a suite could mean
                something else without that plug-in.
        """
        if self._failure:
            raise self._failure
        if self._packages is None:
            for module in built_in:
                import_module(module)
            self._packages = []  # before any is imported: one that reads a registry then does not start over
            for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
                self._packages.append(self._import(entry))
        return tuple(dict.fromkeys(self._packages))

    def _import(self, entry: EntryPoint) -> Package:
        assert entry.dist  # of every entry point that was found in a distribution
        self.loading = package = Package(entry.dist.name, entry.dist.version)
        try:
            entry.load()
        except Exception as error:  # whatever it is, it is that package's
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            self._failure = PluginError(f"plug-in {entry.name!r} of package {package} cannot be loaded: {reason}")
            raise self._failure from error
        finally:
            self.loading = None
        return package
