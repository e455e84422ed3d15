"""How commands for people show what records hold: as JSON, and unable to write to the terminal as it likes."""

import json
from typing import Any


def shown(value: Any) -> str:
    """A record's value."""
    return inert(json.dumps(value, ensure_ascii=False, default=str))


def inert(text: str) -> str:
    """A text that may quote what others have written."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
