"""Resets of single objects: which ones a run is asked for, and which ones the cache has carried out.

An object's entry in the cache says which reset it was made by, so that each reset is carried out once, whatever ends
when. Where FutureOnly leaves alone what is there, the entry also says whether the object has been read since.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# Of an object's entry.
_RESET = "reset"


class ObjectReset(NamedTuple):
    """A reset of one object; `began` tells it from others of the object.

    Unless `push` is true, what both sides hold when the object is read next is taken as known, differences included.
    """

    object: str
    began: str
    push: bool


def are_due(objects: Mapping[str, Any], resets: Sequence[ObjectReset]) -> list[ObjectReset]:
    """Those that have not been carried out; `objects` are the entries of the cache."""
    return [reset for reset in resets if _of(objects.get(reset.object)).get("began") != reset.began]


def note(entry: Mapping[str, Any] | None, reset: ObjectReset | None) -> Mapping[str, Any]:
    """What an object's entry says of its newest reset, once that has been carried out."""
    known = _of(entry)
    if reset is not None and known.get("began") != reset.began:
        known = {"began": reset.began, "read": False}
    return {_RESET: known} if known else {}


def accepts(entry: Mapping[str, Any], reset: ObjectReset | None) -> bool:
    """Whether the next run that gets so far takes what both sides hold as known, although it pushes other objects."""
    return reset is not None and not reset.push and not _of(entry)["read"]


def read(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry once both sides have been read after its reset."""
    return {**entry, _RESET: {**entry[_RESET], "read": True}} if _RESET in entry else {**entry}


def _of(entry: Mapping[str, Any] | None) -> Mapping[str, Any]:
    known: Mapping[str, Any] = (entry or {}).get(_RESET) or {}
    return known
