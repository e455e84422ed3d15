"""`kubectl sync` before the visitor's eyes: as a script runs it, and on a terminal, where it asks."""

from collections.abc import Sequence
from pathlib import Path

from cluster.command_line import CommandLine, plain
from demo.errors import DemoError
from demo.screen import Screen


class Plugin:
    """The plugin, on the demo's cluster and namespace."""

    def __init__(self, kubeconfig: Path, namespace: str, directory: Path, screen: Screen) -> None:
        """`directory` holds a kubeconfig of its own, with the namespace."""
        self._shell = CommandLine.open(kubeconfig, namespace, directory)
        self._screen = screen

    def show(self, *arguments: str) -> str:
        """Run it; print and return what it says."""
        self._screen.command(["kubectl", "sync", *arguments])
        done = self._shell(*arguments)
        if done.code != 0:
            raise DemoError(f"`kubectl sync {' '.join(arguments)}` failed:\n{done.err.rstrip()}")
        self._screen.output(done.out or done.err)
        return done.out

    def answer(self, *arguments: str, answers: Sequence[tuple[str, str]]) -> str:
        """Run it on a terminal, and give each question its answer; print and return what is on the terminal."""
        self._screen.command(["kubectl", "sync", *arguments])
        # A terminal that cannot move its cursor: what is drawn is then a transcript.
        with self._shell.terminal(*arguments, TERM="dumb") as terminal:
            for question, answer in answers:
                terminal.see(question)
                terminal.type(f"{answer}\n")
            code = terminal.end()
        drawn = plain(terminal.drawn).replace("\r\n", "\n")
        if code != 0:
            raise DemoError(f"`kubectl sync {' '.join(arguments)}` failed:\n{drawn.rstrip()}")
        self._screen.output(drawn)
        return drawn
