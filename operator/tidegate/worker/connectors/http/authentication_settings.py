"""Settings for how requests to a REST API are authenticated."""

from typing import Literal

from pydantic import Field, model_validator

from tidegate.worker.connectors import Part
from tidegate.worker.connectors.settings import ONE, Secret, Text, one_of


class Basic(Part):
    """A user name and a password."""

    username: Text
    """The user name, or {env: NAME} to read it from an environment variable."""
    password: Secret
    """{env: NAME}: the variable that holds the password."""


class Header(Part):
    """An API-specific header, such as X-Api-Key."""

    name: str
    """The header's name."""
    value: Secret
    """{env: NAME}: the variable that holds the header's value."""


class QueryParameter(Part):
    """An API-specific query parameter, such as api_key."""

    name: str
    """The parameter's name."""
    value: Secret
    """{env: NAME}: the variable that holds the parameter's value. It appears in no message and no log."""


class OAuth2(Part):
    """Access tokens from an authorization server: by client credentials, or by a refresh token.

    A token is renewed before it expires, and once when the API answers 401.
    """

    token_url: Text
    """The server's token endpoint, such as https://login.example/oauth2/token."""
    client_id: Text
    """The client's id, or {env: NAME}."""
    client_secret: Secret
    """{env: NAME}: the variable that holds the client's secret."""
    refresh_token: Secret | None = None
    """{env: NAME}: the variable that holds a refresh token; without it the client's own credentials are used. Where the
    server replaces the token, the new one is kept in the cache volume, encrypted with the client's secret: each sync
    needs a refresh token of its own."""
    scopes: list[str] = Field(default_factory=list)
    """The scopes to ask for; without them the server decides."""
    parameters: dict[str, str] = Field(default_factory=dict)
    """Other parameters that the token endpoint needs, such as {audience: "https://crm.example"}."""
    client_authentication: Literal["basic", "post"] = "basic"
    """Where the client's secret goes: basic sends it in a header, post in the body."""


class Authentication(Part):
    """How requests are authenticated: exactly one of these."""

    model_config = ONE

    bearer: Secret | None = None
    """{env: NAME}: the variable that holds a token, which is sent as Authorization: Bearer."""
    basic: Basic | None = None
    """A user name and a password."""
    header: Header | None = None
    """An API-specific header, such as X-Api-Key."""
    query: QueryParameter | None = None
    """An API-specific query parameter, such as api_key."""
    oauth2: OAuth2 | None = None
    """Access tokens from an authorization server."""

    @model_validator(mode="after")
    def _is_one(self) -> "Authentication":
        one_of(self)
        return self
