"""What somebody is told who types the verb of another tool."""

import pytest
from click.testing import CliRunner

from tidegate.cli.main import sync


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("suspend contacts", "kubectl sync off contacts"),
        ("stop contacts -n sales", "kubectl sync off contacts -n sales"),
        ("pause contacts", "kubectl sync off --pause contacts"),
        ("resume contacts", "kubectl sync on contacts"),
        ("start", "kubectl sync on NAME"),
        ("start -n sales", "kubectl sync on NAME -n sales"),
        ("trigger contacts", "kubectl sync run contacts"),
        ("sync contacts --wait", "kubectl sync run contacts --wait"),
        ("reconcile contacts", "kubectl sync run contacts"),
        ("preview contacts --details", "kubectl sync plan contacts --details"),
        ("get", "kubectl sync status"),
        ("list -A", "kubectl sync status -A"),
        ("describe contacts", "kubectl sync status contacts"),
        ("events contacts -n sales", "kubectl events --for sync/contacts -n sales"),
        ("events sync/contacts", "kubectl events --for sync/contacts"),
        ("events", "kubectl events --for sync/NAME"),
        ("delete contacts", "kubectl delete sync contacts"),
        ("suspend 'a b'", "kubectl sync off 'a b'"),
    ],
)
def test_another_tool_s_verb_is_answered_with_the_right_command(typed: str, hint: str) -> None:
    done = CliRunner().invoke(sync, typed)
    verb = typed.split()[0]
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f'Error: there is no command "{verb}"; use: {hint}'


def test_a_typo_is_answered_with_similar_commands() -> None:
    assert CliRunner().invoke(sync, "statsu").stderr.splitlines()[-1].endswith("Did you mean 'status'?")
