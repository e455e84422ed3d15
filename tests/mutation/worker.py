"""Bugs of the sync worker's engine: each has been made, in some tool or in a draft of this one."""

from mutation.seeded_bug import SeededBug

_ENGINE = "operator/tidegate/worker"
_TESTS = "tests/unit/worker"

BUGS = [
    SeededBug(
        "create without look-up",
        f"{_ENGINE}/push.py",
        "    look_up(session, both, works, first_pass=first_pass)\n",
        "",
        (f"{_TESTS}/test_pair.py", f"{_TESTS}/test_push.py"),
    ),
    SeededBug(
        "the cursor is committed before the data",
        f"{_ENGINE}/scan.py",
        "            _take(session, source, page.records)\n            progress.after = page.after\n",
        "            progress.after = page.after\n"
        "        with session.commit():\n            _take(session, source, page.records)\n",
        (f"{_TESTS}/test_crash_points.py",),
    ),
    SeededBug(
        "the shadow is set by the scan",
        f"{_ENGINE}/scan.py",
        "    if not session.progress.push:\n        session.cache.set_shadows(",
        "    if True:\n        session.cache.set_shadows(",
        (f"{_TESTS}/test_push.py",),
    ),
    SeededBug(
        "a read-only run that pushes",
        f"{_ENGINE}/environment.py",
        '        push=push == "true",\n',
        "        push=True,\n",
        (f"{_TESTS}/test_scan.py",),
    ),
    SeededBug(
        "no read-back: what was sent is taken for what was stored",
        f"{_ENGINE}/acknowledge.py",
        "shadow.append(stored[i] if done[side] else seen[i])",
        "shadow.append(work.hashes[across][i] if done[side] else seen[i])",
        (f"{_TESTS}/test_push.py",),
    ),
    SeededBug(
        "an update without compare-and-set",
        f"{_ENGINE}/connectors/sql/rows.py",
        "            if not is_as_expected(current.get(expected.key), expected):\n",
        "            if expected.key not in current:\n",
        (f"{_TESTS}/test_push.py",),
    ),
    SeededBug(
        "a delete without compare-and-set",
        f"{_ENGINE}/connectors/sql/rows.py",
        "for record in expected if is_as_expected(current.get(record.key), record)]",
        "for record in expected if record.key in current]",
        (f"{_TESTS}/test_push.py",),
    ),
    SeededBug(
        "no echo recovery",
        f"{_ENGINE}/recover.py",
        "        if intended == now:\n",
        "        if False:\n",
        (f"{_TESTS}/test_recover.py",),
    ),
    SeededBug(
        "intents are written down after the write",
        f"{_ENGINE}/push.py",
        "    _intend(session, both, works)\n    for side in SIDES:\n        _write(both, works, side)\n",
        "    for side in SIDES:\n        _write(both, works, side)\n    _intend(session, both, works)\n",
        (f"{_TESTS}/test_crash_points.py", f"{_TESTS}/test_histories.py"),
    ),
    SeededBug(
        "the guard comes after the push",
        f"{_ENGINE}/run.py",
        "        guard(session)\n        _enter_push(session)\n"
        '    if progress.phase == "push":\n        push(session)\n',
        "        _enter_push(session)\n"
        '    if progress.phase == "push":\n        push(session)\n        guard(session)\n',
        (f"{_TESTS}/test_guard.py",),
    ),
    SeededBug(
        "the visited bitmap is lost between pages",
        f"{_ENGINE}/cache.py",
        "            bits = self._bits(chunk)\n            for rid in group:\n",
        "            bits = bytearray(_CHUNK // 8)\n            for rid in group:\n",
        (f"{_TESTS}/test_cache.py", f"{_TESTS}/test_crash_points.py"),
    ),
    SeededBug(
        "the marker of a wipe is written first",
        f"{_ENGINE}/epoch.py",
        "    marker.unlink(missing_ok=True)\n    _flush(directory)\n",
        "    _write(marker, epoch)\n",
        (f"{_TESTS}/test_epoch.py",),
    ),
    SeededBug(
        "what is parked is dropped in silence",
        f"{_ENGINE}/acknowledge.py",
        "    for i in patch.parked:\n",
        "    for i in patch.parked[:0]:\n",
        (f"{_TESTS}/test_push.py",),
    ),
    SeededBug(
        "a conflict is taken for settled while its record is edited",
        f"{_ENGINE}/acknowledge.py",
        "        elif i in patch.parked and changed:\n",
        "        elif False:\n",
        (f"{_TESTS}/test_push.py",),
    ),
    SeededBug(
        "an edit loses to a delete",
        f"{_ENGINE}/merge.py",
        "    if new or edited or doubtful:\n",
        "    if new or doubtful:\n",
        (f"{_TESTS}/test_merge.py",),
    ),
    SeededBug(
        "a blank overwrites a value at the first pairing",
        f"{_ENGINE}/merge.py",
        " and now[side] != blank)\n",
        ")\n",
        (f"{_TESTS}/test_merge.py",),
    ),
    SeededBug(
        "what differs and was accepted flows later",
        f"{_ENGINE}/merge.py",
        "    if seen[0] is None or seen[1] is None:\n",
        "    if True:\n",
        (f"{_TESTS}/test_merge.py",),
    ),
    SeededBug(
        "one of several that match is taken",
        f"{_ENGINE}/pair.py",
        "for key, rid, count in ours if count == 1 and key in across",
        "for key, rid, count in ours if key in across",
        (f"{_TESTS}/test_pair.py",),
    ),
    SeededBug(
        "newly paired records keep what they were known for",
        f"{_ENGINE}/lookup.py",
        "        cache.pair([(rid, across)])\n",
        "        cache.link([(rid, across)])\n",
        (f"{_TESTS}/test_pair.py",),
    ),
    SeededBug(
        "deletes are confirmed once and for all",
        f"{_ENGINE}/guard.py",
        'allowed is not None and allowed == session.cache.recall("halted")',
        "allowed is not None",
        (f"{_TESTS}/test_guard.py",),
    ),
    SeededBug(
        "a scan of changes takes for deleted what it has not read",
        f"{_ENGINE}/scan.py",
        "    if progress.whole:\n        for missed",
        "    if True:\n        for missed",
        (f"{_TESTS}/test_scan.py",),
    ),
    SeededBug(
        "what has vanished since the scan is deleted past the guard",
        f"{_ENGINE}/push.py",
        "        if linked and not work.gone[side]:\n            return None\n",
        "",
        (f"{_TESTS}/test_guard.py",),
    ),
    SeededBug(
        "changes are read without an overlap",
        f"{_ENGINE}/scan.py",
        "Window(since, progress.until, session.sync.overlap)",
        "Window(since, progress.until, type(session.sync.overlap)(0))",
        (f"{_TESTS}/test_scan.py",),
    ),
    SeededBug(
        "another run goes on from the checkpoint of the last",
        f"{_ENGINE}/progress.py",
        "        same = (progress.run, progress.scope, progress.push) == (order.run, order.scope, order.push)\n",
        "        same = True\n",
        (f"{_TESTS}/test_recover.py",),
    ),
]
