"""Whether the record under a known id is still the same one. Pure.

Some systems reuse the id of a deleted record for the next new one: SQLite and files the highest, older MySQL after a
restart. An edit leaves some fields of a record unchanged; in another record every field differs.
"""

from collections.abc import Sequence

from tidegate.worker.config.rules import SyncedObject
from tidegate.worker.values.normal_form import UNKNOWN, Hash


def is_another(item: SyncedObject, seen: Sequence[Hash | None], now: Sequence[Hash], blank: Hash) -> bool:
    """Whether the id was reused: another record has the id of the one that was last seen.

    It was if every match field differs, and so does each other field that had a value. References do not count: a
    person who changes jobs has another address and another employer. Without such other fields an edit cannot be told
    from another record, and counts as an edit unless the object says that ids are reused.
    """
    if item.ids == "stable" or not all(_both_filled(seen[i], now[i], blank) and seen[i] != now[i] for i in item.match):
        return False
    if item.ids == "reused":
        return True
    others = _telling(item, seen, now, blank)
    return bool(others) and all(seen[i] != now[i] for i in others)


def has_returned(item: SyncedObject, seen: Sequence[Hash | None], now: Sequence[Hash], blank: Hash) -> bool:
    """Whether the record under the id of one that was gone is that one.

    Its match key says so, or any other field that identifies a record as `is_another` has it. An id alone is evidence
    only where the object says that ids are stable.
    """
    if item.ids == "stable" or all(seen[i] == now[i] != blank for i in item.match):
        return True
    if item.ids == "reused":
        return False
    return any(seen[i] == now[i] for i in _telling(item, seen, now, blank))


def _telling(item: SyncedObject, seen: Sequence[Hash | None], now: Sequence[Hash], blank: Hash) -> list[int]:
    telling = [i for i, rule in enumerate(item.fields) if i not in item.match and rule.ref is None]
    return [i for i in telling if seen[i] not in (None, blank) and now[i] != UNKNOWN]


def _both_filled(seen: Hash | None, now: Hash, blank: Hash) -> bool:
    return seen not in (None, blank) and now not in (UNKNOWN, blank)
