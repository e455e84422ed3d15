"""Pair: link records of both sides that are not yet linked and have the same match key.

The third step of a run, after `scan`. Only a key that one record on each side has is taken: with more of them nobody
can tell which belongs to which, and `push` parks them.
"""

from tidegate.worker.session import Session, SourcePair
from tidegate.worker.values import Hash

_BATCH = 20_000


def pair(session: Session) -> None:
    """Link what can be linked; it may be repeated."""
    for both in session.pairs:
        after: Hash | None = b""
        while after is not None:
            session.pace.wait()
            after = _pair_batch(session, both, after)


def _pair_batch(session: Session, both: SourcePair, after: Hash) -> Hash | None:
    cache = session.cache
    ours = cache.unpaired_keys(both.numbers[0], after, _BATCH)
    theirs = cache.unpaired_keys(both.numbers[1], after, _BATCH)
    # Both lists are in key order and may end at different keys: compare up to where both are complete.
    ends = [keys[-1][0] for keys in (ours, theirs) if len(keys) == _BATCH]
    end = min(ends) if ends else None
    across = {key: rid for key, rid, count in theirs if count == 1}
    links = [
        (rid, across[key]) for key, rid, count in ours if count == 1 and key in across and (end is None or key <= end)
    ]
    if links:
        with session.commit():
            cache.pair(links)
    return end
