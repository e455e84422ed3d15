"""What a database's errors mean for the run.

There are four kinds: the database refuses the values, and would again; the configuration is wrong, such as a password;
two transactions collided; and all other errors, which may be transient and are retried. The same fault is of the same
kind for every database: docs/troubleshooting.md has the table.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from tidegate.worker.errors import ConfigurationError, SystemFailed

# PostgreSQL, by the prefix of SQLSTATE: data, constraints, checks of views, exceptions that triggers raise, and types
# that do not convert.
_REFUSING_STATES = ("22", "23", "44", "P0", "42804", "42846")
# A duplicate of a unique value, a referenced row that is missing or still needed, and PostgreSQL's exclusion
# constraints.
_BLOCKING_STATES = ("23001", "23503", "23505", "23P01")
# Authentication failed or the role may not log in; the database does not exist; a privilege is missing.
_FORBIDDING_STATES = ("28", "3D000", "42501")
_COLLIDING_STATES = ("40001", "40P01")

# A statement or lock timeout.
_LIMITING_STATES = ("57014", "55P03")
# PostgreSQL also raises 42501 when a row-level policy refuses one row; it then comes from here (execMain.c).
_POLICY_CHECK = "ExecWithCheckOptions"

# MySQL and MariaDB, by error number; pymysql provides no SQLSTATE. Those that it raises as IntegrityError or DataError
# are not repeated here: values that do not fit or do not convert, missing defaults, checks of views, other duplicates,
# SIGNAL in a trigger, malformed JSON, and checks of MySQL and of MariaDB.
_REFUSING_NUMBERS = frozenset(
    {1169, 1292, 1364, 1365, 1369, 1411, 1416, 1525, 1586, 1644, 1690, 3140, 3141, 3156, 3819, 4025}
)
# The database, the user or its password, tables, columns, and missing privileges; a database that does not exist; a
# host that may not connect; an authentication method that the driver or the server does not support; expired passwords,
# and locked accounts.
_FORBIDDING_NUMBERS = frozenset(
    {1044, 1045, 1049, 1130, 1142, 1143, 1227, 1251, 1370, 1524, 1698, 1820, 1862, 2059, 3118, 4151}
)
_BLOCKING_NUMBERS = frozenset({1022, 1062, 1169, 1216, 1217, 1451, 1452, 1586, 1761, 1762})
_COLLIDING_NUMBERS = frozenset({1213})
# A lock timeout; a statement timeout, in MySQL and in MariaDB.
_LIMITING_NUMBERS = frozenset({1205, 3024, 1969})

# The file is missing, may not be read or written, or is not a database.
_FORBIDDING_SQLITE_ERRORS = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_NOTADB")

# psycopg has no SQLSTATE when a connection fails, only this text from the server, or its own.
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
_QUOTED_VALUE = re.compile(
    r"""(entry|value|syntax for type [a-z ]+|for enum \S+):? (?:'.*'|".*")( for| is|$)""", re.S | re.M
)


class NotKeptError(Exception):
    """What was written is missing when it is read back: the transaction must be rolled back."""


@contextmanager
def speaking_of(connector: str) -> Iterator[None]:
    """Translate database errors into errors of the run; a refusal of values passes through unchanged."""
    try:
        yield
    except DBAPIError as error:
        if is_refusal(error):
            raise
        if is_forbidden(error):
            raise ConfigurationError(f"connector {connector}: database error: {words(error)}") from error
        raise SystemFailed(f"connector {connector}: database error: {words(error)}") from error
    except SQLAlchemyError as error:
        raise SystemFailed(f"connector {connector}: {words(error)}") from error


def is_refusal(error: DBAPIError) -> bool:
    """True when the database refuses the values, and would again."""
    if error.connection_invalidated:
        return False
    return isinstance(error, (IntegrityError, DataError)) or _is(error, _REFUSING_STATES, _REFUSING_NUMBERS)


def is_doubtful(error: DBAPIError) -> bool:
    """True when the error may concern one row only: a lock, a timeout, a policy, or a value the driver cannot write.

    When many rows have it, the system is at fault: see `batch`.
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
    """True when the values are refused because of another record: they may be accepted after it is written."""
    if _is(error, _BLOCKING_STATES, _BLOCKING_NUMBERS):
        return True
    return str(getattr(error.orig, "sqlite_errorname", "")) in _BLOCKING_SQLITE_ERRORS


def is_forbidden(error: DBAPIError) -> bool:
    """True when the configuration is wrong or a privilege is missing, so that a retry cannot help."""
    if _is(error, _FORBIDDING_STATES, _FORBIDDING_NUMBERS):
        return True
    said = error.orig
    if str(getattr(said, "sqlite_errorname", "")).startswith(_FORBIDDING_SQLITE_ERRORS):
        return True
    failed_to_connect = isinstance(said, psycopg.OperationalError) and said.sqlstate is None
    return failed_to_connect and _FORBIDDING_WORDS.search(str(said)) is not None


def is_collision(error: DBAPIError) -> bool:
    """True when the database rolled back this transaction in favour of another: it may be retried at once."""
    return not error.connection_invalidated and _is(error, _COLLIDING_STATES, _COLLIDING_NUMBERS)


def _is(error: DBAPIError, states: tuple[str, ...], numbers: frozenset[int]) -> bool:
    said = error.orig
    state = str(getattr(said, "sqlstate", None) or "")
    number = said.args[0] if said is not None and said.args else None
    return state.startswith(states) or (isinstance(number, int) and number in numbers)


def words(error: SQLAlchemyError) -> str:
    """The database's error text on one line, without the record's values that it quotes: the text goes to logs."""
    said = error.orig if isinstance(error, DBAPIError) else error
    text = str(said)
    if said is not None and len(said.args) > 1 and isinstance(said.args[0], int):
        text = f"{said.args[1]} (error {said.args[0]})"  # pymysql
    lines = [line.strip() for line in _QUOTED_VALUE.sub(r"\1\2", text).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("DETAIL:", "CONTEXT:", "HINT:", "(Background", "LINE "))]
    return "; ".join(kept[:3]) or type(error).__name__
