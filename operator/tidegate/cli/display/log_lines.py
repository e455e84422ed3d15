"""Log lines: what the built-in worker prints, a JSON object a line → words for people. Pure.

A custom worker may print anything: what is not understood is passed on as it is.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

NOTHING = "-"


def readable(line: str) -> str:
    """One line of a log that was read with timestamps, with the local time of day in front."""
    stamp, _, text = line.partition(" ")
    try:
        clock = datetime.fromisoformat(stamp).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return line
    return f"{clock}  {words(text)}"


def words(text: str) -> str:
    """One line of a worker, without its timestamp."""
    message = message_of(text)
    match message.get("type") if message else None:
        case "progress":
            return _progress(message or {})
        case "end":
            return _end(message or {})
        case "parked":
            return _parked(message or {})
        case "undecided":
            return f"decision not carried out: {_field(message or {})}: {(message or {}).get('reason')}"
        case "gone":
            return f"gone: {_record(message or {})}"
        case "blank":
            return f"blank: {_field(message or {})}"
        case "planned":
            return f"planned: {detail(message or {})}"
        case "waiting" | "written" | "left":
            return detail(message or {})
        case "sealed":
            return "sealed: details for the one who requested this plan"
        case "checked":
            return str((message or {}).get("text", ""))
        case "complaint":
            return f"✗ {(message or {}).get('reason', '')}"
        case "plan":
            return _plan(message or {})
        case "warning":
            return f"warning: {(message or {}).get('reason', '')}"
        case _:
            return text


def message_of(text: str) -> dict[str, Any] | None:
    """The JSON object of a line, if it is one."""
    if not text.startswith("{"):
        return None
    try:
        message = json.loads(text)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def counts_of(text: str) -> str | None:
    """The counts of a progress line, if it is one."""
    message = message_of(text)
    return _counts(message) or None if message else None


def named(lines: Iterable[str]) -> list[str]:
    """The records that halted a run, as its log names them: missing, with a blank field, or about to be written."""
    words_of = {"gone": _field, "blank": _field, "planned": _planned}
    messages = filter(None, map(message_of, lines))
    return [words_of[message["type"]](message) for message in messages if message.get("type") in words_of]


def counted(counts: Mapping[str, int]) -> str:
    """Records per system."""
    return ", ".join(f"{side} {count:,}" for side, count in counts.items()) or NOTHING


def unresolved(count: int) -> str:
    """How many records, or fields of records, wait for a decision."""
    return f"{count:,} record{' waits' if count == 1 else 's wait'} for a decision"


def detail(message: Mapping[str, Any]) -> str:
    """A record that a planned run would write, set aside or leave alone, or that the run to be undone has written.

    With values where the message has them.
    """
    match message.get("type"):
        case "waiting":
            return _waiting(message)
        case "left":
            return f"left as it is: {_field(message)}: {message.get('reason')}"
        case "written":
            doubt = " (unknown whether it was carried out)" if message.get("done") == "unknown" else ""
            return f"{_planned(message, ending='d')}{doubt}"
        case _:
            return _planned(message)


def _planned(message: Mapping[str, Any], ending: str = "") -> str:
    what, fields, held_by = message.get("what"), message.get("fields"), message.get("of")
    record = f"{message.get('object')} {message.get('id')}" + (f" of {held_by}" if held_by else "")
    if isinstance(fields, Mapping):
        fields = [f"{name} {_written(what, held)}" for name, held in fields.items()]
    of = ", ".join(map(str, fields)) if isinstance(fields, list) else ""
    return f"{what}{ending} {record} in {message.get('connector')}{_match(message)}" + (f": {of}" if of else "")


def _waiting(message: Mapping[str, Any]) -> str:
    held = message.get("held")
    values = ", ".join(f"{side} {_value(value)}" for side, value in held.items()) if isinstance(held, Mapping) else ""
    return f"set aside {_field(message)}{_match(message)}: {message.get('reason')}" + (f" ({values})" if values else "")


def _plan(message: Mapping[str, Any]) -> str:
    lines = message.get("lines")
    if not isinstance(lines, int):
        return "planned"
    return f"planned: {'1 record is' if lines == 1 else f'{lines:,} records are'} listed above"


def _match(message: Mapping[str, Any]) -> str:
    match = message.get("match")
    if not isinstance(match, Mapping) or not match:
        return ""
    return f" ({', '.join(f'{name} {_value(value)}' for name, value in match.items())})"


def _written(what: object, held: object) -> str:
    before, after = held if isinstance(held, list) and len(held) == 2 else (None, held)
    if what == "update":
        return f"{_value(before)} → {_value(after)}"
    return _value(before if what == "delete" else after)


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _progress(message: Mapping[str, Any]) -> str:
    rate = message.get("recordsPerSecond")
    parts = (
        message.get("checkpoint") or message.get("phase"),
        _counts(message),
        f"{rate:,}/s" if isinstance(rate, int) else "",
    )
    return "  ".join(str(part) for part in parts if part)


def _end(message: Mapping[str, Any]) -> str:
    waiting = message.get("waiting", message.get("parked"))
    left = unresolved(waiting) if isinstance(waiting, int) and waiting else ""
    parts = (_counts(message), left, message.get("reason"))
    return f"{message.get('outcome', 'ended')}: " + "; ".join(str(part) for part in parts if part)


def _parked(message: Mapping[str, Any]) -> str:
    return f"set aside: {_field(message)}: {message.get('reason')}"


def _field(message: Mapping[str, Any]) -> str:
    return _record(message) + (f", field {message['field']}" if message.get("field") else "")


def _record(message: Mapping[str, Any]) -> str:
    return f"{message.get('object')} {message.get('id')} of {message.get('connector')}"


def _counts(message: Mapping[str, Any]) -> str:
    try:
        read = {str(side): int(count) for side, count in message["read"].items()}
        pushed = {str(side): sum(map(int, counts.values())) for side, counts in message["pushed"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f"read {counted(read)}; pushed {counted(pushed)}"
