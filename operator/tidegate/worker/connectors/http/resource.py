"""One resource of an API as a Collection: its lists, single records, look-ups and writes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from tidegate.worker.connectors import (
    Changed,
    Description,
    Key,
    Page,
    Postponed,
    Record,
    Rejected,
    Token,
    Window,
    Write,
)
from tidegate.worker.connectors.deleted import complaints
from tidegate.worker.connectors.http import bodies
from tidegate.worker.connectors.http.below_parents import BelowParents
from tidegate.worker.connectors.http.changes import must_be_time, since, since_moment, token_of, written
from tidegate.worker.connectors.http.client import Client
from tidegate.worker.connectors.http.documents import Documents
from tidegate.worker.connectors.http.listing import Listing
from tidegate.worker.connectors.http.pool import Pool
from tidegate.worker.connectors.http.reader import Reader
from tidegate.worker.connectors.http.reading import Reading
from tidegate.worker.connectors.http.records import Records
from tidegate.worker.connectors.http.search import Asking, Finder, Scanning
from tidegate.worker.connectors.http.settings import ResourceSettings
from tidegate.worker.connectors.http.trial import complaint_of_find, complaint_of_since
from tidegate.worker.connectors.http.writing import Writer
from tidegate.worker.connectors.untyped import Untyped
from tidegate.worker.errors import ConfigurationError, SystemFailed
from tidegate.worker.values.normal_form import Value


class Resource:
    """The Collection of one resource."""

    batch = 500

    def __init__(self, client: Client, pool: Pool, description: Description) -> None:
        """Raises ConfigurationError when there is no such list."""
        settings = description.settings
        assert isinstance(settings, ResourceSettings)  # noqa: S101
        self._client = client
        self._pool = pool
        self._settings = settings
        self._title = description.title
        self._creates = description.creates
        self._documents = Documents(description)
        self._listing = self._open_listing(description)
        self._records = Records(client, pool, self._listing, self._documents, description)
        self._finder = self._open_finder(description)
        self._writer = Writer(client, pool, self._records, self._documents, self._finder, description)
        self._reader: Reader | None = None
        self._outside: dict[Key, Record] = {}
        if unfit := complaints(settings.deleted, description) + bodies.complaints(settings, description.fields):
            raise ConfigurationError(*(f"{self._title}: {complaint}" for complaint in unfit))
        self._listing.check()

    def _open_listing(self, description: Description) -> Listing:
        parents = self._settings.parents
        if parents is None:
            return Listing(self._client, self._documents, description)
        name = self._settings.parent_field
        if description.creates and name not in [field.name for field in description.fields]:
            raise ConfigurationError(
                f"{self._title}: path: {name} must be one of the fields, since it says below which record a new one is "
                "created; without it, write writes without create"
            )
        return BelowParents(self._client, self._documents, description, parents)

    def _open_finder(self, description: Description) -> Finder | None:
        settings, find = self._settings, self._settings.find
        if find is not None:
            changes = partial(since_moment, settings)
            scanning = Scanning(self._listing, description, changes, self._get_found)
            return scanning if find == "scan" else Asking(self._listing, description, find, self._pool, scanning)
        if description.creates:
            first, *_ = names = [description.fields[i].name for i in description.match]
            raise ConfigurationError(
                f"{self._title}: find must say how records are found by {', '.join(names)} before one is created: by "
                f'query parameters such as find: {{{first}: "{{{first}}}"}}, or by find: scan, which reads all '
                "records once per run for it"
            )
        return None

    def close(self) -> None:
        """Delete temporary files."""
        if self._finder is not None:
            self._finder.close()

    def field_types(self) -> Sequence[Untyped]:
        return self._documents.field_types()

    def cursor_type(self) -> None:
        """The cursor's type; whether its times have a zone differs from value to value."""

    # Reading

    def watermark(self, last: Token | None = None, overlap: timedelta = timedelta(), /) -> Token | None:
        settings = self._settings
        if settings.since is None:
            return None
        if settings.newest is not None:
            records = self._listing.fetch(None, settings.newest, 1).records
            return token_of(records[0].cursor) if records else None
        moment = self._listing.fetch(None, {}, 1).answer.moment
        if moment is None:
            raise ConfigurationError(
                f"{self._title}: since: the API's answers have no Date; write newest: the query parameters by which "
                "the record that was changed last comes first"
            )
        return written(moment)

    def scan(self, after: Token | None, limit: int, window: Window | None) -> Page:
        """The order is the API's; the token is a Reading."""
        reading = self._unsealed(Reading.of(after))
        if after is None or self._reader is None or self._reader.reading != reading:
            self._reader = Reader(self._listing, since(self._title, self._settings, window), reading, prove=True)
        page = self._reader.read(limit)
        for record in page.records[:1]:
            must_be_time(self._title, self._settings, record)
        following = None if page.after is None else self._sealed(page.after).token
        outside = [record.key for record in page.outside]
        records = self._records.completed(page.records)
        return Page(records, following, page.doubt, page.unreadable, page.gone, outside)

    def _sealed(self, reading: Reading) -> Reading:
        """A token that is safe to store: a link to a page may contain the API key."""
        return replace(reading, at=_each_link(reading.at, self._client.secrets.sealed))

    def _unsealed(self, reading: Reading) -> Reading:
        return replace(reading, at=_each_link(reading.at, self._client.secrets.unsealed))

    def get(self, keys: Sequence[Key]) -> dict[Key, Record]:
        together: dict[Key, Record] = {}
        if self._settings.batch is not None:
            together = self._records.read_together(keys, self._settings.batch)
            keys = [key for key in keys if key not in together]
        seen = self._records.read_all(keys)
        self._writer.has_read(seen)
        left_out = {key for key, found in seen.items() if self._documents.is_outside(found.document)}
        self._outside = {key: seen[key].record for key in left_out}
        return together | {key: found.record for key, found in seen.items() if key not in left_out}

    def _get_found(self, keys: Sequence[Key]) -> dict[Key, Record]:
        """Records that the index found. An unreadable one raises: left out, it would be created a second time."""
        found = self.get(keys) | self._outside
        for key, reason in self.unread.items():
            raise SystemFailed(
                f"{self._title}: find: record {key} may be the one to be created, and cannot be read: {reason}"
            )
        return found

    @property
    def unread(self) -> Mapping[Key, str]:
        return self._records.unread

    def find(self, wanted: Sequence[tuple[Value, ...]]) -> Sequence[Record]:
        assert self._finder is not None  # noqa: S101 - it is needed only before a create
        found = self._finder.find(wanted)
        if not self._settings.where:
            return found
        return [*self.get([record.key for record in found]).values()]  # which reports what is outside the filter

    def doubt(self, wanted: Sequence[tuple[Value, ...]], /) -> None:
        assert self._finder is not None  # noqa: S101 - it is needed only for what is created
        self._finder.doubt(wanted)

    def try_requests(self, records: Sequence[Record], /) -> Sequence[str]:
        since = complaint_of_since(self._title, self._listing, self._settings, records)
        find = ""
        if self._creates and isinstance(self._finder, Asking):
            find = complaint_of_find(self._title, self._finder, records)
        return [complaint for complaint in (find, since) if complaint]

    @property
    def where(self) -> Any:
        return [condition.model_dump(mode="json") for condition in self._settings.where] or None

    @property
    def outside(self) -> Mapping[Key, Record]:
        return self._outside

    def create(self, records: Sequence[Sequence[Value]]) -> Sequence[Record | Rejected | Postponed]:
        return self._writer.create(records)

    def update(self, writes: Sequence[Write]) -> Sequence[Record | Changed | Rejected]:
        return self._writer.update(writes)

    def delete(self, expected: Sequence[Record]) -> Sequence[Changed | Rejected | None]:
        return self._writer.delete(expected)


def _each_link(at: Token | None, change: Callable[[str], str]) -> Token | None:
    """The token of a page with its link changed: below a parent, the link lies within the token."""
    if isinstance(at, dict):
        return {**at, "at": _each_link(at["at"], change)}
    return change(at) if isinstance(at, str) else at
