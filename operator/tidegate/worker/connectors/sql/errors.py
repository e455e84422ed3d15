"""What a database's errors mean for the run.

There are four kinds: the values are refused and would be again; the configuration is wrong, such as a password; two
transactions were in each other's way; and all the rest, which may pass and is retried. The same fault is of the same
kind in each database: docs/troubleshooting.md has the table.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from tidegate.worker.errors import ConfigurationError, SystemFailed

# PostgreSQL, by the beginning of SQLSTATE: data, constraints, views' checks, triggers' own exceptions, and types that
# do not convert.
_REFUSING_STATES = ("22", "23", "44", "P0", "42804", "42846")
# A value that must be unique, a record that is referred to or is not there, and PostgreSQL's exclusion constraints.
_BLOCKING_STATES = ("23001", "23503", "23505", "23P01")
# The password, the role or who may log in; a database that is not there; a missing privilege.
_FORBIDDING_STATES = ("28", "3D000", "42501")
_COLLIDING_STATES = ("40001", "40P01")

# A statement or a lock took too long.
_LIMITING_STATES = ("57014", "55P03")
# 42501 is also what PostgreSQL says of one row that a policy refuses; then from here (execMain.c).
_POLICY_CHECK = "ExecWithCheckOptions"

# MySQL and MariaDB, by error number; pymysql tells no SQLSTATE. Those that it raises as IntegrityError or DataError
# are not repeated here: values that do not fit or do not convert, defaults that are missing, views' checks, other
# duplicates, SIGNAL in a trigger, JSON that is none, and checks of MySQL and of MariaDB.
_REFUSING_NUMBERS = frozenset(
    {1169, 1292, 1364, 1365, 1369, 1411, 1416, 1525, 1586, 1644, 1690, 3140, 3141, 3156, 3819, 4025}
)
# The database, the user or its password, tables, columns, and what needs a privilege; a database that is not there; a
# host that is not let in; a way to log in that the driver or the server does not know; passwords that have expired, and
# accounts that are locked.
_FORBIDDING_NUMBERS = frozenset(
    {1044, 1045, 1049, 1130, 1142, 1143, 1227, 1251, 1370, 1524, 1698, 1820, 1862, 2059, 3118, 4151}
)
_BLOCKING_NUMBERS = frozenset({1022, 1062, 1169, 1216, 1217, 1451, 1452, 1586, 1761, 1762})
_COLLIDING_NUMBERS = frozenset({1213})
# A lock took too long; a statement did, in MySQL and in MariaDB.
_LIMITING_NUMBERS = frozenset({1205, 3024, 1969})

# No file, no right to read or write it, or a file that is no database.
_FORBIDDING_SQLITE_ERRORS = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_NOTADB")

# PostgreSQL's driver tells no SQLSTATE when a connection fails, only these words of the server, or of its own.
_FORBIDDING_WORDS = re.compile(
    r"""(?:password|peer|ident|certificate|LDAP|PAM|RADIUS|GSSAPI|OAuth\ bearer)\ authentication\ failed\ for\ user
        | role\ ".*"\ does\ not\ exist | database\ ".*"\ does\ not\ exist | role\ ".*"\ is\ not\ permitted\ to\ log\ in
        | no\ pg_hba\.conf\ entry | pg_hba\.conf\ rejects\ connection | permission\ denied\ for\ database
        | no\ password\ supplied | server\ does\ not\ support\ SSL | invalid\ (?:port\ number|sslmode\ value)
        | root\ certificate\ file\ ".*"\ does\ not\ exist""",
    re.VERBOSE,
)

_BLOCKING_SQLITE_ERRORS = frozenset(
    f"SQLITE_CONSTRAINT_{kind}" for kind in ("UNIQUE", "PRIMARYKEY", "ROWID", "FOREIGNKEY")
)

# MySQL: Duplicate entry 'x' for key; Incorrect integer value: 'x' for column.
# PostgreSQL: invalid input syntax for type integer: "x"; value "x" is out of range.
_QUOTED_VALUE = re.compile(
    r"""(entry|value|syntax for type [a-z ]+|for enum \S+):? (?:'.*'|".*")( for| is|$)""", re.S | re.M
)


class NotKeptError(Exception):
    """What was written is not there when it is read back: the transaction is to be undone."""


@contextmanager
def speaking_of(connector: str) -> Iterator[None]:
    """Turn what the database says into what it means for the run; a refusal of values passes through."""
    try:
        yield
    except DBAPIError as error:
        if is_refusal(error):
            raise
        if is_forbidden(error):
            raise ConfigurationError(f"connector {connector}: the database says: {words(error)}") from error
        raise SystemFailed(f"connector {connector}: the database says: {words(error)}") from error
    except SQLAlchemyError as error:
        raise SystemFailed(f"connector {connector}: {words(error)}") from error


def is_refusal(error: DBAPIError) -> bool:
    """True when the database refuses the values, and would again."""
    if error.connection_invalidated:
        return False
    return isinstance(error, (IntegrityError, DataError)) or _is(error, _REFUSING_STATES, _REFUSING_NUMBERS)


def is_doubtful(error: DBAPIError) -> bool:
    """True when the error may be of one row only: a lock or a time limit, a policy, or a value the driver cannot write.

    Where many rows have it, it is the system's: see `one_by_one`.
    """
    if error.connection_invalidated:
        return False
    if _is(error, _LIMITING_STATES, _LIMITING_NUMBERS):
        return True
    said = error.orig
    if isinstance(said, psycopg.Error) and said.sqlstate is None:
        return isinstance(said, (psycopg.ProgrammingError, psycopg.NotSupportedError))
    diagnosis = getattr(said, "diag", None)
    return getattr(diagnosis, "source_function", None) == _POLICY_CHECK


def is_blocked(error: DBAPIError) -> bool:
    """True when another record is why the database refuses the values: they may be accepted after that is written."""
    if _is(error, _BLOCKING_STATES, _BLOCKING_NUMBERS):
        return True
    return str(getattr(error.orig, "sqlite_errorname", "")) in _BLOCKING_SQLITE_ERRORS


def is_forbidden(error: DBAPIError) -> bool:
    """True when the configuration must be wrong, or a right is missing: trying again cannot help."""
    if _is(error, _FORBIDDING_STATES, _FORBIDDING_NUMBERS):
        return True
    said = error.orig
    if str(getattr(said, "sqlite_errorname", "")).startswith(_FORBIDDING_SQLITE_ERRORS):
        return True
    failed_to_connect = isinstance(said, psycopg.OperationalError) and said.sqlstate is None
    return failed_to_connect and _FORBIDDING_WORDS.search(str(said)) is not None


def is_collision(error: DBAPIError) -> bool:
    """True when the database has undone our transaction for the sake of another: it may be repeated at once."""
    return not error.connection_invalidated and _is(error, _COLLIDING_STATES, _COLLIDING_NUMBERS)


def _is(error: DBAPIError, states: tuple[str, ...], numbers: frozenset[int]) -> bool:
    said = error.orig
    state = str(getattr(said, "sqlstate", None) or "")
    number = said.args[0] if said is not None and said.args else None
    return state.startswith(states) or (isinstance(number, int) and number in numbers)


def words(error: SQLAlchemyError) -> str:
    """The database's own words in one line, but for the record's values that it quotes: words go to logs."""
    said = error.orig if isinstance(error, DBAPIError) else error
    text = str(said)
    if said is not None and len(said.args) > 1 and isinstance(said.args[0], int):
        text = f"{said.args[1]} (error {said.args[0]})"  # pymysql
    lines = [line.strip() for line in _QUOTED_VALUE.sub(r"\1\2", text).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("DETAIL:", "CONTEXT:", "HINT:", "(Background", "LINE "))]
    return "; ".join(kept[:3]) or type(error).__name__
