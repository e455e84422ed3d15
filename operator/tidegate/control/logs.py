"""Logs: how the operator writes its own, as lines for people or as one JSON object a line for log collectors."""

import json
import logging
from datetime import UTC, datetime

from tidegate.control import outage

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LONGEST = 500


def configure(level: int, line_format: str) -> None:
    """Write the records of `level` and above to stderr; `line_format` is "text" or "json".

    kopf is the informer only: below debug level, its records about handlers would say nothing of syncs.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if line_format == "json" else logging.Formatter(_TEXT))
    if level > logging.DEBUG:
        handler.addFilter(Concise())
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("kopf").setLevel(level if level <= logging.DEBUG else max(level, logging.WARNING))


class Concise(logging.Filter):
    """Cuts records of libraries down to one line of at most 500 characters, with a traceback only for a defect.

    kopf logs every object whose events it leaves unhandled when it stops, in one line, and a chain of tracebacks for
    each error of the API server that ends it. asyncio then repeats that error for each task that met it too.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what asyncio repeats; the process ends with these words."""
        if record.name.startswith("tidegate."):
            return True
        message = record.getMessage()
        if record.exc_info and (explained := outage.explain(record.exc_info[1])):
            if record.name == "asyncio":
                return False
            message = f"{message.partition(chr(10))[0][:_LONGEST]}: {explained}"
            record.exc_info = record.exc_text = None
        message = " ".join(message.split())
        if len(message) > _LONGEST:
            message = f"{message[:_LONGEST]}… ({len(message):,} characters)"
        record.msg, record.args = message, ()
        return True


class JsonFormatter(logging.Formatter):
    """`time` (RFC 3339, UTC), `level`, `logger` and `message`; `exception` with the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)
