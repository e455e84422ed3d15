"""Which side was changed last, by its cursor, for the conflict policy `newest`. Serves `push`."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal

from tidegate.worker.connectors import Record
from tidegate.worker.rules import Side
from tidegate.worker.values import Value


def newer_side(records: Sequence[Record | None]) -> Side | None:
    """The side with the later cursor; None when it cannot be told, and the conflict is parked."""
    first, second = (_comparable(record.cursor) if record is not None else None for record in records)
    if first is None or second is None or first[0] != second[0] or first == second:
        return None
    return 0 if first > second else 1


def _comparable(cursor: Value) -> tuple[str, datetime | Decimal] | None:
    """A cursor as a time (without a zone: UTC) or as a number; one is never compared with the other."""
    if isinstance(cursor, str):
        try:
            cursor = datetime.fromisoformat(cursor)
        except ValueError:
            return None
    if isinstance(cursor, datetime):
        return "time", cursor if cursor.tzinfo else cursor.replace(tzinfo=UTC)
    if isinstance(cursor, date):
        return "time", datetime.combine(cursor, time(), UTC)
    if isinstance(cursor, (int, float, Decimal)) and not isinstance(cursor, bool):
        return "number", Decimal(cursor)
    return None
