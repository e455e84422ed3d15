"""Whether a system kept what it was sent (law 1: what is written is compared with what was kept). Pure.

A system may store a value in another form, such as in capitals or with fewer decimal places: it kept the value. A
system that accepts a write and holds the former value, or none, did not keep it: a trigger, a view, a read-only field.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation

from tidegate.worker.values.normal_form import MISSING, Normalization, Value, normal, normalized

# Single-precision columns are read back with six digits.
_FLOAT_ERROR = Decimal("1e-5")

_ANY_FORM: tuple[Normalization, ...] = ("trim", "casefold")

# What a boolean column stores for the words of a file.
_TRUTHS = frozenset((("1", "true"), ("0", "false")))


def unkept(fields: Iterable[int], sent: Sequence[Value], before: Sequence[Value], stored: Sequence[Value]) -> list[int]:
    """The fields that still hold their former values, although they were sent others."""
    return [
        i
        for i in fields
        if MISSING not in (before[i], stored[i])
        and normal(stored[i]) == normal(before[i])
        and not is_a_form_of(stored[i], sent[i])
    ]


def is_a_form_of(stored: Value, sent: Value) -> bool:
    """Whether `stored` is another form of `sent`: it differs in form or precision only."""
    one, other = normal(stored), normal(sent)
    if one == other:
        return True
    if one is None or other is None:
        return False
    if normalized(one, _ANY_FORM) == normalized(other, _ANY_FORM):
        return True
    if (one, other.lower()) in _TRUTHS:
        return True
    if isinstance(sent, (datetime, date, time)):
        # Truncated to the second, or to the day.
        return other.startswith(one.removesuffix("Z")) or one.startswith(other.removesuffix("Z"))
    return _is_rounded(stored, other)


def _is_rounded(stored: Value, sent: str) -> bool:
    """Whether the number may be rounded: it shows the decimal places that it was cut to, or is a float.

    A whole number shows none: where 5 stays 5 although 5.9 was sent, the change was dropped.
    """
    try:
        kept, whole = Decimal(str(stored)), Decimal(sent)
        if not kept.is_finite():
            return False
        if isinstance(stored, float):
            return abs(whole - kept) <= abs(kept) * _FLOAT_ERROR
        places = int(kept.as_tuple().exponent)
        shown = isinstance(stored, Decimal) or places < 0
        return shown and abs(whole - kept) < Decimal(1).scaleb(places)
    except InvalidOperation:
        return False
