"""What the options refuse before any cluster is asked."""

import pytest
from click.testing import CliRunner

from tidegate.cli.main import sync


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
    ],
)
def test_options_that_contradict_each_other_are_refused(typed: str, complaint: str) -> None:
    done = CliRunner().invoke(sync, [*typed.split(), "--kubeconfig", "/nowhere"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"Error: {complaint}"
