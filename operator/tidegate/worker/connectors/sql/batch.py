"""Writes a batch of records in one transaction, or one by one where the database refuses one of them, to find it.

Law 3 (design section 6.2): one record that cannot be handled stops nothing; the same error on many is the system's.
"""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, StatementError

from tidegate.worker.connectors import Blocked, Postponed, Rejected
from tidegate.worker.connectors.sql.errors import (
    NotKeptError,
    is_blocked,
    is_collision,
    is_doubtful,
    is_refusal,
    words,
)
from tidegate.worker.errors import Paused

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")

# How often to repeat a batch that the database rolled back in favour of another transaction.
_COLLISIONS = 3

# When this many records of a batch have an error that may also be the system's, it is the system's. Fewer are retried
# later.
_SYSTEMS = 10

# The batch has already waited for locks: its records need not each wait as long again.
_LOCK_WAIT_SECONDS = 3

# What a driver raises for a value that it cannot write.
_DRIVERS = (StatementError, ValueError, TypeError, OverflowError)

_PAUSED = "paused by SIGTERM while records were written one by one; those that were written are committed"


class _Outcome(Enum):
    """What caused the error of a write of one record."""

    RECORD = auto()
    DOUBTFUL = auto()  # the record, unless many records have it
    SYSTEM = auto()


def _outcome_for_one(error: Exception) -> _Outcome:
    """What caused the error, as far as the error shows."""
    if isinstance(error, NotKeptError):
        return _Outcome.RECORD
    if isinstance(error, DBAPIError):
        if is_refusal(error):
            return _Outcome.RECORD
        return _Outcome.DOUBTFUL if is_doubtful(error) and not is_collision(error) else _Outcome.SYSTEM
    return _Outcome.DOUBTFUL if isinstance(error, _DRIVERS) else _Outcome.SYSTEM


def write_batch(
    engine: Engine,
    items: Sequence[_Item],
    write: Callable[[Connection, Sequence[_Item]], list[_Answer]],
    interrupted: Callable[[], bool],
) -> "list[_Answer | Rejected | Postponed]":
    """Write the items, and return an answer for each: Postponed for those that an interrupted run has not come to.

    Raises errors of the system; then no item is committed.
    """
    for _ in range(_COLLISIONS):
        try:
            return _write_once(engine, items, write, interrupted)
        except DBAPIError as error:
            if not is_collision(error):
                raise
    return _write_once(engine, items, write, interrupted)


def _write_once(
    engine: Engine,
    items: Sequence[_Item],
    write: Callable[[Connection, Sequence[_Item]], list[_Answer]],
    interrupted: Callable[[], bool],
) -> "list[_Answer | Rejected | Postponed]":
    try:
        with engine.begin() as connection:
            return [*write(connection, items)]
    except Exception as error:
        if _outcome_for_one(error) is _Outcome.SYSTEM:
            raise
    with engine.begin() as connection:
        return _write_each(connection, items, write, interrupted)


def _write_each(
    connection: Connection,
    items: Sequence[_Item],
    write: Callable[[Connection, Sequence[_Item]], list[_Answer]],
    interrupted: Callable[[], bool],
) -> "list[_Answer | Rejected | Postponed]":
    """Raises errors of the system; then no item may be committed."""
    _wait_less_for_locks(connection)
    answers: list[_Answer | Rejected | Postponed] = []
    doubtful = 0
    for n, item in enumerate(items):
        if interrupted():
            return answers + [Postponed(Paused(_PAUSED))] * (len(items) - n)
        try:
            with connection.begin_nested():
                answers += write(connection, [item])
        except Exception as error:
            outcome = _outcome_for_one(error)
            doubtful += outcome is _Outcome.DOUBTFUL
            if outcome is _Outcome.SYSTEM or doubtful >= _SYSTEMS:
                raise
            answers.append(_refused(error))
    return answers


def _refused(error: Exception) -> Rejected:
    if isinstance(error, DBAPIError):
        return (Blocked if is_blocked(error) else Rejected)(words(error))
    if isinstance(error, NotKeptError):
        return Rejected(str(error))
    return Rejected(f"the database's driver cannot write one of its values ({type(error).__name__})")


def _wait_less_for_locks(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout TO '{_LOCK_WAIT_SECONDS}s'"))
