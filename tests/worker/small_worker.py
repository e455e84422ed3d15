"""A small worker of another make that keeps the contract, or breaks it in the way that is named.

It copies notes from one file to another: `small_worker.py DIRECTORY work [FLAW]`; and for the systems' users:
`small_worker.py DIRECTORY reset|state|edit`.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

NOTES = 15

directory = Path(sys.argv[1])
source, target = directory / "source.json", directory / "target.json"
flaw = sys.argv[3] if len(sys.argv) > 3 else ""
# A signal has to arrive while the run is in progress, on a busy machine too.
SECONDS_PER_NOTE = 0.1 if flaw == "dies of SIGTERM" else 0.01


def read(path: Path, otherwise: Any) -> Any:
    return json.loads(path.read_text()) if path.exists() else otherwise


def write(path: Path, data: Any) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(data))
    draft.replace(path)


def reset() -> None:
    write(source, {f"note {n:02}": f"text {n}" for n in range(NOTES)})
    write(target, [])


def state() -> None:
    print(source.read_text(), target.read_text())


def edit() -> None:
    notes = read(source, {})
    notes["note 03"] += ", edited"
    write(source, notes)


def say(**said: Any) -> None:
    message: Any = {"run": int(os.environ["SYNC_RUN"]), **said}
    if flaw == "long message":
        message["reason"] = "x" * 5000
    if flaw == "message of another run":
        message["run"] = 99
    text = "all went well" if flaw == "message in words" else json.dumps(message)
    Path(os.environ["SYNC_TERMINATION_LOG"]).write_text(text)


def store(key: str, text: str) -> None:
    """Look up and write: safe to repeat, unless the flaw is not to look."""
    notes = read(target, [])
    if flaw != "makes things twice":
        notes = [note for note in notes if note[0] != key]
    write(target, sorted([*notes, [key, text]]))


def plan(cache: Path) -> int:
    seen = read(cache / "seen.json", {})
    changed = [key for key, text in read(source, {}).items() if seen.get(key) != text]
    if flaw == "plans in its cache":
        write(cache / "planned.json", changed)
    if flaw == "pushes what it plans":
        for key in changed:
            store(key, "planned")
    sides = [{"object": "note", "connector": "target", "create": len(changed)}]
    say(outcome="complete", **({} if flaw == "keeps its plan to itself" else {"plan": {"sides": sides}}))
    return 0


def work() -> int:
    terminated: list[int] = []
    if flaw == "ignores SIGTERM":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif flaw != "dies of SIGTERM":
        signal.signal(signal.SIGTERM, lambda number, _: terminated.append(number))
    known = os.environ["SYNC_PROTOCOL"] == "1" and Path(os.environ["SYNC_CONFIG"]).exists()
    if not known and flaw != "needs no configuration":
        return 2
    cache = Path(os.environ["SYNC_CACHE_DIR"])
    if "SYNC_PLAN" in os.environ and flaw != "does not know plans":
        return plan(cache)
    push = os.environ["SYNC_PUSH"] == "true" or flaw == "writes when read-only"
    if flaw == "takes the marker away":
        (cache / ".tidegate-epoch").unlink()
    memory = cache / "seen.json"
    if flaw == "needs its old cache" and os.environ["SYNC_CACHE_EPOCH"] != "1" and not memory.exists():
        return 4
    done = cache / "done"
    if done.exists() and done.read_text() == os.environ["SYNC_RUN"]:
        return 0  # a Pod that ended before it could say so is tried again
    seen = read(memory, {})
    unapproved = os.environ.get("SYNC_APPROVAL") == "always" and "SYNC_APPROVED" not in os.environ
    if flaw == "halts although it was approved":
        unapproved = "SYNC_APPROVAL" in os.environ
    changed = [key for key, text in read(source, {}).items() if seen.get(key) != text]
    if unapproved and (changed or flaw == "halts with nothing to write") and flaw != "does not know approvals":
        if flaw == "halts after its first write":
            store(changed[0], "too early")
        say(
            outcome="halted",
            found=[{"object": "note", "connector": "target", "what": "creates", "count": len(changed)}],
        )
        return 3
    if flaw == "reads once" and seen:
        return 0
    if flaw == "does something every time":
        store(f"run {os.environ['SYNC_RUN']}", "was here")
    for key, text in sorted(read(source, {}).items()):
        if seen.get(key) == text:
            continue
        if push:
            store(key, text)
        seen[key] = text
        if flaw != "makes things twice":
            write(memory, seen)
        say(outcome="running", checkpoint=key)
        time.sleep(SECONDS_PER_NOTE)
        if terminated:
            if flaw == "forgets what is left":
                write(memory, read(source, {}))
            say(outcome="paused")
            return 0 if flaw == "takes a pause for the end" else 75
    write(memory, seen)
    done.write_text(os.environ["SYNC_RUN"])
    say(outcome="complete")
    return 1 if flaw == "fails when all is done" else 0


if __name__ == "__main__":
    code = {"work": work, "reset": reset, "state": state, "edit": edit}[sys.argv[2]]()
    if flaw != "dies of SIGTERM":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Python would take its handlers away before it ends
    sys.exit(code)
