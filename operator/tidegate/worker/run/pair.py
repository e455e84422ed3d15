"""Pair: link records of both sides that are not yet linked and have the same match key.

The third step of a run, after `scan`. Only a key that one record on each side has is taken: with more of them nobody
can tell which belongs to which, and `push` parks them. A record that an earlier run saw deleted and that has come back
is linked with all that was known of it (`reloads`); any other pair is merged as never seen.
"""

from tidegate.worker.run.session import Session
from tidegate.worker.run.source import SourcePair

_BATCH = 20_000


def pair(session: Session) -> None:
    """Link what can be linked; it may be repeated."""
    with session.cache.transaction():
        session.cache.index_matches()
        for both in session.pairs:
            for number in both.numbers:
                session.cache.reloads.rejoin(number)
    for both in session.pairs:
        _pair_object(session, both)


def _pair_object(session: Session, both: SourcePair) -> None:
    cache = session.cache
    fewer, more = sorted(both.numbers, key=cache.count_alone)
    after = 0
    while True:
        session.pace.wait()
        alone = cache.alone(fewer, after, _BATCH)
        if not alone:
            return
        first, after = alone
        if pairs := cache.counterparts(fewer, more, first, after):
            with session.commit():
                cache.pair(pairs)
