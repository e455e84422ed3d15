"""Rekeyed: stop before anything is pushed when many records have other match fields under the same ids.

A part of the fourth step of a run. One person may get another e-mail address; when many records do at once, the ids
are more likely those of another system or of another tenant, and to push would overwrite one person with another. It
is the sign that is left where a system tells nothing about itself, or where only the token is another.
"""

from tidegate.worker.config.rules import SIDES, other
from tidegate.worker.errors import Halted
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair

_BATCH = 20_000


def guard_against_other_records(session: Session) -> None:
    """Raise Halted when more records than `safety.maxRekeyed` allows have other match fields than when last seen."""
    found = [_reason(session, both, both.sources[side]) for both in session.pairs for side in SIDES]
    if reasons := [reason for reason in found if reason]:
        raise Halted("; ".join(reasons))


def _reason(session: Session, both: SourcePair, source: Source) -> str | None:
    cache, limit = session.cache, session.sync.safety.max_rekeyed
    rekeyed = _count(session, both, source)
    linked = cache.count(source.number) - cache.count_alone(source.number) if rekeyed > limit.min else 0
    if not limit.is_exceeded_by(rekeyed, linked):
        return None
    match = ", ".join(both.item.fields[i].title for i in both.item.match)
    return (
        f"{rekeyed} of {linked} {both.item.name} records of {source.name} have another {match} under the same id, more "
        f"than the {limit.percent} % that safety.maxRekeyed allows: they may be the records of another database or "
        f"tenant, and would overwrite those of {both.sources[other(source.side)].name}. If so, correct the address or "
        "the credentials; if they were edited, set safety.maxRekeyed to 100 percent for one run"
    )


def _count(session: Session, both: SourcePair, source: Source) -> int:
    """Those that wait are not counted: an earlier run that was within the limit has shown them."""
    cache, match = session.cache, {"", *(both.item.fields[i].title for i in both.item.match)}
    count, after = cache.reloads.count_lost_ids(source.number), 0
    while rows := cache.pending.changed_and_linked(source.number, after, _BATCH):
        if after:
            session.pace.wait()
        after = rows[-1].rid
        keys = source.match_keys_seen([row.shadow for row in rows])
        rekeyed = {row.rid for seen, row in zip(keys, rows, strict=True) if seen not in (None, row.match)}
        count += len(rekeyed - {rid for rid, field in cache.parked.fields(rekeyed) if field in match})
    return count
