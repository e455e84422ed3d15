"""Ask: the questions that a human is asked on a terminal, and a script never is."""

from collections.abc import Sequence

import click

from tidegate.api.spec import Mode
from tidegate.cli.integration import Integration

_QUESTION = """\
What about the changes that were made while {names} OFF?
  1  Past and future changes: a full sync reads both sides and pushes what has changed.
  2  Future changes only: a read-only full sync pushes nothing; only later changes are pushed."""


def mode_of(future_only: bool | None) -> Mode | None:
    """The answer that the options give."""
    if future_only is None:
        return None
    return Mode.FUTURE_ONLY if future_only else Mode.PAST_AND_FUTURE


def mode(of: Sequence[Integration]) -> Mode:
    """The article's question: what turning ON does with the changes that were made while OFF."""
    names = ", ".join(integration.name for integration in of)
    click.echo(_QUESTION.format(names=f"{names} {'was' if len(of) == 1 else 'were'}"), err=True)
    answer = click.prompt("Choose", type=click.Choice(["1", "2"]), default="1", show_choices=True, err=True)
    return Mode.PAST_AND_FUTURE if answer == "1" else Mode.FUTURE_ONLY


def confirm_deletes(seen: Integration, run: int) -> bool:
    """Whether what halted a run was meant."""
    click.echo(seen.status.message or "", err=True)
    return click.confirm(f"Were these deletes meant, so that the run after run {run} may carry them out?", err=True)
