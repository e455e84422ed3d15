"""What the options refuse before any cluster is asked."""

import pytest
from click.testing import CliRunner

from tidegate.cli import options
from tidegate.cli.decisions.integration import Key
from tidegate.cli.main import sync
from tidegate.cli.selection import absence


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("contacts", "contacts"),
        ("sync/contacts", "contacts"),
        ("syncintegration/contacts", "contacts"),
        ("SyncIntegrations/contacts", "contacts"),
        ("syncintegration.tidegate.dev/contacts", "contacts"),
        ("syncintegrations.v1alpha1.tidegate.dev/contacts", "contacts"),
        ("a.b-1", "a.b-1"),
    ],
)
def test_names_are_parsed_like_kubectl_parses_them(typed: str, name: str) -> None:
    assert options.NAME.convert(typed, None, None) == name


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ("deployment/web", "'deployment/web' is no SyncIntegration: give NAME or sync/NAME"),
        ("sync/a/b", "'sync/a/b' is no SyncIntegration: give NAME or sync/NAME"),
        ("/contacts", "'/contacts' is no SyncIntegration: give NAME or sync/NAME"),
        ("", "'' is not a name that a SyncIntegration can have"),
        ("sync/", "'' is not a name that a SyncIntegration can have"),
        ("..", "'..' is not a name that a SyncIntegration can have"),
        ("Contacts", "'Contacts' is not a name that a SyncIntegration can have"),
    ],
)
@pytest.mark.parametrize("command", ["status", "off", "logs"])
def test_an_invalid_name_is_refused(typed: str, complaint: str, command: str) -> None:
    done = CliRunner().invoke(sync, [command, typed, "--kubeconfig", "/nowhere"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].endswith(complaint)


@pytest.mark.parametrize(
    ("elsewhere", "expected"),
    [
        ([], 'no SyncIntegration "contacts" in namespace default'),
        (["demo"], 'no SyncIntegration "contacts" in namespace default; there is one in demo: add -n demo'),
        (
            ["demo", "shop"],
            'no SyncIntegration "contacts" in namespace default; there are 2 of this name, in demo, shop: say which '
            "with -n",
        ),
        (
            list("abcdefg"),
            'no SyncIntegration "contacts" in namespace default; there are 7 of this name, in a, b, c, d, e, …: say '
            "which with -n",
        ),
    ],
)
def test_a_missing_sync_is_suggested_from_another_namespace(elsewhere: list[str], expected: str) -> None:
    assert absence(Key("default", "contacts"), elsewhere) == expected


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ("off contacts --pause --finish", "--pause and --finish contradict each other: give one"),
        ("off contacts --finish --pause", "--pause and --finish contradict each other: give one"),
        (
            "on contacts --future-only --past-and-future",
            "--past-and-future and --future-only contradict each other: give one",
        ),
        ("off --all -A -n sales --yes", "--all-namespaces and --namespace contradict each other: give one"),
        ("off --all -l team=sales", "--all and --selector contradict each other: give one"),
        ("off contacts --all", "give either names, or -A, -l or --all"),
        ("off", "name the SyncIntegrations, or give -l or --all"),
        ("off -A", "-A needs --all or -l: --all -A means every SyncIntegration in the cluster"),
        ("run contacts --timeout 5s", "--timeout needs --wait"),
        ("undo contacts --run 2 --timeout 5s", "--timeout needs --wait or --plan"),
        ("run contacts --as-group ops", "--as-group needs --as"),
    ],
)
def test_options_that_contradict_each_other_are_refused(typed: str, complaint: str) -> None:
    done = CliRunner().invoke(sync, [*typed.split(), "--kubeconfig", "/nowhere"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"Error: {complaint}"
