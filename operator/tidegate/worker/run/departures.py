"""Records that leave their side's filter: they are unlinked, and nothing is done to their counterparts.

It is no delete: the record is still there. What was known of it is forgotten, so that it is paired like a new one when
it meets the filter again.
"""

from collections.abc import Collection

from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source


def leave_filter(session: Session, source: Source, rids: Collection[int]) -> None:
    """Forget these records of a source, within a transaction: each is there, and outside the filter."""
    if rids:
        left = session.progress.left
        left[source.title] = left.get(source.title, 0) + len(rids)
        session.cache.forget(rids)
