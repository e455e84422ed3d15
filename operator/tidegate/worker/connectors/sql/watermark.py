"""The watermark of a table: up to where its changes are read completely. Pure.

The newest value of a look counts only when every transaction that was open then has ended: until then a transaction may
still add rows with an earlier cursor. So a look waits as `pending`; `settled` is the one that the next run starts from.
"""

from collections.abc import Set
from typing import Any, NamedTuple

from tidegate.worker.connectors import Token
from tidegate.worker.connectors.sql.cursors import Seen


class Watermark(NamedTuple):
    """`until` is the newest value of the last look; `writers` are the transactions that `pending` waits for."""

    until: Token | None
    settled: Seen | None
    pending: Seen | None = None
    writers: frozenset[str] = frozenset()

    def to_token(self) -> Token:
        """The watermark as plain JSON."""
        return {**self._asdict(), "writers": sorted(self.writers)}

    @classmethod
    def of_token(cls, token: Any) -> "Watermark":
        """The watermark of a token; a token of another version has nothing settled."""
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
