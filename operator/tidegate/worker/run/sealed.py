"""Sealed: what a plan's log says of records' values, in libsodium sealed boxes that only the one who asked can open."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nacl.public import PublicKey, SealedBox

from tidegate.api.contract import Environment
from tidegate.worker.errors import ConfigurationError

# Of lines in one box, before it is sealed; in base64 it is a third longer. Only a line that is longer has a longer box.
_BOX_BYTES = 48 * 1024
# A longer value is cut: a log is no place for documents.
_VALUE_CHARACTERS = 1000


class Seal:
    """Seals lines to one public key."""

    def __init__(self, key: str) -> None:
        """`key`: an X25519 public key in base64. Raises ConfigurationError when it is none."""
        try:
            given = base64.b64decode(key, validate=True)
        except ValueError:
            given = b""
        if len(given) != PublicKey.SIZE:
            raise ConfigurationError(
                f"{Environment.PLAN_KEY} must be the base64 of an X25519 public key, which has {PublicKey.SIZE} bytes: "
                "nothing was planned; use kubectl sync plan --values, which makes a key"
            )
        self._box = SealedBox(PublicKey(given))

    def boxes(self, details: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
        """The lines of the log in place of these details, of which each becomes a line of JSON in one of the boxes."""
        held = bytearray()
        for detail in details:
            line = json.dumps(_bounded(detail), ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"
            if held and len(held) + len(line) > _BOX_BYTES:
                yield self._sealed(held)
                held.clear()
            held += line
        if held:
            yield self._sealed(held)

    def _sealed(self, lines: bytearray) -> dict[str, str]:
        return {"type": "sealed", "data": base64.b64encode(self._box.encrypt(bytes(lines))).decode()}


def _bounded(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _VALUE_CHARACTERS:
        return f"{value[:_VALUE_CHARACTERS]}… ({len(value):,} characters)"
    if isinstance(value, Mapping):
        return {name: _bounded(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bounded(each) for each in value]
    return value
