"""What others take for like work on the same machine: `rclone bisync` with files, and a merge by dlt.

They are installed at the versions of opponents.txt into an environment of their own in the user's cache.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from devcluster.errors import DevclusterError
from devcluster.lock import file_lock
from devcluster.paths import cache_home
from devcluster.progress import Reporter
from worker.postgresql import postgresql

from . import contacts
from .measured import Measured, run

_HERE = Path(__file__).parent
_PINS = _HERE / "opponents.txt"
_FILES_IN_A_DIRECTORY = 200


def install(reporter: Reporter) -> Path:
    """The directory of their programs."""
    place = cache_home() / f"opponents-{hashlib.sha256(_PINS.read_bytes()).hexdigest()[:12]}"
    with file_lock(cache_home() / "opponents.lock", reporter, "installs the opponents"):
        if not place.exists():
            with reporter.step("Installing rclone and dlt", "350 MB, a minute the first time"):
                _install(place)
    return place / "bin"


def _install(place: Path) -> None:
    try:
        subprocess.run([sys.executable, "-m", "venv", place], check=True, capture_output=True, text=True)
        pip = [f"{place}/bin/pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "--requirement", str(_PINS)], check=True, capture_output=True, text=True)
    except BaseException as error:
        shutil.rmtree(place, ignore_errors=True)  # what is in place is whole
        if isinstance(error, subprocess.CalledProcessError):
            raise DevclusterError(f"the opponents could not be installed:\n{error.stderr[-2000:]}") from error
        raise


class Bisync:
    """`rclone bisync` between a directory of small files and an empty one."""

    def __init__(self, programs: Path, directory: Path, files: int) -> None:
        self._programs = programs
        self._directory = directory
        for name in ("crm", "erp"):
            (directory / name).mkdir()
        for n in range(files):
            parent = directory / "crm" / str(n // _FILES_IN_A_DIRECTORY)
            parent.mkdir(exist_ok=True)
            (parent / f"{n}.txt").write_text(f"contact {n}\n")

    def first(self) -> Measured:
        """The first sync, which copies all files."""
        return self._bisync("--resync")

    def again(self) -> Measured:
        """Another, when nothing has changed."""
        return self._bisync()

    def _bisync(self, *options: str) -> Measured:
        sides = [str(self._directory / name) for name in ("crm", "erp")]
        command = [str(self._programs / "rclone"), "bisync", *sides, "--workdir", str(self._directory / "work")]
        variables = {"RCLONE_CONFIG": str(self._directory / "no.conf")}
        return run([*command, *options], variables, self._directory / "log")


def dlt(programs: Path, directory: Path, rows: int, backend: str) -> tuple[Measured, Measured]:
    """Two merges of the same contacts from SQLite into PostgreSQL: the first, and one when nothing has changed."""
    source = directory / "crm.db"
    contacts.write_sqlite(source, rows)
    with postgresql() as server, server.database() as target:
        # The directory of the server's socket goes for the host, and the role needs a password that is not asked for.
        url = f"postgresql://tests:none@{quote(server.url(target.name).partition('host=')[2], safe='')}/{target.name}"
        command = [str(programs / "python"), str(_HERE / "dlt_merge.py"), f"sqlite:///{source}", url, backend]
        with tempfile.TemporaryDirectory(dir=directory) as home:
            variables = {"PYTHONPATH": "", "RUNTIME__DLTHUB_TELEMETRY": "false"}
            first, again = (run([*command, home], variables, directory / "log") for _ in range(2))
        ((found,),) = target.sql(f"SELECT count(*) FROM by_{backend}.contact")  # noqa: S608
    if found != rows:
        raise RuntimeError(f"dlt has merged {found} of {rows} rows")
    return first, again
