"""Find existing: before a record is created, whether it is there already. A step of `push`.

This is what makes a create safe to repeat, and keeps the sync from making duplicates of what was entered on both
sides. What is found is linked and merged by the next pass; where it is ambiguous what belongs together, it is parked.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.worker.cache.row import Row
from tidegate.worker.config.rules import SIDES, other
from tidegate.worker.connectors import Record
from tidegate.worker.connectors.where import outside
from tidegate.worker.run.push.work import Work, creates_on
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair
from tidegate.worker.values.normal_form import Hash


def look_up(session: Session, both: SourcePair, works: Sequence[Work], *, patient: bool) -> None:
    """Take back the creates whose record exists, or may exist; `patient` ones wait for what may be freed."""
    for on in SIDES:
        creates = creates_on(works, on)
        if creates:
            with session.cache.transaction():
                _LookUp(session, both, both.sources[other(on)], both.sources[on], patient).judge_all(creates)


@dataclass(frozen=True, slots=True)
class _LookUp:
    session: Session
    both: SourcePair
    source: Source
    target: Source
    patient: bool

    def judge_all(self, creates: Sequence[Work]) -> None:
        sought: list[tuple[Work, Hash]] = []
        keys = self.source.match_keys([work.hashes[self.source.side] for work in creates])
        for work, key in zip(creates, keys, strict=True):
            work.match = key
            if key is None:
                self._set_aside(work, f"it cannot be matched: it has no {self._match_titles}")
            else:
                sought.append((work, key))
        rows = [(work.row(self.source.side), key) for work, key in sought]
        self.session.cache.set_matches((row.rid, key) for row, key in rows if row.match != key)
        twins = self.session.cache.with_twins(row.rid for row, _ in rows)
        found, left_out = self._find(sought)
        for work, key in sought:
            if work.row(self.source.side).rid in twins:
                self._set_aside(work, f"other records of {self.source.name} have the same {self._match_titles}")
            elif key in found:
                self._judge(work, key, found[key])
            elif key in left_out:
                self._set_aside(
                    work,
                    f"{self.target.name} has a record with the same {self._match_titles} that its filter (where) "
                    "leaves out, and none is created beside it",
                )

    @property
    def _match_titles(self) -> str:
        item = self.both.item
        return ", ".join(item.fields[i].title for i in item.match)

    def _find(self, sought: Sequence[tuple[Work, Hash]]) -> tuple[dict[Hash, list[Record]], set[Hash | None]]:
        """The records with these keys, by them, and the keys of those that the target's filter leaves out."""
        match = self.both.item.match
        wanted = [tuple(work.record(self.source.side).values[i] for i in match) for work, _ in sought]
        found: dict[Hash, list[Record]] = defaultdict(list)
        records = self.target.collection.find(wanted)
        for record, key in zip(records, self.target.match_keys_of(records), strict=True):
            if key is not None:
                found[key].append(record)
        return found, set(self.target.match_keys_of([*outside(self.target.collection).values()]))

    def _judge(self, work: Work, key: Hash, found: Sequence[Record]) -> None:
        cache, fields = self.session.cache, self._match_titles
        rid = work.row(self.source.side).rid
        rows = [cache.row_of(self.target.number, record.key) for record in found]
        taken = [row for row in rows if row is not None and row.link not in (None, rid)]
        if self._may_be_freed(taken):
            work.decision, work.again = None, True
        elif len(found) > 1:
            self._set_aside(work, f"{len(found)} records of {self.target.name} have the same {fields}")
        elif taken and not cache.pending.gone([taken[0].link]):
            of_another = f"is linked to another of {self.source.name}"
            self._set_aside(work, f"the record of {self.target.name} with the same {fields} {of_another}")
        else:
            self._link(work, key, found[0], rows[0])

    def _may_be_freed(self, taken: Sequence[Row]) -> bool:
        """Whether what is about to be done to one of these may free it, or give it another match key.

        The next pass will tell. One that has lost its counterpart is freed while we are patient, or else it waits just
        as we do for it.
        """
        cache = self.session.cache
        waited = set() if self.patient else cache.pending.gone(row.link for row in taken)
        return cache.pending.any_of(rid for row in taken if row.link not in waited for rid in (row.rid, row.link))

    def _link(self, work: Work, key: Hash, found: Record, row: Row | None) -> None:
        cache = self.session.cache
        rid, lost = work.row(self.source.side).rid, work.rows[self.target.side]
        across = row.rid if row is not None else cache.add(self.target.number, [(found.key, key, None)])[0]
        cache.forget(each for each in (lost and lost.rid, row and row.link) if each not in (None, rid, across))
        cache.pending.add([rid])  # perhaps only the forgotten one was pending
        cache.pair([(rid, across)])
        work.decision, work.again = None, True

    def _set_aside(self, work: Work, reason: str) -> None:
        work.decision = None
        row = work.row(self.source.side)
        self.session.park(self.source, row.rid, row.key, None, reason)
        self.session.cache.pending.remove([row.rid])
