"""What a run says of itself: the termination message at every checkpoint, progress lines for `kubectl logs`.

Informative only (design section 6.1): the operator decides by the exit code, so that a report that cannot be written
does not fail the run.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, TextIO

from tidegate.worker.errors import Halted
from tidegate.worker.run.progress import Progress

VERSION = 1

# Together with counts and names they stay below the contract's TERMINATION_MESSAGE_BYTES.
_REASON_BYTES = 1500
_REASON_OF_PLAN_BYTES = 700
_POSITION_BYTES = 300
_NAME_BYTES = 40
_ID_BYTES = 300

_LINE_SECONDS = 1.0
NAMED_LINES = 100
WAITING_LINES = 5000


class Report:
    """The termination message and the progress lines of one process."""

    def __init__(self, path: Path, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._out = out
        self._clock = clock
        self._spoke_at = clock() - _LINE_SECONDS
        self._records: int | None = None
        self._parked: set[tuple[str, str, object, str]] = set()
        self._warned: set[str] = set()
        self._undecided = 0
        self._left = 0
        self._writable = True
        self._plans = False
        self._last: dict[str, Any] = {"v": VERSION}

    def begin(self, run: int, scope: str, *, push: bool, plan: bool = False) -> None:
        """Which run this is, for a message written before there is any progress."""
        self._last |= {"run": run, "scope": scope, "push": push}
        self._plans = plan

    def checkpoint(
        self,
        progress: Progress,
        position: str,
        set_aside: int,
        waiting: int,
        withheld: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
    ) -> None:
        """The progress that has just been committed.

        `set_aside` counts the fields and records that this run set aside and that still wait; `waiting` counts all that
        wait, those of earlier runs included; `withheld` counts by connector and operation what was due and not allowed.
        """
        self._last = {
            "v": VERSION,
            "run": progress.run,
            "outcome": "running",
            "scope": progress.scope,
            "push": progress.push and not self._plans,
            "phase": progress.phase,
            "read": progress.read,
            "changed": progress.changed,
            "pushed": progress.pushed,
            **({"withheld": withheld} if withheld else {}),
            "conflicts": progress.conflicts,
            "setAside": set_aside,
            "waiting": waiting,
            "parked": waiting,  # the same under the name that logs of earlier versions have
            "checkpoint": shortened(position, _POSITION_BYTES),
            "seconds": round(progress.seconds, 3),
        }
        self._write(self._last)
        seconds = self._clock() - self._spoke_at
        if seconds >= _LINE_SECONDS:
            self._spoke_at += seconds
            self._say({"type": "progress", **self._last, "recordsPerSecond": self._rate(progress, seconds)})

    def _rate(self, progress: Progress, seconds: float) -> int:
        """Read and pushed since the last line; 0 in the first, which has nothing to compare with."""
        records = sum(progress.read.values()) + sum(sum(counts.values()) for counts in progress.pushed.values())
        before, self._records = self._records, records
        return 0 if before is None else round((records - before) / seconds)

    def line(self, said: Mapping[str, object]) -> None:
        """A line of the log, in a form that others specify."""
        self._say(said)

    def plan(self, plan: Mapping[str, object]) -> None:
        """What the run has planned, bounded by the caller; it is reported with the end, and without other counts."""
        kept = ("v", "run", "scope", "push", "read", "waiting", "seconds")
        self._last = {name: self._last[name] for name in kept if name in self._last} | {"plan": plan}

    def found(self, found: Sequence[Mapping[str, object]]) -> None:
        """What halts the run, as `bounded` has made it; it is told with the end."""
        self._last["found"] = found

    def end(self, outcome: str, reason: str) -> None:
        """The run's end, with what was last committed; a run that halted and has found nothing cannot be confirmed."""
        limit = _REASON_OF_PLAN_BYTES if "plan" in self._last else _REASON_BYTES
        message = {**self._last, "outcome": outcome, "reason": shortened(reason, limit)}
        if outcome == Halted.outcome:
            message.setdefault("found", [])
        self._write(message)
        self._say({"type": "end", **message})

    def warning(self, reason: str) -> None:
        """Something that does not keep the run from going on; said once."""
        if reason not in self._warned:
            self._warned.add(reason)
            self._say({"type": "warning", "reason": reason})

    def parked(self, title: str, connector: str, key: object, field: str, reason: str) -> None:
        """One record or field that has just been set aside, named once; after a hundred of them only counted."""
        # A plan lists what waits whole, in its own lines.
        if len(self._parked) < NAMED_LINES and not self._plans:
            self.waits(title, connector, key, field, reason)

    def waits(self, title: str, connector: str, key: object, field: str, reason: str) -> None:
        """One record or field that waits for a decision, named once. The caller names at most WAITING_LINES."""
        which = (title, connector, key, field)
        if which in self._parked:
            return
        self._parked.add(which)
        said = {"type": "parked", "object": title, "connector": connector, "id": key, "reason": reason}
        self._say({**said, "field": field} if field else said)

    def undecided(self, title: str, connector: str, key: object, field: str, reason: str) -> None:
        """A decision that is not carried out; after WAITING_LINES of them they are only counted."""
        self._undecided += 1
        if self._undecided <= WAITING_LINES:
            which = {"object": title, "connector": connector, "id": key, "field": field}
            said = {name: _brief(value) for name, value in which.items()}
            self._say({"type": "undecided", **said, "reason": reason})

    def left_alone(self, title: str, connector: str, key: object, field: str, reason: str) -> None:
        """One record or field that an undo has left as it is; after WAITING_LINES of them they are only counted."""
        self._left += 1
        if self._left > WAITING_LINES:
            self.warning(f"more was left as it is than the {WAITING_LINES} records and fields that this log names")
            return
        said = {"type": "left", "object": title, "connector": connector, "id": _brief(key), "reason": reason}
        self._say({**said, "field": field} if field else said)

    def suspicious(self, title: str, connector: str, key: object, field: str) -> None:
        """A record that halts a run: it is gone, or the field is blank. The caller names at most NAMED_LINES."""
        record = {"object": title, "connector": connector, "id": key}
        self._say({"type": "blank", **record, "field": field} if field else {"type": "gone", **record})

    def foreseen(self, title: str, connector: str, what: str, key: object, held_by: str) -> None:
        """A record that a halted run would write in a connector; where it is known by its counterpart, in `held_by`.

        A plan lists all that it would write in its own lines.
        """
        if self._plans:
            return
        said = {"type": "planned", "object": title, "connector": connector, "what": what, "id": key}
        self._say(said if held_by == connector else {**said, "of": held_by})

    def _write(self, message: Mapping[str, Any]) -> None:
        try:
            # The file is mounted: it cannot be replaced, and is written in place.
            self._path.write_bytes(_json(message))
        except OSError as error:
            if self._writable:
                self.warning(f"the termination message cannot be written: {error}")
            self._writable = False

    def _say(self, said: Mapping[str, Any]) -> None:
        with suppress(OSError):  # nobody listens
            print(_json(said).decode(), file=self._out, flush=True)


@contextmanager
def warnings_go_to(report: Report) -> Iterator[None]:
    """Connectors know no report: they use the standard library's logging."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            report.warning(record.getMessage())

    logger, handler = logging.getLogger("tidegate.worker"), Handler(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def bounded(found: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """What halts a run, with names that have a place in its message."""
    return [
        {name: shortened(value, _NAME_BYTES) if isinstance(value, str) else value for name, value in each.items()}
        for each in found
    ]


def _brief(value: object) -> object:
    return shortened(value, _ID_BYTES) if isinstance(value, str) else value


def fitting(entries: Sequence[Any], limit: int) -> list[Any]:
    """As many of the entries as fit into so many bytes of a JSON list."""
    taken, fit = 0, []
    for entry in entries:
        taken += len(_json(entry)) + len(", ")
        if taken > limit:
            break
        fit.append(entry)
    return fit


def _json(said: object) -> bytes:
    # What is not valid Unicode, such as half of a surrogate pair in a record, becomes a question mark.
    return json.dumps(said, ensure_ascii=False, default=str).encode("utf-8", "replace")


def shortened(text: str, limit: int) -> str:
    """As much of a text as fits into so many bytes of JSON, where a control character takes six."""
    if 6 * len(text) <= limit:
        return text
    taken = 0
    for i, character in enumerate(text):
        taken += len(_json(character)) - len('""')
        if taken > limit:
            return f"{text[:i]}…"
    return text
