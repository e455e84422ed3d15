"""What the cache knows of the records of a page: a part of the cache that each page of a scan asks."""

import json
import sqlite3
from collections.abc import Sequence
from operator import itemgetter, lt
from typing import TypeAlias

from tidegate.worker.connectors import Key
from tidegate.worker.values.normal_form import HASH_BYTES, Hash

# The id, the rid, and the digest of the shadow, if there is one.
Known: TypeAlias = tuple[Key, int, Hash | None]

_COLUMNS = f"record.id, rid, substr(shadow, 1, {HASH_BYTES})"
_BETWEEN = f"SELECT {_COLUMNS} FROM record WHERE source = ? AND id BETWEEN ? AND ? ORDER BY id LIMIT ?"  # noqa: S608
_LISTED = (
    f"SELECT {_COLUMNS} FROM json_each(?) AS sought "  # noqa: S608
    "CROSS JOIN record ON source = ? AND record.id = sought.value"
)
_ONE = f"SELECT {_COLUMNS} FROM record WHERE source = ? AND id = ?"  # noqa: S608


def known(db: sqlite3.Connection, source: int, keys: Sequence[Key]) -> dict[Key, Known]:
    """The known ones of a source's records with these ids, by id."""
    if _are_in_order(keys):
        # A page of a whole scan mostly holds what the cache holds from its first id to its last: one walk through the
        # index takes half as long as a search for each id.
        found = db.execute(_BETWEEN, (source, keys[0], keys[-1], len(keys) + 1)).fetchall()
        if not found or [*map(itemgetter(0), found)] == [*keys]:
            return _by_key(found)
    # SQLite ends a text of JSON at a zero character.
    single = {key for key in keys if isinstance(key, str) and "\0" in key}
    listed = [key for key in keys if key not in single] if single else keys
    found = db.execute(_LISTED, (json.dumps(listed), source)).fetchall()
    for key in single:
        found += db.execute(_ONE, (source, key)).fetchall()
    return _by_key(found)


def _are_in_order(keys: Sequence[Key]) -> bool:
    """Whether Python certainly puts these ids in the order in which SQLite does."""
    kinds = {*map(type, keys)}
    if kinds != {int} and not (kinds == {str} and "".join(map(str, keys)).isascii()):
        return False
    return all(map(lt, keys, keys[1:]))


def _by_key(found: Sequence[Known]) -> dict[Key, Known]:
    return dict(zip(map(itemgetter(0), found), found, strict=True))
