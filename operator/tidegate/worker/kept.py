"""Whether a system kept what it was sent (law 1: written is what is kept). Pure; serves `acknowledge`.

A system may store another form of a value, such as capitals or fewer decimal places: that is kept. One that accepts a
write and holds the former value, or nothing, did not keep it: a trigger, a view, a read-only field.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation

from tidegate.worker.values import MISSING, Normalization, Value, normal, normalized

_ANY_FORM: tuple[Normalization, ...] = ("trim", "casefold")


def unkept(fields: Iterable[int], sent: Sequence[Value], before: Sequence[Value], stored: Sequence[Value]) -> list[int]:
    """Those of the fields that still hold what they held before, though they were sent another value."""
    return [
        i
        for i in fields
        if MISSING not in (before[i], stored[i])
        and normal(stored[i]) == normal(before[i])
        and not is_a_form_of(stored[i], sent[i])
    ]


def is_a_form_of(stored: Value, sent: Value) -> bool:
    """Whether a system that was sent one value may hold the other for it: it differs in form or precision only."""
    one, other = normal(stored), normal(sent)
    if one == other:
        return True
    if one is None or other is None:
        return False
    if normalized(one, _ANY_FORM) == normalized(other, _ANY_FORM):
        return True
    if isinstance(sent, (datetime, date, time)):
        # Cut to the second, or to the day.
        return other.startswith(one.removesuffix("Z")) or one.startswith(other.removesuffix("Z"))
    return _is_rounded(one, other)


def _is_rounded(stored: str, sent: str) -> bool:
    try:
        kept, whole = Decimal(stored), Decimal(sent)
        return kept.is_finite() and abs(whole - kept) < Decimal(1).scaleb(int(kept.as_tuple().exponent))
    except (InvalidOperation, TypeError):
        return False
