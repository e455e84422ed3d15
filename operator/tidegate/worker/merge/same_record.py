"""Whether the record under a known id is still the same one. Pure.

Some systems give the id of a deleted record to the next new one: SQLite and files the highest, older MySQL after a
restart. An edit leaves something of a record as it was; of another record nothing is the same.
"""

from collections.abc import Sequence

from tidegate.worker.config.rules import SyncedObject
from tidegate.worker.values.normal_form import UNKNOWN, Hash


def is_another(item: SyncedObject, seen: Sequence[Hash | None], now: Sequence[Hash], blank: Hash) -> bool:
    """Whether a record took the place of the one that was seen under its id.

    It did where every match field is another, and so is each other field that had a value. References do not count: who
    takes another job has another address and another employer. Without such a field nothing tells an edit from another
    record: it is an edit, unless the object says that ids are reused.
    """
    if item.ids == "stable" or not all(_both_filled(seen[i], now[i], blank) and seen[i] != now[i] for i in item.match):
        return False
    if item.ids == "reused":
        return True
    telling = [i for i, rule in enumerate(item.fields) if i not in item.match and rule.ref is None]
    others = [i for i in telling if seen[i] not in (None, blank) and now[i] != UNKNOWN]
    return bool(others) and all(seen[i] != now[i] for i in others)


def _both_filled(seen: Hash | None, now: Hash, blank: Hash) -> bool:
    return seen not in (None, blank) and now not in (UNKNOWN, blank)
