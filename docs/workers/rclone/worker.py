"""A worker around `rclone bisync`: one run by Tidegate's contract, docs/bring-your-own-worker.md.

The cache holds a baseline, bisync's listings of both sides as the last complete run left them, in one of two slots. A
run works on a copy in the other slot, and the copy becomes the baseline only when rclone has ended well. So a run that
is paused, killed or fails is simply done again: what it has copied is found to be equal on both sides.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

COMPLETE, FAILED, CONFIGURATION_ERROR, HALTED, CACHE_UNUSABLE, PAUSED = 0, 1, 2, 3, 4, 75
RCLONE_USAGE_ERROR, RCLONE_NO_DIRECTORY = 2, 3

# Files of this name are halves of copies: swept up after a run that was cut short.
PARTIAL_SUFFIX = ".sync-partial"
# A listing of one file that was never there. bisync takes an empty one for an accident.
NEVER_THERE = '# bisync listing v1\n- 1 - - 2000-01-01T00:00:00.000000000+0000 "never there"\n'

# What bisync says, from which counts and exit codes are taken: rclone is pinned in requirements.txt.
CHANGES = re.compile(r"(Path[12]): +(\d+) changes:")
TARGET = re.compile(r"(?:Do queued copies to|Resync is copying files to) +- (Path[12])")
CONFLICT = re.compile(r"New or changed in both paths")
NO_CONFLICT = re.compile(r"Files are equal! Skipping")
LISTING = re.compile(r"^Path[12]: (.*\.path[12]\.lst)-dry$", re.MULTILINE)
TOO_MANY = "Safety abort"
EMPTY = "Cannot sync to an empty directory"
BAD_REMOTE = "didn't find section in config file"


class RunEndedError(Exception):
    """The run is over before its end."""

    def __init__(self, code: int, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.outcome = code, outcome


class Message:
    """The termination message: counts for recent activity, rewritten at most once a second."""

    def __init__(self, path: Path, run: int) -> None:
        self._path = path
        self._began = self._written = time.monotonic()
        self.said: dict[str, Any] = {"run": run, "read": {}, "changed": {}, "pushed": {}, "conflicts": 0}

    def write(self, outcome: str, reason: str = "") -> None:
        """As things stand."""
        now = self._written = time.monotonic()
        said = {**self.said, "outcome": outcome, "reason": reason[:500], "seconds": round(now - self._began, 3)}
        self._path.write_text(json.dumps(said, ensure_ascii=False))  # in place: Kubernetes has mounted the file

    def write_now_and_then(self) -> None:
        """While rclone is at work."""
        if time.monotonic() - self._written > 1:
            self.write("running")

    def pushed(self, side: str, what: str) -> None:
        """One file on this side."""
        counts = self.said["pushed"].setdefault(side, {})
        counts[what] = counts.get(what, 0) + 1


@dataclass
class Work:
    """One run."""

    sides: tuple[str, str]
    max_delete: int
    flags: list[str]
    run: int
    push: bool
    allow_deletes: str
    cache: Path
    message: Message
    child: "subprocess.Popen[str] | None" = None
    terminated: bool = False
    complaints: list[str] = field(default_factory=list)

    def do(self) -> None:
        """The run; returns when it is complete, and raises RunEndedError otherwise."""
        baseline = self.baseline()
        draft = self.cache / ("b" if baseline is not None and baseline.name == "a" else "a")
        shutil.rmtree(draft, ignore_errors=True)
        if not self.push:
            draft.mkdir()
            self.accept(draft)
        else:
            self.sweep()
            (self.cache / "pushing").touch()
            if baseline is None:
                draft.mkdir()
                self.bisync(draft, "--resync", "--resync-mode=newer")
            else:
                shutil.copytree(baseline, draft)
                self.bisync(draft, f"--max-delete={self.max_delete}", *(["--force"] if self.deletes_allowed() else []))
            (self.cache / "pushing").unlink()
        self.keep(draft)

    def baseline(self) -> Path | None:
        """The slot with the listings of the last complete run."""
        pointer = self.cache / "baseline.json"
        if not pointer.exists():
            return None
        try:
            said = json.loads(pointer.read_text())
            slot, sides = self.cache / str(said["slot"]), tuple(said["sides"])
        except (ValueError, KeyError, TypeError) as error:
            raise RunEndedError(
                CACHE_UNUSABLE, "cache unusable", f"{pointer} cannot be read ({error}): reset"
            ) from error
        if sides != self.sides:
            raise RunEndedError(CACHE_UNUSABLE, "cache unusable", f"the cache is of {' and '.join(sides)}: reset")
        if not slot.is_dir():
            raise RunEndedError(CACHE_UNUSABLE, "cache unusable", f"{slot} is gone: reset")
        return slot

    def keep(self, draft: Path) -> None:
        """The draft is the baseline from now on, at one stroke."""
        listings = sorted(draft.glob("*.lst"))
        counts = [sum(not line.startswith("#") for line in listing.open()) for listing in listings]
        self.message.said["read"] = dict(zip(("path1", "path2"), counts, strict=True))
        if not any(counts):
            return  # both sides are empty, which bisync cannot remember: the next run is the first one
        pointer = self.cache / "baseline.json"
        new = pointer.with_suffix(".new")
        new.write_text(json.dumps({"slot": draft.name, "sides": self.sides}))
        for path in (*listings, draft, new, self.cache):
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        new.replace(pointer)

    def accept(self, draft: Path) -> None:
        """Remember both sides as they are, and change neither: the read-only full sync.

        bisync has no command for it. But it makes its listings first and checks them before it does anything: with one
        file that is missing and no deletes allowed it stops there. Each side then has a listing of its own, and later
        changes are found against that. `--dry-run` makes doubly sure.
        """
        code = self.rclone("bisync", *self.sides, f"--workdir={draft}", "--dry-run", *self.flags)
        listings = [Path(name) for name in LISTING.findall("\n".join(self.complaints))]
        if len(listings) != 2:
            self.give_up(code)
        for listing in listings:
            listing.write_text(NEVER_THERE)
        self.complaints.clear()
        code = self.rclone("bisync", *self.sides, f"--workdir={draft}", "--dry-run", "--max-delete=0", *self.flags)
        if any(EMPTY in complaint for complaint in self.complaints):
            reason = "FutureOnly needs a file on either side: rclone bisync cannot remember an empty one"
            raise RunEndedError(CONFIGURATION_ERROR, "configuration error", reason)
        if not any(TOO_MANY in complaint for complaint in self.complaints):
            self.give_up(code)
        for listing in listings:
            listing.with_name(f"{listing.name}-dry-new").replace(listing)
        self.message.said["changed"].clear()  # it was compared with nothing

    def bisync(self, workdir: Path, *options: str) -> None:
        """Have both sides synced."""
        # The final check would complain of differences that a read-only full sync has accepted.
        common = ("--check-sync=false", "--conflict-resolve=newer", f"--partial-suffix={PARTIAL_SUFFIX}")
        code = self.rclone("bisync", *self.sides, f"--workdir={workdir}", *common, *options, *self.flags)
        if code != 0:
            self.give_up(code)

    def sweep(self) -> None:
        """Delete what a run that was cut short has left half-copied."""
        if not (self.cache / "pushing").exists():
            return
        for side in self.sides:
            code = self.rclone("delete", side, f"--include=*{PARTIAL_SUFFIX}")
            if code not in (0, RCLONE_NO_DIRECTORY):
                self.give_up(code)
        self.complaints.clear()

    def deletes_allowed(self) -> bool:
        """Whether a person has confirmed what the last run was halted for; not for another accident later."""
        halted = self.cache / "halted"
        return bool(self.allow_deletes) and halted.exists() and halted.read_text() == self.allow_deletes

    def give_up(self, code: int) -> NoReturn:
        """Rclone has failed: what that means."""
        reason = next(iter(self.complaints), "").partition("\n")[0] or f"rclone exits with {code}"
        if any(TOO_MANY in complaint for complaint in self.complaints):
            (self.cache / "halted").write_text(str(self.run))
            raise RunEndedError(HALTED, "halted", reason)
        if any(EMPTY in complaint for complaint in self.complaints):
            reason = (
                "a side has lost all its files, and rclone bisync never empties the other one: reset, or put one back"
            )
            raise RunEndedError(HALTED, "halted", reason)
        if code == RCLONE_USAGE_ERROR or any(BAD_REMOTE in complaint for complaint in self.complaints):
            raise RunEndedError(CONFIGURATION_ERROR, "configuration error", reason)
        raise RunEndedError(FAILED, "failed", reason)

    def rclone(self, *arguments: str) -> int:
        """Run rclone to its end; its log goes to ours."""
        if self.terminated:
            raise RunEndedError(PAUSED, "paused", "")
        self.child = subprocess.Popen(
            ["rclone", *arguments, "--verbose", "--use-json-log", "--color=NEVER", "--stats=1s"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
        if self.terminated:  # between the two
            self.child.terminate()
        assert self.child.stderr is not None  # noqa: S101 - it is a pipe
        side = ""
        for line in self.child.stderr:
            print(line, end="", flush=True)
            side = self.hear(line, side)
            self.message.write_now_and_then()
        code = self.child.wait()
        if self.terminated:  # rclone calls that a success, and has left work undone
            raise RunEndedError(PAUSED, "paused", "")
        return code

    def hear(self, line: str, side: str) -> str:
        """Count what a line of the log tells; returns the side that is being written."""
        try:
            said = json.loads(line)
        except ValueError:
            self.complaints.append(line.strip())  # from before rclone has read its options
            return side
        text = str(said.get("msg", ""))
        if said.get("level") not in ("info", "notice", "debug"):
            self.complaints.append(f"{said['object']}: {text}" if "object" in said else text)
        if target := TARGET.search(text):
            side = target[1].lower()
        elif changes := CHANGES.match(text):
            self.message.said["changed"][changes[1].lower()] = int(changes[2])
        elif CONFLICT.search(text):
            self.message.said["conflicts"] += 1
        elif NO_CONFLICT.search(text):
            self.message.said["conflicts"] -= 1
        elif side and text.startswith("Copied ("):
            self.message.pushed(side, "create" if "(new" in text else "update")
        elif side and text == "Deleted":
            self.message.pushed(side, "delete")
        return side

    def terminate(self, _signal: int, _frame: object) -> None:
        """SIGTERM: rclone finishes the files that it is copying, which it gives itself 30 s for."""
        self.terminated = True
        if self.child is not None:
            self.child.terminate()


def read_order(environ: "os._Environ[str]", message: Message) -> Work:
    """What the operator has asked for. Raises RunEndedError if that is not what this worker can do."""

    def refuse(reason: str) -> NoReturn:
        raise RunEndedError(CONFIGURATION_ERROR, "configuration error", reason)

    if environ["SYNC_PROTOCOL"] != "1":
        refuse(f"this worker keeps protocol 1 of Tidegate, and is asked for {environ['SYNC_PROTOCOL']}")
    try:
        config = json.loads(Path(environ["SYNC_CONFIG"]).read_text())
    except (OSError, ValueError) as error:
        refuse(f"spec.config cannot be read: {error}")
    if not isinstance(config, dict) or set(config) - {"path1", "path2", "maxDelete", "flags"}:
        refuse("spec.config must hold path1, path2, and if you like maxDelete and flags")
    sides = config.get("path1"), config.get("path2")
    if not all(isinstance(side, str) and side and not side.startswith("-") for side in sides):
        refuse("spec.config.path1 and path2 must be what rclone calls paths: /a/directory, or remote:a/directory")
    max_delete, flags = config.get("maxDelete", 50), config.get("flags", [])
    if not isinstance(max_delete, int) or not 0 <= max_delete <= 100:
        refuse("spec.config.maxDelete must be a percentage")
    if not isinstance(flags, list) or not all(isinstance(flag, str) and flag.startswith("-") for flag in flags):
        refuse("spec.config.flags must be a list such as [--bwlimit=10M, --exclude=*.tmp]")
    return Work(
        sides=(str(sides[0]), str(sides[1])),
        max_delete=max_delete,
        flags=flags,
        run=int(environ["SYNC_RUN"]),
        push=environ["SYNC_PUSH"] == "true",
        allow_deletes=environ.get("SYNC_ALLOW_DELETES", ""),
        cache=Path(environ["SYNC_CACHE_DIR"]),
        message=message,
    )


def main() -> int:
    """One run; returns its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(PAUSED))  # nothing has been done yet
    message = Message(Path(os.environ.get("SYNC_TERMINATION_LOG", "/dev/termination-log")), int(os.environ["SYNC_RUN"]))
    message.write("running")
    try:
        work = read_order(os.environ, message)
        signal.signal(signal.SIGTERM, work.terminate)
        work.do()
    except RunEndedError as end:
        message.write(end.outcome, str(end))
        print(json.dumps({"outcome": end.outcome, "reason": str(end)}), flush=True)
        return end.code
    message.write("complete")
    return COMPLETE


if __name__ == "__main__":
    code = main()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the run has ended: how is to be heard
    sys.exit(code)
