"""Logs: how the operator writes its own, as lines for people or as one JSON object a line for log collectors."""

import json
import logging
from datetime import UTC, datetime


def configure(level: int, line_format: str) -> None:
    """Write the records of `level` and above to stderr; `line_format` is "text" or "json".

    kopf is the informer only: below debug level, its records about handlers would say nothing of syncs.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if line_format == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("kopf").setLevel(level if level <= logging.DEBUG else max(level, logging.WARNING))


_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


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
