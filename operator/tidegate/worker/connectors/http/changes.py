"""The watermark of a list, and the filter that asks for changes since then. Pure.

Where the cursor is a time, the watermark comes from the server's clock, as the Date header shows it. Any other cursor
needs a request for the newest record.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tidegate.worker.connectors import Record, Token, Window
from tidegate.worker.connectors.http.listing import Filters, SearchFor
from tidegate.worker.connectors.http.request_settings import Since
from tidegate.worker.connectors.http.settings import ResourceSettings
from tidegate.worker.connectors.http.templates import filled, is_plain, names_within
from tidegate.worker.connectors.json_documents import Document
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import Value

# A number of seconds beyond this is one of milliseconds.
_LATEST_SECONDS = 100_000_000_000
_EPOCH_UNITS = {"epochSeconds": 1, "epochMilliseconds": 1000}


def token_of(cursor: Value) -> Token | None:
    """A cursor value as plain JSON."""
    return cursor if cursor is None or isinstance(cursor, (int, str)) else str(cursor)


def written(moment: datetime) -> str:
    """A time in RFC 3339: in UTC, to the second."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def since(title: str, settings: ResourceSettings, window: Window | None) -> Filters:
    """The filter for the changes of a window; empty when the window has no start. Raises ConfigurationError."""
    if window is None or window.since is None or settings.since is None:
        return {}
    moment = _moment(window.since)
    if moment is not None:
        return _at_its_path(settings.since, _since(settings.since, moment - window.overlap))
    template = _template(settings.since)
    if names_within(template) and not is_plain(str(window.since)):
        raise ConfigurationError(
            f"{title}: since: the newest {settings.cursor} is {str(window.since)[:100]!r}, which could change the "
            'meaning of a filter; write a parameter that takes nothing else, such as {parameters: {after: "{since}"}}'
        )
    return _at_its_path(settings.since, filled(template, {"since": str(window.since)}))


def since_moment(settings: ResourceSettings, moment: datetime) -> Filters | None:
    """The filter for the changes since a time; None where the cursor need not be a time."""
    if settings.since is None or settings.newest is not None:
        return None
    return _at_its_path(settings.since, _since(settings.since, moment))


def _at_its_path(setting: str | Since, asked: Document) -> Filters:
    if isinstance(setting, str) or setting.path is None:
        return asked
    return SearchFor(setting.path, asked, by_post=setting.body is not None, setting="since")


def _since(setting: str | Since, moment: datetime) -> Document:
    unit = _epoch_unit(setting)
    # Rounded down to the second: reading a change twice is harmless.
    text = written(moment) if unit is None else str(int(moment.timestamp()) * unit)
    filled_in: Document = filled(_template(setting), {"since": text})
    return filled_in


def _template(setting: str | Since) -> Mapping[str, Any]:
    return setting.template if isinstance(setting, Since) else {setting: "{since}"}


def _epoch_unit(setting: str | Since | None) -> int | None:
    """How many to a second, where times are numbers; None where they are texts."""
    return _EPOCH_UNITS.get(setting.format) if isinstance(setting, Since) else None


def moment_of(settings: ResourceSettings, cursor: Value) -> datetime | None:
    """A record's cursor as a time; None for one that is no time."""
    unit = _epoch_unit(settings.since)
    if unit is not None and isinstance(cursor, (int, float)):
        try:
            return datetime.fromtimestamp(cursor / unit, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return _moment(cursor)


def must_be_time(title: str, settings: ResourceSettings, record: Record) -> None:
    """Raise ConfigurationError when this cursor is not a time: then the server's clock cannot be its watermark."""
    if settings.since is None or settings.newest is not None or record.cursor is None or _moment(record.cursor):
        return
    epoch = settings.since.format if isinstance(settings.since, Since) else "rfc3339"
    if epoch != "rfc3339" and isinstance(record.cursor, (int, float)) and not isinstance(record.cursor, bool):
        if (epoch == "epochMilliseconds") != (record.cursor > _LATEST_SECONDS):
            other = "epochSeconds" if epoch == "epochMilliseconds" else "epochMilliseconds"
            raise ConfigurationError(
                f"{title}: since: {settings.cursor} holds {record.cursor}, which is no time in {epoch}; is its format "
                f"{other}?"
            )
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
