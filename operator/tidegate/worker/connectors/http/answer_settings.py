"""Settings for an API's answers: statuses with a non-standard meaning, and the headers that report its quota."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from tidegate.worker.connectors import Part

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 401, 403, 429


def _of_errors(statuses: list[int]) -> list[int]:
    for status in statuses:
        if not 400 <= status < 1000 or status == _UNAUTHORIZED:
            raise ValueError(f"{status} cannot have another meaning; write statuses of errors other than 401")
    return statuses


def _of_records(statuses: list[int]) -> list[int]:
    for status in _of_errors(statuses):
        if status >= 500 or status in (_FORBIDDEN, _TOO_MANY):
            raise ValueError(
                f"{status} is not said of one record: a token without rights, or a service that is down, would look "
                "like many records that are gone or refused"
            )
    return statuses


class Statuses(Part):
    """Statuses with another meaning than theirs in HTTP."""

    retry: Annotated[list[int], AfterValidator(_of_errors)] = Field(default_factory=list)
    """The API did nothing and asks to be called later, as with 429."""
    refused: Annotated[list[int], AfterValidator(_of_records)] = Field(default_factory=list)
    """The API refuses the record, as with 422: the record is set aside."""
    gone: Annotated[list[int], AfterValidator(_of_records)] = Field(default_factory=list)
    """The record does not exist, as with 404."""

    @model_validator(mode="after")
    def _have_one_meaning(self) -> "Statuses":
        every = [*self.retry, *self.refused, *self.gone]
        if twice := [status for status in every if every.count(status) > 1]:
            raise ValueError(f"{twice[0]} has two meanings; write it once")
        return self


class RateLimit(Part):
    """The headers in which an API reports its quota. Common header names are recognized without this setting."""

    remaining: str | None = None
    """The header that is 0 when a quota is used up, also beside a status of 403."""
    reset: str | None = None
    """The header that says when the quota resets: in a number of seconds, or at a time as a number since 1970."""
