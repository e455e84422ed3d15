"""A record as the cache remembers it."""

from typing import NamedTuple

from tidegate.worker.cache.shadow import Shadow
from tidegate.worker.connectors import Key
from tidegate.worker.values.normal_form import Hash


class Row(NamedTuple):
    """A remembered record: `source` is the number of an object's side, `link` the `rid` of its counterpart."""

    rid: int
    source: int
    key: Key
    link: int | None
    match: Hash | None
    shadow: Shadow | None
