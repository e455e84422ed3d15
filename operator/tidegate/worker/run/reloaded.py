"""Reloaded: records that are gone and came back under another id keep their links. A part of `scan`, and of `push`.

Where two records that are gone have the match key of one that came, nobody can tell which of them it is until the push
has dealt with one: its counterpart was edited, say, and so it was created again.
"""

from tidegate.worker.run.references import soil_referring
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source


def recognise_reloaded(session: Session, source: Source) -> bool:
    """Of the records that are gone some may only have another id now. Returns whether there are any."""
    cache = session.cache
    if not cache.pending.count_gone(source.number):
        return False
    cache.index_matches()
    former = cache.reloads.recognise(source.number, accepting=session.accepts(source))
    if session.progress.push:
        soil_referring(session, source.item.name, source.side, former)
    return bool(former)
