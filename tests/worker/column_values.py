"""Columns of each database with values of theirs, and what a value means, found out without the worker's own code."""

import json
import random
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

Make = Callable[[random.Random], str]


@dataclass(frozen=True)
class Column:
    """A type: its name as it is declared, what its values mean, and how one is written in SQL.

    `samples` are values that have made trouble; `make` makes others. `unit` is what rounding may change: part of a
    number (as a fraction where `relative`), or seconds.
    """

    system: str
    type: str
    meaning: str
    samples: tuple[str, ...]
    make: Make
    unit: Decimal = Decimal(0)
    relative: bool = False
    readable: str = "{}"

    def value(self, rng: random.Random) -> str:
        if rng.random() < 0.05:
            return "NULL"
        return rng.choice(self.samples) if rng.random() < 0.5 else self.make(rng)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_LETTERS = string.ascii_letters + "äß中 😀"


def _text(rng: random.Random, most: int = 8) -> str:
    return quoted("".join(rng.choice(_LETTERS) for _ in range(rng.randint(1, most))).strip() or "x")


def _whole(bits: int, *, unsigned: bool = False) -> Make:
    low, high = (0, (1 << bits) - 1) if unsigned else (-(1 << bits - 1), (1 << bits - 1) - 1)
    return lambda rng: str(rng.choice((low, high, rng.randint(-100, 100) if not unsigned else rng.randint(0, 100))))


def _decimal(digits: int, places: int) -> Make:
    return lambda rng: (
        f"{rng.choice(('', '-'))}{rng.randrange(10 ** rng.randint(1, digits))}.{rng.randrange(10**places):0{places}}"
    )


def _float(rng: random.Random) -> str:
    return repr(
        rng.choice((rng.random(), rng.uniform(-1e6, 1e6), float(rng.randint(-1000, 1000)), rng.random() * 1e-30))
    )


def _single(rng: random.Random) -> str:
    return f"{rng.uniform(-1e6, 1e6):.7g}"


def _moment(rng: random.Random) -> datetime:
    return datetime(2020, 1, 1) + timedelta(
        seconds=rng.randrange(10**8), microseconds=rng.choice((0, 0, rng.randrange(10**6)))
    )


def _date(rng: random.Random) -> str:
    return quoted(f"{_moment(rng):%F}")


def _local(rng: random.Random) -> str:
    return quoted(_moment(rng).isoformat(sep=" "))


def _instant(rng: random.Random) -> str:
    return quoted(_moment(rng).isoformat(sep=" ") + rng.choice(("+00", "+02", "-05")))


def _clock(rng: random.Random) -> str:
    return quoted(_moment(rng).time().isoformat())


def _document(rng: random.Random) -> Any:
    return rng.choice(
        (
            {"a": [1, 2], "b": _moment(rng).isoformat()},
            [1, None, "x"],
            {"ä": {"b": rng.random()}},
            {},
            rng.randrange(99),
            "5",
            True,
        )
    )


def _json(rng: random.Random) -> str:
    return quoted(json.dumps(_document(rng), indent=rng.choice((None, 1)), ensure_ascii=False))


def _uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return quoted("-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])))


_TEXTS = (
    "'Zoë'",
    "'007'",
    "'1.50'",
    "'1e5'",
    "'true'",
    "'2024-02-29'",
    "'2024-02-29T01:02:03Z'",
    "'+49 170'",
    "' x'",
    "'{}'",
    "'[1]'",
    "'\"5\"'",
    "'NaN'",
    "'infinity'",
    "'00ff'",
    "'a,b'",
    "'P1M'",
    "'10:00:00'",
    "'0'",
    "'12'",
    "'-3'",
)
_JSONS = tuple(
    map(
        quoted,
        (
            '{"a": [1, 2], "b": 1}',
            "[]",
            "12345678901234567890",
            '{"n": 0.1234567890123456789}',
            '"text"',
            '"5"',
            "5",
            "true",
            '{"y": 1.50}',
            '{"z":1,"a":{"é":null}}',
        ),
    )
)
_WHOLES = ("0", "1", "-1", "12", "127")
_DECIMALS = ("0", "1.5", "-2.25", "12", "0.01")
_MOMENTS = ("'2024-02-29 12:00:00'", "'2024-01-01 00:00:00'", "'1999-12-31 23:59:59.999999'")

_PG = [
    Column("postgresql", "text", "text", (*_TEXTS, "'😀'"), _text),
    Column("postgresql", "varchar(12)", "text", ("'Zoë'", "'exactly 12 c'", "'007'"), _text),
    Column("postgresql", "char(8)", "padded", ("'ab'", "'12'", "'abcdefgh'"), lambda rng: _text(rng, 6)),
    Column("postgresql", "smallint", "number", _WHOLES, _whole(16)),
    Column("postgresql", "bigint", "number", (*_WHOLES, "9007199254740993"), _whole(64)),
    Column(
        "postgresql",
        "numeric",
        "number",
        (*_DECIMALS, "'NaN'", "123456789012345678901234567890.123456789"),
        _decimal(20, 10),
    ),
    Column("postgresql", "numeric(8,2)", "number", (*_DECIMALS, "'NaN'"), _decimal(6, 2), Decimal("0.01")),
    Column("postgresql", "real", "number", ("0.1", "1234567", "'NaN'", "'-Infinity'"), _single, Decimal("1e-7"), True),
    Column(
        "postgresql",
        "double precision",
        "number",
        ("0.1", "1e300", "'NaN'", "'Infinity'", "1e-7"),
        _float,
        Decimal("1e-15"),
        True,
    ),
    Column("postgresql", "boolean", "bool", ("true", "false"), lambda rng: rng.choice(("true", "false"))),
    Column("postgresql", "date", "date", ("'2024-02-29'", "'infinity'", "'0044-03-15 BC'", "'10000-01-01'"), _date),
    Column(
        "postgresql",
        "timestamp",
        "moment",
        (*_MOMENTS, "'-infinity'", "'0001-01-01 00:00:00'"),
        _local,
        Decimal("0.000001"),
    ),
    Column(
        "postgresql",
        "timestamptz",
        "moment",
        ("'2024-02-29 12:00:00+02'", "'infinity'", "'9999-12-31 23:59:59-05'", "'0044-03-15 00:00:00+00 BC'"),
        _instant,
        Decimal("0.000001"),
    ),
    Column("postgresql", "time", "clock", ("'10:00:00'", "'24:00:00'", "'23:59:59.5'"), _clock, Decimal("0.000001")),
    Column(
        "postgresql",
        "timetz",
        "zoned clock",
        ("'10:00:00+00'", "'23:59:59+02'", "'24:00:00+00'"),
        lambda rng: _clock(rng)[:-1] + "+00'",
        Decimal("0.000001"),
    ),
    Column(
        "postgresql",
        "interval",
        "duration",
        ("'1 mon'", "'30 days'", "'26:00:00'", "'-1 day -02:00:00.5'", "'10:00:00'", "'1 year 2 mons'"),
        lambda rng: quoted(f"{rng.randint(-9, 9)} mons {rng.randint(-40, 40)} days {rng.randint(0, 99)} hours"),
    ),
    Column("postgresql", "jsonb", "json", _JSONS, _json),
    Column("postgresql", "json", "json", (*_JSONS, quoted('{"a":1,"a":2}')), _json),
    Column("postgresql", "uuid", "uuid", ("'550e8400-e29b-41d4-a716-446655440000'",), _uuid),
    Column(
        "postgresql",
        "bytea",
        "bytes",
        ("'\\x00ff'", "'\\x'"),
        lambda rng: quoted("\\x" + rng.randbytes(rng.choice((3, 16))).hex()),
        readable="encode({}, 'hex')",
    ),
    Column(
        "postgresql",
        "text[]",
        "list",
        ("'{a,b}'", "'{}'", "'{NULL,\"x y\"}'", "'{{a},{b}}'"),
        lambda rng: quoted("{" + ",".join("abc"[: rng.randint(0, 3)]) + "}"),
        readable="to_json({})",
    ),
    Column(
        "postgresql",
        "integer[]",
        "list",
        ("'{1,2}'", "'{}'", "'{NULL}'"),
        lambda rng: quoted(f"{{{rng.randint(0, 9)},7}}"),
        readable="to_json({})",
    ),
    Column(
        "postgresql", "bytea[]", "list", ("'{\"\\\\x00ff\"}'",), lambda rng: "'{\"\\\\xab\"}'", readable="to_json({})"
    ),
]

_MY = [
    Column("mariadb", "longtext", "text", (*_TEXTS, "'😀'"), _text),
    Column("mariadb", "varchar(12)", "text", ("'Zoë'", "'exactly 12 c'", "'007'"), _text),
    Column(
        "mariadb",
        "varchar(40) character set latin1",
        "text",
        ("'Zoë'", "'12'"),
        lambda rng: quoted(rng.choice("aäß") * 3),
    ),
    Column("mariadb", "char(8)", "padded", ("'ab'", "'12'"), lambda rng: _text(rng, 6)),
    Column("mariadb", "tinyint(1)", "number", ("0", "1", "7"), lambda rng: rng.choice("01")),
    Column("mariadb", "int", "number", _WHOLES, _whole(32)),
    Column("mariadb", "bigint unsigned", "number", ("0", "18446744073709551615"), _whole(64, unsigned=True)),
    Column("mariadb", "decimal(20,4)", "number", _DECIMALS, _decimal(15, 4), Decimal("0.0001")),
    Column(
        "mariadb",
        "float",
        "number",
        ("0.1", "1234567", "1234567.89", "16777216"),
        _single,
        Decimal("1e-7"),
        True,
        "{} + 0e0",
    ),
    Column("mariadb", "double", "number", ("0.1", "1e300", "0.12345678901234568"), _float, Decimal("1e-15"), True),
    Column(
        "mariadb", "bit(1)", "number", ("b'0'", "b'1'"), lambda rng: rng.choice(("b'0'", "b'1'")), readable="{} + 0"
    ),
    Column("mariadb", "date", "date", ("'2024-02-29'", "'0000-00-00'", "'2026-00-00'"), _date),
    Column("mariadb", "datetime(6)", "moment", (*_MOMENTS, "'0000-00-00 00:00:00'"), _local, Decimal("0.000001")),
    Column(
        "mariadb",
        "datetime",
        "moment",
        ("'2024-02-29 12:00:00'", "'2024-01-01 00:00:00'"),
        lambda rng: quoted(f"{_moment(rng):%F %T}"),
        Decimal(1),
    ),
    Column(
        "mariadb",
        "time(6)",
        "clock",
        ("'10:00:00'", "'-26:00:01'", "'24:00:00'", "'26:00:00'"),
        _clock,
        Decimal("0.000001"),
    ),
    Column("mariadb", "json", "json", _JSONS, _json),
    Column("mariadb", "uuid", "uuid", ("'550e8400-e29b-41d4-a716-446655440000'",), _uuid),
    Column(
        "mariadb",
        "blob",
        "bytes",
        ("x'00ff'",),
        lambda rng: f"x'{rng.randbytes(rng.choice((3, 16))).hex()}'",
        readable="lower(hex({}))",
    ),
    Column(
        "mariadb",
        "binary(16)",
        "bytes",
        ("x'550e8400e29b41d4a716446655440000'",),
        lambda rng: f"x'{rng.randbytes(16).hex()}'",
        readable="lower(hex({}))",
    ),
    Column("mariadb", "year", "number", ("2024", "1999"), lambda rng: str(rng.randint(1950, 2050)), readable="{} + 0"),
    Column("mariadb", "enum('x','12','2024-02-29')", "text", ("'x'", "'12'"), lambda rng: "'x'"),
]

_LITE = [
    Column("sqlite", "TEXT", "text", (*_TEXTS, "'😀'"), _text),
    Column("sqlite", "", "any", ("'Zoë'", "'007'", "12", "1.5", "x'00ff'"), _text),
    Column("sqlite", "INTEGER", "number", _WHOLES, _whole(64)),
    Column("sqlite", "REAL", "number", ("0.1", "1e300", "1.5"), _float, Decimal("1e-15"), True),
    Column("sqlite", "DECIMAL(10,2)", "number", _DECIMALS, _decimal(6, 2)),
    Column("sqlite", "BOOLEAN", "bool", ("0", "1"), lambda rng: rng.choice("01")),
    Column("sqlite", "DATETIME", "moment", _MOMENTS[:2], _local, Decimal("0.000001")),
    Column("sqlite", "DATE", "date", ("'2024-02-29'",), _date),
    Column("sqlite", "JSON", "json", _JSONS[:2], _json),
    Column("sqlite", "BLOB", "bytes", ("x'00ff'",), lambda rng: f"x'{rng.randbytes(3).hex()}'"),
]

COLUMNS = {"postgresql": _PG, "mariadb": _MY, "sqlite": _LITE}


def mean_the_same(one: Column, a: Any, other: Column, b: Any) -> bool:
    """Whether two stored values mean the same, up to what the types of their columns round."""
    if a in _NOTHING or b in _NOTHING:
        return a in _NOTHING and b in _NOTHING
    if "json" in (one.meaning, other.meaning) and not {one.meaning, other.meaning} & {"text", "padded", "any", "list"}:
        a, b = _unwrapped(a, other), _unwrapped(b, one)
    if one.meaning != "json" and other.meaning != "json" and str(a) == str(b):
        return True
    if {one.meaning, other.meaning} <= {"text", "padded", "any"}:
        return _trimmed(one, other, a) == _trimmed(one, other, b)
    meanings = sorted({one.meaning, other.meaning} - {"text", "padded", "any"} or {one.meaning}, key=_ORDER.index)
    for meaning in meanings:
        try:
            first, second = _READ[meaning](a), _READ[meaning](b)
        except (ValueError, TypeError, InvalidOperation, OverflowError):
            continue
        if first == second or (meaning in ("number", "moment", "clock") and _close(one, first, other, second)):
            return True
    return False


def _unwrapped(value: Any, other: Column) -> Any:
    """What a JSON text says, where it stands for a value of a type that JSON does not have."""
    return json.loads(value) if other.meaning != "json" and str(value).startswith('"') else value


_NOTHING = (None, "", "null", '""', b"")


def _trimmed(one: Column, other: Column, value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text.rstrip(" ") if "padded" in (one.meaning, other.meaning) else text


def _close(one: Column, a: Any, other: Column, b: Any) -> bool:
    for column in (one, other):
        if isinstance(a, Decimal) and a.is_finite() and b.is_finite():
            if abs(a - b) <= column.unit * (abs(a) if column.relative else 1):
                return True
        elif isinstance(a, datetime) and isinstance(b, datetime) and abs(a - b) < timedelta(seconds=float(column.unit)):
            return True
    return False


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or str(value).lower() in ("true", "false", "t", "f"):
        return Decimal(str(value).lower() in ("true", "t"))
    if re.match(r"-?0\d", str(value)):
        raise ValueError("an identifier")
    number = Decimal(str(value))
    return number if not number.is_nan() else Decimal("123456789e99")  # all alike, and like nothing else


def _moment_of(value: Any) -> Any:
    text = str(value)
    if "BC" in text or "infinity" in text or not re.match(r"\d{4}-", text):
        return text
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _clock_of(value: Any) -> Any:
    text = str(value)
    text = re.sub(r"([+-]\d\d)$", r"\1:00", text)
    if "P" in text or text.startswith("-") or not re.match(r"[01]\d|2[0-3]", text):
        return _duration(text)
    read = time.fromisoformat(text)
    if read.utcoffset():
        return text
    return datetime.combine(date(2000, 1, 1), read.replace(tzinfo=None))


def _duration(value: Any) -> tuple[int, int, Decimal]:
    text = str(value)
    if clock := re.fullmatch(r"(-?)(\d+):(\d\d):(\d\d(?:\.\d+)?)", text):
        size = Decimal(clock[2]) * 3600 + Decimal(clock[3]) * 60 + Decimal(clock[4])
        return 0, 0, -size if clock[1] else size
    day, _, rest = text.removeprefix("P").partition("T")
    parts = [{unit: Decimal(number) for number, unit in re.findall(r"(-?[\d.]+)([A-Z])", part)} for part in (day, rest)]
    if not text.startswith("P"):
        raise ValueError(text)
    seconds = parts[1].get("H", Decimal(0)) * 3600 + parts[1].get("M", Decimal(0)) * 60 + parts[1].get("S", Decimal(0))
    return int(parts[0].get("Y", 0) * 12 + parts[0].get("M", 0)), int(parts[0].get("D", 0)), seconds


def _json_of(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    text = str(value)
    try:
        found = json.loads(text, parse_float=Decimal, parse_int=Decimal, object_pairs_hook=_pairs)
    except json.JSONDecodeError:
        return text
    return found if isinstance(found, (dict, list)) else str(found) if isinstance(found, str) else _plain(found)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _plain(value: Any) -> str:
    return (
        str(int(value))
        if isinstance(value, bool)
        else f"{value.normalize():f}"
        if isinstance(value, Decimal)
        else str(value)
    )


def _bytes_of(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value).lower().replace("-", "").removeprefix("\\x")


_READ: dict[str, Callable[[Any], Any]] = {
    "text": str,
    "padded": lambda value: str(value).rstrip(" "),
    "any": str,
    "number": _number,
    "bool": _number,
    "date": _moment_of,
    "moment": _moment_of,
    "clock": _clock_of,
    "zoned clock": _clock_of,
    "duration": _duration,
    "json": _json_of,
    "list": lambda value: json.loads(json.dumps(_json_of(value), default=str).replace("\\\\x", "")),
    "uuid": _bytes_of,
    "bytes": _bytes_of,
}
_ORDER = list(_READ)
