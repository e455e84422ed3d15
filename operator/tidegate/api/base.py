"""What all models of the API share: camelCase on the wire, frozen in memory, Kubernetes' times and durations."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Annotated, Any, Self

import durationpy
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

# GEP-2257, the subset of Go's durations that the Gateway API settled on: no sign, no fraction.
DURATION_PATTERN = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
_LONGEST_DURATION = timedelta(hours=99_999)


class ApiModel(BaseModel):
    """A part of the resource; unknown fields are dropped, as the API server prunes them."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    def to_wire(self) -> dict[str, Any]:
        """The JSON value as the API server stores it: camelCase, without what is None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def replace(self, changes: partial[Self]) -> Self:
        """A copy with some fields changed: `run.replace(partial(Run, cancelling=True))`.

        The type checker knows a partial call, and so refuses misspelt fields and wrong types, which `model_copy` takes.
        """
        return self.model_copy(update=changes.keywords)


def parse_duration(text: object) -> object:
    """A duration such as `30s`, `5m` or `1h30m` as a timedelta; anything that is not text is passed on.

    Raises ValueError for text in another notation.
    """
    if not isinstance(text, str):
        return text
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(f"{text!r} is not a duration: write it like 30s, 5m or 1h30m; the largest unit is h")
    return durationpy.from_str(text)


def format_duration(duration: timedelta) -> str:
    """A timedelta of zero or more in the notation that parse_duration reads, to the millisecond; a long one is cut."""
    return _duration_text(duration)


# A status holds the times and durations of many runs, and is written with all of them several times in each run.
@lru_cache(maxsize=4096)
def _duration_text(duration: timedelta) -> str:
    duration = min(duration, _LONGEST_DURATION)
    milliseconds = round(duration / timedelta(milliseconds=1))
    text = ""
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def format_time(time: datetime) -> str:
    """A time as Kubernetes writes it: RFC 3339 in UTC, to the second."""
    return _time_text(time)


@lru_cache(maxsize=4096)
def _time_text(time: datetime) -> str:
    return f"{time.astimezone(UTC).isoformat()[:19]}Z"


def format_micro_time(time: datetime) -> str:
    """A time as Kubernetes writes its MicroTime: RFC 3339 in UTC, to the microsecond."""
    return f"{time.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


_NOTATION_RULE = {
    "rule": f"self.matches('{DURATION_PATTERN}')",
    "message": "must be a duration of zero or more, such as 30s, 5m or 1h30m",
}
_POSITIVE_RULE = {"rule": "duration(self) > duration('0s')", "message": "must be longer than 0s"}

# A duration in the CustomResourceDefinition.
DURATION_FIELD = {"type": "string", "maxLength": 32, "x-kubernetes-validations": [_NOTATION_RULE]}

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(DURATION_FIELD),
]

PositiveDuration = Annotated[
    Duration,
    WithJsonSchema({"type": "string", "maxLength": 32, "x-kubernetes-validations": [_NOTATION_RULE, _POSITIVE_RULE]}),
]

Time = Annotated[
    AwareDatetime,
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

MicroTime = Annotated[
    AwareDatetime,
    PlainSerializer(format_micro_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
