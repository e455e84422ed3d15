"""Deep JSON: whatever the API server stores can be read, and fast: no tenant's object blinds the operator to others.

The API server takes JSON of 10,000 levels, and puts two more around it in a list or a watch. Python's decoder ends the
watch before that: with RecursionError, at a depth that depends on Python's version, and again after each restart.
"""

import json
import json.decoder
import json.scanner
import sys
from typing import Any

import orjson

# Python needs two frames for each level; they take no room on the machine's stack.
_FRAMES = 50_000


def accept() -> None:
    """From now on `json.loads` reads whatever the API server stores, in all libraries of this process."""
    sys.setrecursionlimit(_FRAMES)
    json._default_decoder = _DeepDecoder()  # type: ignore[attr-defined]


class _DeepDecoder(json.JSONDecoder):
    """orjson; the decoder in C for what that does not read, and the one in Python for what is too deep for both."""

    def __init__(self) -> None:
        super().__init__()
        self._patient = json.JSONDecoder()
        self._patient.scan_once = json.scanner.py_make_scanner(self._patient)  # type: ignore[attr-defined]

    def decode(self, s: str, *arguments: Any) -> Any:
        try:
            return orjson.loads(s)
        except orjson.JSONDecodeError:
            return super().decode(s, *arguments)

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        try:
            return super().raw_decode(s, idx)
        except RecursionError:
            return self._patient.raw_decode(s, idx)
