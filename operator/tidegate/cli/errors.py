"""Errors: how a command ends when it fails: one sentence, and an exit code that scripts can rely on."""

from enum import IntEnum

import click


class ExitCode(IntEnum):
    """What a script learns. For several integrations the highest code counts."""

    DONE = 0
    FAILED = 1  # refused, or a run failed, or the cluster could not be reached
    USAGE = 2  # click's own
    STALLED = 3
    TIMED_OUT = 4
    NOT_FOUND = 5
    INTERRUPTED = 130


EXIT_CODES = """\b
Exit codes:
  0    done
  1    refused or failed; the message says why
  2    invalid usage
  3    stalled: manual action is needed, and the message says which
  4    timed out (--timeout)
  5    no such SyncIntegration, run or log
  130  interrupted by Ctrl-C; the operation continues in the cluster
For several SyncIntegrations, the highest code counts."""


class CommandError(click.ClickException):
    """Ends the command; the message is one plain sentence for its user."""

    exit_code = ExitCode.FAILED


class RefusedError(CommandError):
    """The request would not do what it says; the message says what would."""


class ClusterError(CommandError):
    """The cluster cannot be reached, or refuses; in its own words where it has any."""


class NotFoundError(CommandError):
    """There is nothing of this name."""

    exit_code = ExitCode.NOT_FOUND


class NoLogError(NotFoundError):
    """A run has no log; the message says why."""


class NotInstalledError(NotFoundError):
    """The cluster does not know the kind."""
