"""Trial: whether `find` finds records that were just read, and `since` lists them.

A run sends these requests only when it creates a record, or reads changes; a check asks for them beforehand.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from tidegate.worker.connectors import Key, Record
from tidegate.worker.connectors.http.changes import moment_of, since_moment
from tidegate.worker.connectors.http.listing import Filters, Listing, RefusedListError
from tidegate.worker.connectors.http.reader import pages
from tidegate.worker.connectors.http.search import Asking
from tidegate.worker.connectors.http.settings import ResourceSettings

# Several, because one may be edited or deleted meanwhile, or be missing from a search index yet.
_TRIED = 3
_MOST_PAGES = 5
_OVERLAP = timedelta(seconds=30)
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


def complaint_of_find(title: str, finder: Asking, records: Sequence[Record]) -> str:
    """Why `find` would not find records that exist; "" where it finds one of these, or can be asked for none."""
    missed: list[Key] = []
    for record in records:
        found = finder.ask(record)
        if isinstance(found, RefusedListError):
            return f"{found}; see find"
        if found is None:
            continue
        if record.key in found:
            return ""
        missed.append(record.key)
        if len(missed) == _TRIED:
            break
    if not missed:
        return ""
    return (
        f"{title}: find: the API has the record {missed[0]} and does not find it by {', '.join(finder.names)}; an "
        "existing record that is not found is created a second time"
    )


def complaint_of_since(title: str, listing: Listing, settings: ResourceSettings, records: Sequence[Record]) -> str:
    """Why `since` would overlook changes; "" where it lists one of the latest of these, or where nothing can tell."""
    moments = {record.key: moment for record in records if (moment := moment_of(settings, record.cursor))}
    latest = sorted((key for key in moments if moments[key] > _EARLIEST), key=lambda key: moments[key])[-_TRIED:]
    if not latest:
        return ""
    moment = moments[latest[0]] - _OVERLAP
    filters = since_moment(settings, moment)
    if filters is None:
        return ""
    try:
        lists_one = _lists_one(listing, filters, {*latest})
    except RefusedListError as refusal:
        return f"{refusal}; see since"
    if lists_one is not False:
        return ""
    newest = f"the record {latest[-1]} has the {settings.cursor} {moments[latest[-1]].isoformat()}"
    return (
        f"{title}: since: {newest}, and the API does not list it among the changes since {moment.isoformat()}; such "
        "changes are overlooked"
    )


def _lists_one(listing: Listing, filters: Filters, keys: set[Key]) -> bool | None:
    """Whether the list has one of these; None where its first pages do not have one, and more follow."""
    page = None
    for page in islice(pages(listing, filters), _MOST_PAGES):
        if not keys.isdisjoint([*(record.key for record in [*page.records, *page.outside]), *page.gone]):
            return True
    return None if page is not None and page.after is not None else False
