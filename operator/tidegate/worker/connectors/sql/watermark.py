"""How far a table's changes have been read for good: what is remembered from run to run. Pure.

What was newest at a look counts only when every transaction that was open then has ended: until then it may still bring
rows with a cursor from before. So a look waits as `pending`, and `settled` is the one that the next run begins from.
"""

from collections.abc import Set
from typing import Any, NamedTuple

from tidegate.worker.connectors import Token
from tidegate.worker.connectors.sql.cursors import Seen


class Watermark(NamedTuple):
    """`until` is the newest value at the last look; `writers` are the transactions that `pending` waits for."""

    until: Token | None
    settled: Seen | None
    pending: Seen | None = None
    writers: frozenset[str] = frozenset()

    def to_token(self) -> Token:
        """As plain JSON."""
        return {**self._asdict(), "writers": sorted(self.writers)}

    @classmethod
    def of_token(cls, token: Any) -> "Watermark":
        """What a token says; nothing is settled by one that another version has made."""
        if not isinstance(token, dict) or token.keys() != {*cls._fields}:
            return cls(None, None)
        settled, pending = (token[name] and Seen(*token[name]) for name in ("settled", "pending"))
        return cls(token["until"], settled, pending, frozenset(token["writers"]))


def advance(last: Watermark, seen: Seen, writers: Set[str]) -> Watermark:
    """The watermark after another look, with the transactions that are open now."""
    if not writers:
        return Watermark(seen.newest, seen)
    if last.pending is not None and last.writers & writers:
        return last._replace(until=seen.newest, writers=last.writers & writers)
    settled = last.settled if last.pending is None else last.pending
    return Watermark(seen.newest, settled, seen, frozenset(writers))
