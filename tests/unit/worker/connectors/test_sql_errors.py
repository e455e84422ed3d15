"""The same kind of fault has the same outcome, whichever database says it."""

import sqlite3

import psycopg
import pymysql  # pymysql has no type information
import pytest
from sqlalchemy.exc import OperationalError

from tidegate.worker.connectors.sql.errors import speaking_of
from tidegate.worker.errors import ConfigurationError, RunEnded, SystemFailed

FAILED = 'connection failed: connection to server at "10.0.0.7", port 5432 failed: '


def postgresql(words: str, state: str = "") -> Exception:
    error = psycopg.OperationalError(words)
    if state:
        error.sqlstate = state
    return error


def mysql(number: int) -> Exception:
    error: Exception = pymysql.err.OperationalError(number, "words")
    return error


def sqlite(name: str) -> Exception:
    error = sqlite3.OperationalError("words")
    error.sqlite_errorname = name
    return error


CONFIGURATION: dict[str, list[Exception]] = {
    "a wrong password": [
        postgresql(f'{FAILED}FATAL:  password authentication failed for user "sync"'),
        postgresql("words", "28P01"),
        mysql(1045),
    ],
    "an unknown user": [postgresql(f'{FAILED}FATAL:  role "sync" does not exist'), mysql(1698)],
    "a user who may not log in": [
        postgresql(f'{FAILED}FATAL:  role "sync" is not permitted to log in'), mysql(3118), mysql(4151), mysql(1862),
    ],
    "no password": [postgresql("connection failed: fe_sendauth: no password supplied"), mysql(1045)],
    "a host that is not let in": [
        postgresql(f'{FAILED}FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "sync", no encryption'),
        mysql(1130),
    ],
    "an unknown database": [
        postgresql(f'{FAILED}FATAL:  database "crm" does not exist'),
        postgresql("words", "3D000"),
        mysql(1049),
        sqlite("SQLITE_CANTOPEN"),
    ],
    "a missing right": [
        postgresql("words", "42501"),
        postgresql(f'{FAILED}FATAL:  permission denied for database "crm"'),
        *map(mysql, (1044, 1142, 1143, 1227, 1370)),
        sqlite("SQLITE_READONLY"),
        sqlite("SQLITE_PERM"),
    ],
    "something else in its place": [sqlite("SQLITE_NOTADB"), mysql(2059), mysql(1251)],
}  # fmt: skip

PASSING: dict[str, list[Exception]] = {
    "no connection": [
        postgresql(f"{FAILED}Connection refused\n\tIs the server running on that host?"),
        postgresql('connection failed: could not translate host name "db" to address: Name or service not known'),
        postgresql("connection timeout expired"),
        mysql(2002), mysql(2003), mysql(2006), mysql(2013),
    ],
    "too many connections": [
        postgresql(f"{FAILED}FATAL:  sorry, too many clients already"),
        postgresql(f'{FAILED}FATAL:  too many connections for role "sync"'),
        postgresql("words", "53300"),
        mysql(1040), mysql(1203),
    ],
    "starting or shutting down": [
        postgresql(f"{FAILED}FATAL:  the database system is starting up"), postgresql("words", "57P01"), mysql(1053),
    ],
    "a full disk": [postgresql("words", "53100"), mysql(1021), sqlite("SQLITE_FULL")],
    "a lock": [postgresql("words", "55P03"), mysql(1205), sqlite("SQLITE_BUSY"), sqlite("SQLITE_LOCKED")],
}  # fmt: skip


def outcome(error: Exception) -> RunEnded:
    with pytest.raises(RunEnded) as caught, speaking_of("erp"):
        raise OperationalError("SELECT 1", {}, error)
    return caught.value


@pytest.mark.parametrize("title", CONFIGURATION)
def test_an_error_that_a_retry_cannot_fix_is_a_configuration_error(title: str) -> None:
    for error in CONFIGURATION[title]:
        assert type(outcome(error)) is ConfigurationError, error


@pytest.mark.parametrize("title", PASSING)
def test_a_transient_error_is_retried(title: str) -> None:
    for error in PASSING[title]:
        assert type(outcome(error)) is SystemFailed, error
