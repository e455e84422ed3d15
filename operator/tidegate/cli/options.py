"""Options: what several commands have in common, as decorators that pass the command ready-made objects."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import click

from tidegate.api import names
from tidegate.api.base import parse_duration
from tidegate.cli import complete
from tidegate.cli.cluster.client import Cluster
from tidegate.cli.cluster.kubeconfig import Connection
from tidegate.cli.display.screen import Format, Screen
from tidegate.cli.errors import NoLogError, RefusedError
from tidegate.cli.invocation import Invocation, Patience
from tidegate.cli.selection import Scope

Command = Callable[..., Any]


class DurationType(click.ParamType[timedelta]):
    """A duration as the resource writes it."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Text to timedelta; what is one already stays."""
        try:
            parsed = parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        assert isinstance(parsed, timedelta)  # noqa: S101
        return parsed


class RequestTimeoutType(DurationType):
    """A duration, or kubectl's `0` for no limit."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Text to timedelta."""
        return timedelta(0) if value == "0" else super().convert(value, param, ctx)


class NameType(click.ParamType[str]):
    """A SyncIntegration's name, or TYPE/NAME as `-o name` prints it."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """TYPE/NAME to NAME; a name that no SyncIntegration can have is refused."""
        type_, slash, name = str(value).rpartition("/")
        if slash and type_.lower() not in _TYPES:
            self.fail(f"{value!r} is no SyncIntegration: give NAME or {names.SHORT_NAME}/NAME", param, ctx)
        if not re.fullmatch(_NAME_PATTERN, name):
            self.fail(f"{name!r} is not a name that a SyncIntegration can have", param, ctx)
        return name


# As kubectl names a type: plural, singular or short, with the group, with the version.
_TYPES = {
    f"{word}{suffix}"
    for word in (names.PLURAL, names.SINGULAR, names.SHORT_NAME)
    for suffix in ("", f".{names.GROUP}", f".{names.VERSION}.{names.GROUP}")
}
_NAME_PATTERN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"

DURATION = DurationType()
NAME = NameType()

several_names = click.argument("names", metavar="[NAME]...", nargs=-1, type=NAME, shell_complete=complete.integrations)
one_name = click.argument("name", metavar="NAME", type=NAME, shell_complete=complete.integrations)

_CONNECTION = (
    click.option("-n", "--namespace", shell_complete=complete.namespaces, help="Namespace [default: the context's]."),
    click.option("--context", shell_complete=complete.contexts, help="Context of the kubeconfig."),
    click.option("--cluster", "cluster_name", help="Cluster of the kubeconfig, in place of the context's."),
    click.option("--user", help="User of the kubeconfig, in place of the context's."),
    click.option("--kubeconfig", type=click.Path(dir_okay=False), help="Kubeconfig file."),
    click.option("--as", "impersonated", metavar="USER", help="User to impersonate."),
    click.option("--as-group", "groups", metavar="GROUP", multiple=True, help="Group to impersonate; repeatable."),
    click.option(
        "--request-timeout",
        type=RequestTimeoutType(),
        help="How long to wait for the API server to answer, such as 30s; 0: no limit.",
    ),
    click.option("--no-color", is_flag=True, default=None, help="No colors; NO_COLOR=1 does the same."),
)

_SEVERAL = (
    click.option("-A", "--all-namespaces", is_flag=True, help="In all namespaces."),
    click.option("-l", "--selector", default="", help="Only those whose labels match this selector."),
)


def connection(command: Command) -> Command:
    """The options that say which cluster, as they are: for the group, which hands them down."""
    return _with(command, _CONNECTION)


def one(command: Command) -> Command:
    """For a command about one integration, whose name begins its errors: `call`, an Invocation, and `name`.

    Innermost, so that usage is checked first.
    """

    @functools.wraps(command)
    def called(*, name: str, namespace: str | None, **rest: Any) -> Any:
        try:
            return _connected(command, scope=Scope(namespace), name=name, **rest)
        except (RefusedError, NoLogError) as error:
            raise type(error)(f"{name}: {error.message}") from error

    return _with(called, _CONNECTION)


def several(command: Command) -> Command:
    """For a command about all that match: `call` and `names`."""
    return several_names(_with(_scoped(command, required=False), (*_SEVERAL, *_CONNECTION)))


def several_to_change(command: Command) -> Command:
    """Like `several`, for a command that acts: acting on all of them takes `--all`."""
    everything = click.option("--all", "everything", is_flag=True, help="All in the namespace, or with -A in all.")
    yes = click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
    return several_names(_with(_scoped(command, required=True), (everything, *_SEVERAL, yes, *_CONNECTION)))


def _scoped(command: Command, *, required: bool) -> Command:
    @functools.wraps(command)
    def called(
        *,
        names: tuple[str, ...],
        namespace: str | None,
        all_namespaces: bool,
        selector: str,
        everything: bool = False,
        **rest: Any,
    ) -> Any:
        scope = Scope(namespace, all_namespaces, selector, everything)
        scope.check(names, required=required)
        return _connected(command, scope=scope, names=names, **rest)

    return called


def _connected(
    command: Command,
    *,
    kubeconfig: str | None,
    context: str | None,
    cluster_name: str | None,
    user: str | None,
    impersonated: str | None,
    groups: tuple[str, ...],
    request_timeout: timedelta | None,
    no_color: bool,
    scope: Scope,
    output: Format | None = Format.TEXT,
    patience: Patience | None = None,
    yes: bool = False,
    **rest: Any,
) -> Any:
    if groups and not impersonated:
        raise click.UsageError("--as-group needs --as")
    screen = Screen(color=not no_color)
    connection = Connection(kubeconfig, context, cluster_name, user, impersonated, groups, request_timeout)
    if output is None:
        output = Format.TEXT if screen.out.is_terminal else Format.JSON
    cluster = Cluster.connect(connection, screen.note)
    return command(call=Invocation(cluster, scope, screen, output, patience or Patience(), yes), **rest)


def either(parameter: str, choices: Mapping[str, tuple[Any, str]]) -> Callable[[Command], Command]:
    """`parameter`: the value of the one flag that is given, or None; two of them are refused. Flag: (value, help)."""
    flags = {flag: flag.strip("-").replace("-", "_") for flag in choices}

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def called(**rest: Any) -> Any:
            given = [flag for flag, name in flags.items() if rest.pop(name)]
            _refuse_both(given)
            return command(**{parameter: choices[given[0]][0] if given else None}, **rest)

        declared = (click.option(flag, is_flag=True, help=words) for flag, (_, words) in choices.items())
        return _with(called, tuple(declared))

    return decorate


def output(*formats: Format, default: Format | None = Format.TEXT) -> Callable[[Command], Command]:
    """The output, one of these or the default; without one it is text on a terminal, and JSON elsewhere."""
    choice = click.Choice([str(each) for each in formats])
    option = click.option("-o", "--output", "output", type=choice, help="Output format.")

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def called(*, output: str | None, **rest: Any) -> Any:
            return command(output=Format(output) if output else default, **rest)

        return option(called)

    return decorate


def patience(until: str, *, plans: bool = False) -> Callable[[Command], Command]:
    """Whether to wait until this is so; `plans`: with its flag --plan (`only_plan`) the command waits for a plan."""
    waiting = "--wait or --plan" if plans else "--wait"
    options = (
        click.option("--wait", is_flag=True, help=f"Wait until {until}."),
        click.option(
            "--timeout", type=DURATION, help=f"How long {waiting} waits, such as 30s or 1h [default: no limit]."
        ),
    )

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def called(*, wait: bool, timeout: timedelta | None, **rest: Any) -> Any:
            if timeout is not None and not wait and not (plans and rest["only_plan"]):
                raise click.UsageError(f"--timeout needs {waiting}")
            return command(patience=Patience(wait, timeout), **rest)

        return _with(called, options)

    return decorate


def timeout(what: str) -> Callable[[Command], Command]:
    """How long a command waits that always does."""
    option = click.option(
        "--timeout", type=DURATION, help=f"How long to wait for {what}, such as 10m [default: no limit]."
    )

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def called(*, timeout: timedelta | None, **rest: Any) -> Any:
            return command(patience=Patience(wait=True, timeout=timeout), **rest)

        return option(called)

    return decorate


def _refuse_both(given: Sequence[str]) -> None:
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} contradict each other: give one")


def _with(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
