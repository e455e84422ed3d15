"""What the demo says besides its story; tests/e2e/test_demo.py plays it whole."""

from pathlib import Path

import pytest

from demo import epilogue
from demo.screen import Screen


def test_the_demo_names_the_path_of_the_plugin() -> None:
    assert epilogue.PLUGIN.is_file()


def test_the_demo_lists_what_remains_with_its_size_and_how_to_free_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    epilogue.say_what_stays(Screen())
    assert capsys.readouterr().out == ""
    program = tmp_path / "tidegate" / "bin" / "etcd"
    program.parent.mkdir(parents=True)
    program.write_bytes(bytes(60_000_000))
    epilogue.say_what_stays(Screen())
    assert capsys.readouterr().out.splitlines() == [
        f"Built programs and images stay in {tmp_path}/tidegate (0.1 GB), so that the next start is quick.",
        f"To free it: rm -r {tmp_path}/tidegate",
        "Go keeps its own caches: go clean -cache -modcache",
    ]
