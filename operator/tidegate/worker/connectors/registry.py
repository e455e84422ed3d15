"""Finds connectors by the setting `type`: built-in ones, and those of other installed packages.

A connector is imported when it is first looked up, so that a run imports only the two that it needs. A package offers a
connector by an entry point of the group `tidegate.connectors`, whose name is the type and whose object is a
ConnectorType.
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from tidegate.worker.connectors import ConnectorType
from tidegate.worker.errors import ConfigurationError

GROUP = "tidegate.connectors"

_BUILT_IN = [EntryPoint(name, f"tidegate.worker.connectors.{name}:TYPE", GROUP) for name in ("file", "http", "sql")]


class Connectors(Mapping[str, ConnectorType]):
    """All available connectors. A look-up raises ConfigurationError for one that exists and cannot be used."""

    def __init__(self) -> None:
        self._loaded: dict[str, ConnectorType] = {}

    def __getitem__(self, name: str) -> ConnectorType:
        if name not in self._loaded:
            self._loaded[name] = _load(_offer(name))
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        yield from sorted({offer.name for offer in (*_BUILT_IN, *entry_points(group=GROUP))})

    def __len__(self) -> int:
        return sum(1 for _ in self)


def is_built_in(name: object) -> bool:
    """Whether a type comes with the worker."""
    return name in [offer.name for offer in _BUILT_IN]


def _offer(name: str) -> EntryPoint:
    built_in = [offer for offer in _BUILT_IN if offer.name == name]
    offers = built_in or list(entry_points(group=GROUP, name=name))
    if not offers:
        raise KeyError(name)
    if len({offer.value for offer in offers}) > 1:
        packages = " and ".join(sorted(_package(offer) for offer in offers))
        raise ConfigurationError(f"type {name} is offered by more than one package: {packages}; remove all but one")
    return offers[0]


def _load(offer: EntryPoint) -> ConnectorType:
    try:
        found = offer.load()
    except Exception as error:  # third-party code may raise anything
        raise ConfigurationError(
            f"type {offer.name} of {_package(offer)} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, ConnectorType):
        raise ConfigurationError(f"type {offer.name} of {_package(offer)}: {offer.value} is not a ConnectorType")
    return found


def _package(offer: EntryPoint) -> str:
    return f"the package {offer.dist.name}" if offer.dist is not None else "Tidegate"


CONNECTORS = Connectors()
