"""Check: all that keeps a configuration from fitting both systems, and what the first records were taken for.

The same checks come before a run's first write. Of a record nothing is shown but its id and its cursor. Serves
`tidegate-worker check`, and a run that is asked for a check (SYNC_CHECK), as `kubectl sync check` asks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from tidegate.api.contract import ExitCode
from tidegate.worker.cache.store import Cache
from tidegate.worker.config.parse import parse
from tidegate.worker.config.rules import Sync
from tidegate.worker.connectors import Collection, Key, Page, Triable
from tidegate.worker.errors import ConfigurationError, Paused, RunEnded
from tidegate.worker.run.plan_run import bounded_reasons
from tidegate.worker.run.report import Report
from tidegate.worker.run.session import close_with, connect, open_pairs, types_of
from tidegate.worker.run.source import Source
from tidegate.worker.run.zones import complaint_of_zone
from tidegate.worker.values.normal_form import MISSING

_PAGE = 100
_MOST_PAGES = 20
_NAMED = 3


@dataclass(frozen=True, slots=True)
class SeenField:
    """One field: how many of the records have a value, have none, and leave the field out."""

    name: str
    type: str | None
    filled: int
    empty: int
    missing: int

    @property
    def is_left_out(self) -> bool:
        """True when there are records, and none has the field."""
        return self.missing > 0 and self.filled == self.empty == 0


@dataclass(frozen=True, slots=True)
class SeenSide:
    """What the first records of one object on one side were taken for."""

    object: str
    connector: str
    records: int
    more: bool
    ids: Sequence[Key]
    cursor: str | None
    fields: Sequence[SeenField]
    unreadable: Sequence[str]
    doubt: str
    remarks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check has found; the configuration fits where there are no complaints.

    `exit_code` is the one that a run of this configuration would end with, if nothing else kept it from succeeding.
    """

    read: Sequence[SeenSide]
    complaints: Sequence[str]
    exit_code: int


def check(text: bytes, environ: Mapping[str, str], interrupted: Callable[[], bool]) -> Checked:
    """Try the configuration on its systems, and write nothing. Raises Paused on SIGTERM."""
    seen: list[SeenSide] = []
    complaints: list[str] = []
    try:
        sync = parse(text)
        with _opened(sync, environ, interrupted) as sources:
            for source in sources:
                try:
                    page = _first_page(source.collection, sync.overlap)
                    seen.append(_seen(source, page))
                    complaints += _complaints(sync, source, page)
                except ConfigurationError as error:
                    complaints += error.complaints
    except Paused:
        raise
    except RunEnded as error:  # what was seen before is shown, too
        complaints += error.complaints if isinstance(error, ConfigurationError) else (str(error),)
        return Checked(seen, complaints, int(error.exit_code))
    return Checked(seen, complaints, int(ExitCode.CONFIGURATION_ERROR if complaints else ExitCode.COMPLETE))


def check_run(text: bytes, environ: Mapping[str, str], report: Report, interrupted: Callable[[], bool]) -> str:
    """Report a check where a plan reports what it has found. Returns what a person should know; raises Paused.

    A configuration that does not fit is what the check was asked for, and no failure of its run.
    """
    checked = check(text, environ, interrupted)
    for side in checked.read:
        report.line({"type": "checked", **asdict(side), "text": "\n".join(words(side))})
    for complaint in checked.complaints:
        report.line({"type": "complaint", "reason": complaint})
    reasons = bounded_reasons(checked.complaints)
    report.plan({"first": False, "sides": [], "wouldHalt": reasons})
    cut = len(reasons) < len(checked.complaints)
    return f"{len(checked.complaints)} complaints, and the log has each" if cut else ""


def words(side: SeenSide) -> Iterator[str]:
    """What was seen on one side, a line for the list and one for each field."""
    more = ", and more follow" if side.more else ", which is all"
    ids = f"; ids {', '.join(map(str, side.ids))}{', …' if side.records > len(side.ids) else ''}" if side.ids else ""
    cursor = f"; cursor up to {side.cursor}" if side.cursor else ""
    records = "1 record" if side.records == 1 else f"{side.records} records"
    yield f"{side.object} in {side.connector}: {records} read{more}{ids}{cursor}"
    for each in side.fields:
        counts = ((each.filled, "filled"), (each.empty, "empty"), (each.missing, "left out"))
        type_ = f" ({each.type})" if each.type else ""
        yield f"    {each.name}{type_}: {', '.join(f'{n} {what}' for n, what in counts if n) or 'no records'}"
    for place in side.unreadable:
        yield f"    cannot be read, and would be set aside: {place}"
    for remark in side.remarks:
        yield f"    {remark}"
    if side.doubt:
        yield f"    the list may leave out records: {side.doubt}"


@contextmanager
def _opened(sync: Sync, environ: Mapping[str, str], interrupted: Callable[[], bool]) -> Iterator[Sequence[Source]]:
    with ExitStack() as until_then:
        connectors = connect(sync, environ)
        close_with(until_then, connectors, interrupted)
        cache = Cache(Path(until_then.enter_context(TemporaryDirectory(prefix="tidegate-check-"))), "1")
        until_then.callback(cache.close)
        yield [source for pair in open_pairs(sync, connectors, cache) for source in pair.sources]


def _first_page(collection: Collection, overlap: timedelta) -> Page:
    """The first records as one page, of several where the system's own pages are short."""
    collection.watermark(None, overlap)  # as a run asks for it before it reads
    page = collection.scan(None, _PAGE, None)
    records = {record.key: record for record in page.records}
    pages = 1
    while page.after is not None and len(records) < _PAGE and pages < _MOST_PAGES:
        page = collection.scan(page.after, _PAGE, None)
        records |= {record.key: record for record in page.records}
        pages += 1
    return page._replace(records=[*records.values()])


def _complaints(sync: Sync, source: Source, page: Page) -> Iterator[str]:
    if complaint := complaint_of_zone(sync, source, page.records):
        yield complaint
    if isinstance(source.collection, Triable):
        yield from source.collection.try_requests(page.records)


def _seen(source: Source, page: Page) -> SeenSide:
    rules, side = source.item.fields, source.side
    types = types_of(source.collection) or (None,) * len(rules)
    columns = list(zip(*(record.values for record in page.records), strict=True)) or [()] * len(rules)
    cursors = [record.cursor for record in page.records if record.cursor is not None]
    fields = [
        SeenField(
            rule.names[side],
            type_.name if type_ else None,
            filled=sum(value is not None and value is not MISSING for value in values),
            empty=sum(value is None for value in values),
            missing=sum(value is MISSING for value in values),
        )
        for rule, type_, values in zip(rules, types, columns, strict=True)
    ]
    remarks = [f"none of these records has the field {field.name}" for field in fields if field.is_left_out]
    if source.cursor is not None and page.records and not cursors:
        remarks.append(f"none of these records has the cursor {source.cursor}")
    return SeenSide(
        object=source.item.name,
        connector=source.name,
        records=len(page.records),
        more=page.after is not None,
        ids=[record.key for record in page.records[:_NAMED]],
        cursor=str(cursors[-1]) if cursors else None,
        fields=fields,
        unreadable=[f"{each.place}: {each.reason}" for each in page.unreadable[:_NAMED]],
        doubt=page.doubt,
        remarks=remarks,
    )
