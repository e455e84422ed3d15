"""A worker around dlt, by Tidegate's contract (docs/bring-your-own-worker.md): a database's tables to another, one way.

A full sync reads whole tables and replaces them, a run of changes reads on from each table's cursor and merges. The
cache holds dlt's working directory as the last complete run left it, the baseline, and that of the run in progress.
Until all is read and found harmless, a run that is interrupted starts over; after that dlt goes on with what it has not
loaded, and to load something twice is harmless: it is merged by primary key, or replaced.
"""

import json
import os
import re
import shutil
import signal
import sys
import time
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import dlt
    from dlt.extract import DltResource

COMPLETE, FAILED, CONFIGURATION_ERROR, HALTED, CACHE_UNUSABLE, PAUSED = 0, 1, 2, 3, 4, 75

SETTINGS = {
    # In one transaction, so that no reader of the table finds it empty meanwhile.
    "DESTINATION__REPLACE_STRATEGY": "insert-from-staging",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__INTERCEPT_SIGNALS": "false",  # SIGTERM is ours
}


class RunEndedError(Exception):
    """The run is over before its end."""

    def __init__(self, code: int, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.outcome = code, outcome


def refuse(reason: str) -> NoReturn:
    """A person must change what is declared."""
    raise RunEndedError(CONFIGURATION_ERROR, "configuration error", reason)


class Message:
    """The termination message: counts for recent activity, rewritten after every step."""

    def __init__(self, path: Path, run: int) -> None:
        self._path = path
        self._began = time.monotonic()
        self.said: dict[str, Any] = {"run": run, "read": {}, "pushed": {}}

    def write(self, outcome: str, reason: str = "") -> None:
        """As things stand; also a line of the log."""
        seconds = round(time.monotonic() - self._began, 3)
        text = json.dumps({**self.said, "outcome": outcome, "reason": reason[:500], "seconds": seconds})
        self._path.write_text(text)  # in place: Kubernetes has mounted the file
        print(text, flush=True)


class Order:
    """What the operator has asked for. Raises RunEndedError if that is not what this worker can do."""

    def __init__(self, environ: "os._Environ[str]") -> None:
        if environ["SYNC_PROTOCOL"] != "1":
            refuse(f"this worker keeps protocol 1 of Tidegate, and is asked for {environ['SYNC_PROTOCOL']}")
        try:
            config = json.loads(Path(environ["SYNC_CONFIG"]).read_text())
            self.destination = str(config["destination"])
            self.dataset = str(config["dataset"])
            self.cursors = {str(table["name"]): str(table["cursor"]) for table in config["tables"]}
            self.max_deletes = int(config.get("maxDeletes", 20))
        except (OSError, ValueError, KeyError, TypeError) as error:
            refuse(f"spec.config must hold destination, dataset, and tables with name and cursor: {error!r}")
        self.source = environ.get("SOURCE_URL", "")
        if not self.source:
            refuse("the environment variable SOURCE_URL must hold the URL of the database that is read")
        self.run = int(environ["SYNC_RUN"])
        self.full = environ["SYNC_SCOPE"] == "full"
        self.push = environ["SYNC_PUSH"] == "true"
        self.allow_deletes = environ.get("SYNC_ALLOW_DELETES", "")
        self.cache = Path(environ["SYNC_CACHE_DIR"])


def work(order: Order, message: Message) -> None:
    """The run; returns when it is complete."""
    pointer = order.cache / "baseline"
    baseline = order.cache / pointer.read_text() if pointer.exists() else None
    directory = order.cache / f"run-{order.run}"
    if directory == baseline:
        return  # it was complete, and ended before it could say so
    if baseline is not None and not baseline.is_dir():
        raise RunEndedError(CACHE_UNUSABLE, "cache unusable", f"{baseline} is gone: reset")
    all_read = directory / "all-read"
    for old in order.cache.glob("run-*"):
        if old != baseline and not (old == directory and all_read.exists()):
            shutil.rmtree(old)

    import dlt  # a second's work, so not before it is needed

    full = order.full or baseline is None
    if not directory.exists():
        if full:
            directory.mkdir()  # without dlt's state, everything is read
        else:
            assert baseline is not None  # noqa: S101
            shutil.copytree(baseline, directory, ignore=shutil.ignore_patterns("all-read"))
            for loaded in directory.glob("*/load/loaded/*"):  # dlt keeps what it has loaded
                shutil.rmtree(loaded)
    # Step by step: `pipeline.run` would take up the state that dlt keeps in the destination, which outlives a reset.
    pipeline = dlt.pipeline(
        "tidegate", pipelines_dir=str(directory), destination=order.destination, dataset_name=order.dataset
    )
    if not all_read.exists():
        counts = read(order, pipeline, full)
        message.said["read"] = {"source": sum(counts.values())}
        message.write("running")
        if not order.push:
            # Its place in the source is remembered, its rows are not wanted.
            shutil.rmtree(Path(pipeline.working_dir) / "normalize")
        elif full:
            guard(order, pipeline, counts)
        store(all_read, json.dumps(message.said["read"]))
    if order.push:
        message.said["read"] = json.loads(all_read.read_text())
        pipeline.normalize()
        pipeline.load(raise_on_failed_jobs=True)
        message.said["pushed"] = {"destination": message.said["read"]["source"]}
    store(pointer, directory.name)


def read(order: Order, pipeline: "dlt.Pipeline", full: bool) -> dict[str, int]:
    """Have dlt read the source, into files; returns how many rows of each table."""
    resources = [resource(order.source, table, cursor) for table, cursor in order.cursors.items()]
    info = pipeline.extract(resources, write_disposition="replace" if full else "merge")
    counts = dict.fromkeys(order.cursors, 0)
    for step in chain.from_iterable(info.metrics.values()):
        for name, metrics in step["resource_metrics"].items():
            if name in counts:  # and not dlt's own
                counts[name] += metrics.items_count
    return counts


def resource(url: str, table: str, cursor: str) -> "DltResource":
    """A table of the source, read by its cursor."""
    import dlt
    from dlt.sources.sql_database import sql_table
    from sqlalchemy.exc import NoSuchTableError

    try:
        made = sql_table(url, table, incremental=dlt.sources.incremental(cursor, on_cursor_value_missing="include"))
        schema = made.compute_table_schema()
    except NoSuchTableError:
        refuse(f"the source has no table {table}")
    columns = schema["columns"]
    if cursor not in columns:
        refuse(f"{table} has no column {cursor}")
    if not any(column.get("primary_key") for column in columns.values()):
        refuse(f"{table} has no primary key, by which changed rows could be merged")
    return made


def guard(order: Order, pipeline: "dlt.Pipeline", counts: dict[str, int]) -> None:
    """Raise RunEndedError if a table would lose many of its rows, unless that was confirmed for the halted run."""
    from dlt.destinations.exceptions import DatabaseUndefinedRelation

    halted = order.cache / "halted"
    confirmed = bool(order.allow_deletes) and halted.exists() and halted.read_text() == order.allow_deletes
    for table, new in counts.items():
        name = pipeline.default_schema.naming.normalize_table_identifier(table)
        with pipeline.sql_client() as client:
            try:
                statement = f"SELECT COUNT(*) FROM {client.make_qualified_table_name(name)}"  # noqa: S608 - quoted
                with client.execute_query(statement) as cursor:
                    (old,) = cursor.fetchone() or (0,)
            except DatabaseUndefinedRelation:
                continue
        reason = f"{table} has {old} rows in the destination and {new} in the source"
        if old and not new:
            reason += ", and dlt leaves a table as it is when there are no rows to replace it: empty it yourself"
            raise RunEndedError(HALTED, "halted", reason)
        if (old - new) * 100 > order.max_deletes * old and not confirmed:
            store(halted, str(order.run))
            raise RunEndedError(HALTED, "halted", f"{reason}: more than {order.max_deletes} % would be deleted")


def store(path: Path, text: str) -> None:
    """Write a file at one stroke, after all that it speaks of."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.sync()
    new.replace(path)


def paused(_signal: int, _frame: object) -> NoReturn:
    """SIGTERM: a run can be cut anywhere, so it ends where it is."""
    try:
        message.write("paused")
    finally:
        os._exit(PAUSED)  # dlt's threads are not waited for


def innermost(error: BaseException) -> BaseException:
    """What dlt has wrapped."""
    while (inner := getattr(error, "exception", None) or error.__cause__) is not None:
        error = inner
    return error


def main() -> int:
    """One run; returns its exit code."""
    message.write("running")
    try:
        work(Order(os.environ), message)
    except RunEndedError as end:
        message.write(end.outcome, str(end))
        return end.code
    except Exception as wrapped:
        from dlt.common.configuration.exceptions import ConfigurationException
        from dlt.common.destination.exceptions import UnknownDestinationModule

        error = innermost(wrapped)
        wrong = isinstance(error, ConfigurationException | UnknownDestinationModule)
        # Database drivers may tell the URL, with its password.
        reason = re.sub(r"//[^@/\s]*@", "//…@", f"{type(error).__name__}: {error}")
        message.write("configuration error" if wrong else "failed", reason)
        return CONFIGURATION_ERROR if wrong else FAILED
    message.write("complete")
    return COMPLETE


if __name__ == "__main__":
    os.environ.update(SETTINGS)
    message = Message(Path(os.environ.get("SYNC_TERMINATION_LOG", "/dev/termination-log")), int(os.environ["SYNC_RUN"]))
    signal.signal(signal.SIGTERM, paused)
    code = main()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the run has ended: how is to be heard
    sys.exit(code)
