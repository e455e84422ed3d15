"""How far a list's changes go, and how to ask for those since then. Pure; serves `resource`.

Where a cursor is a time, the server's clock says how far its changes go: that is what `Date` of an answer tells. Any
other cursor must be asked for.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from tidegate.worker.connectors import Record, Token, Window
from tidegate.worker.connectors.http.settings import ResourceSettings
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import Value


def token_of(cursor: Value) -> Token | None:
    """A cursor value as plain JSON."""
    return cursor if cursor is None or isinstance(cursor, (int, str)) else str(cursor)


def written(moment: datetime) -> str:
    """A moment as APIs write it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def since(settings: ResourceSettings, window: Window | None) -> dict[str, str]:
    """The filter that lets through the changes of a window; none for the beginning."""
    if window is None or window.since is None or settings.since is None:
        return {}
    moment = _moment(window.since)
    return {settings.since: str(window.since) if moment is None else written(moment - window.overlap)}


def since_moment(settings: ResourceSettings, moment: datetime) -> Mapping[str, str] | None:
    """The filter that lets through what was changed since a moment; None where the cursor need not be a time."""
    return None if settings.since is None or settings.newest is not None else {settings.since: written(moment)}


def must_be_time(title: str, settings: ResourceSettings, record: Record) -> None:
    """Raise ConfigurationError when the server's clock says nothing about this cursor."""
    if settings.since is None or settings.newest is not None or record.cursor is None or _moment(record.cursor):
        return
    raise ConfigurationError(
        f"{title}: cursor: {settings.cursor} holds {record.cursor!r}, which is not a time with its date; write newest: "
        "the query parameters by which the record with the highest one comes first"
    )


def _moment(value: Value) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
