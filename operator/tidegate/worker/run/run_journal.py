"""The journal of one run: opened by its settings, and kept within their limits."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from tidegate.worker.config.rules import Journal as Settings
from tidegate.worker.config.rules import Sync
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.journal.changes import Change
from tidegate.worker.journal.store import FILE, Journal
from tidegate.worker.run.environment import Order
from tidegate.worker.run.report import Report


class RunJournal:
    """What one run writes, including its retries and resumptions."""

    def __init__(
        self, journal: Journal, order: Order, settings: Settings, report: Report, now: Callable[[], float]
    ) -> None:
        self.journal = journal
        self._run = order.run
        self._undoes = order.undo
        self._settings = settings
        self._report = report
        self._now = now
        self._begun = False

    def close(self) -> None:
        """Close the journal."""
        self.journal.close()

    @property
    def undo_deletes(self) -> set[tuple[str, str]]:
        """Where an undo may delete what the undone run has created: the object and the connector."""
        return set() if self._undoes is None else self.journal.created_in(self._undoes)

    def intend(self, changes: Sequence[Change]) -> Sequence[int]:
        """Store what is about to be written. Return the entries' numbers; none when the run is too large."""
        if not changes:
            return ()
        if not self._begun:
            self.journal.begin(self._run, self._now(), undoes=self._undoes)
            self._begun = True
        if not self.journal.is_whole(self._run):
            return ()
        numbers = self.journal.intend(self._run, changes)
        return numbers if self._fits() else ()

    def complete(self, done: Mapping[int, Change], nothing: Iterable[int]) -> None:
        """Store the results of these entries."""
        self.journal.complete(self._run, done, nothing)

    def _fits(self) -> bool:
        most, size = self._settings.most_bytes, self._settings.max_size
        for run in self.journal.drop_to_fit(most, [self._run, self._undoes]):
            self._report.warning(f"run {run} can no longer be undone: the journal has reached its maxSize of {size}")
        # An undo writes no more than it reverts, and must be recorded: it could not be repeated otherwise.
        if self._undoes is not None or not self.journal.is_full(most):
            return True
        self.journal.give_up(self._run)
        self._report.warning(
            f"run {self._run} cannot be undone: it writes more than fits in the journal; set spec.sync.journal.maxSize "
            f"to more than {size}"
        )
        return False


def open_journal(
    order: Order, sync: Sync, environ: Mapping[str, str], report: Report, now: Callable[[], float] = time.time
) -> RunJournal | None:
    """The journal of a run that writes. Without the setting there is none, and one of earlier runs is deleted.

    Raises RunEnded when it cannot be opened.
    """
    if sync.journal is None:
        if order.undo is not None:
            raise ConfigurationError(f"run {order.undo} cannot be undone: spec.sync.journal is not set")
        _delete(order.cache_dir)
        return None
    journal = Journal(order.cache_dir, secret_of(sync.journal, environ))
    try:
        journal.drop_before(now() - sync.journal.keep.total_seconds(), [order.run, order.undo])
        if order.undo is not None:
            journal.demand(order.undo)
    except BaseException:
        journal.close()
        raise
    return RunJournal(journal, order, sync.journal, report, now)


def secret_of(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """The secret that the journal is encrypted with. Raises ConfigurationError when its variable is not set."""
    if settings.key is None:
        return None
    if not (secret := environ.get(settings.key.env, "").strip()):
        raise ConfigurationError(f"journal: key: the environment variable {settings.key.env} is not set")
    return secret


def _delete(directory: Path) -> None:
    """Delete the journal in a directory, if there is one. Raises ConfigurationError while an undo still needs it."""
    if not (directory / FILE).exists():
        return
    with closing(Journal(directory)) as journal:
        if journal.is_unsettled():
            raise ConfigurationError(
                "an undo was interrupted, and only the journal records what it has written: keep spec.sync.journal "
                "as it was until a run has succeeded"
            )
    for name in (FILE, f"{FILE}-wal"):
        with suppress(FileNotFoundError):
            (directory / name).unlink()
