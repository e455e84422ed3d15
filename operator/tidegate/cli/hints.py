"""Hints: the verbs of kubectl, Flux and similar tools → the command that means the same here."""

import shlex
from collections.abc import Sequence

import click
from click.exceptions import NoSuchCommand

# NAME stands for a SyncIntegration, where the command needs one.
_MEANS = {
    **dict.fromkeys(("suspend", "stop", "disable"), "kubectl sync off NAME"),
    "pause": "kubectl sync off --pause NAME",
    **dict.fromkeys(("resume", "start", "enable", "unpause"), "kubectl sync on NAME"),
    **dict.fromkeys(("trigger", "sync", "reconcile", "refresh"), "kubectl sync run NAME"),
    **dict.fromkeys(("preview", "diff", "dry-run"), "kubectl sync plan NAME"),
    **dict.fromkeys(("validate", "verify", "test", "doctor"), "kubectl sync check NAME"),
    **dict.fromkeys(("get", "list", "ls", "describe", "show"), "kubectl sync status"),
    **dict.fromkeys(("event", "events"), "kubectl events --for sync/NAME"),
    **dict.fromkeys(("delete", "rm", "remove"), "kubectl delete sync NAME"),
    **dict.fromkeys(("confirm", "confirm-deletes", "accept", "allow"), "kubectl sync approve NAME"),
    **dict.fromkeys(("revert", "rollback"), "kubectl sync undo NAME --run"),
    "edit": "kubectl edit sync NAME",
    "log": "kubectl sync logs NAME",
    "history": "kubectl sync activity NAME",
}


class Command(click.Command):
    """A command whose one-line description is the first line of its help, and never cut."""

    def get_short_help_str(self, limit: int = 0) -> str:
        """That line, without its full stop."""
        return (self.help or "").split("\n")[0].removesuffix(".")


class HintingGroup(click.Group):
    """A group that answers an unknown command by its meaning, before its spelling."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises NoSuchCommand with a command line that can be pasted."""
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            meant = hint(error.command_name, args[1:])
            if meant is None:
                raise
            message = f'there is no command "{error.command_name}"; use: {meant}'
            raise NoSuchCommand(error.command_name, message, ctx=ctx) from error


def hint(verb: str, arguments: Sequence[str]) -> str | None:
    """The command line to use instead, with what was typed after the verb; None where the verb means nothing."""
    command = _MEANS.get(verb.lower())
    if command is None:
        return None
    rest = list(arguments)
    if "NAME" in command and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        name = name.rpartition("/")[2] if command.endswith("/NAME") else name
        command = command.replace("NAME", shlex.quote(name))
    return f"{command} {shlex.join(rest)}".strip()
