"""Bugs of the controller: what a hurried change of it would break first."""

from mutation.seeded_bug import SeededBug

_CONTROL = "operator/tidegate/control"
_TESTS = "tests/unit/control"
_TABLE = (f"{_TESTS}/test_decision_table.py",)
_RENDER = (f"{_TESTS}/test_render.py",)

BUGS = [
    SeededBug(
        "an approval of another run counts",
        f"{_CONTROL}/due.py",
        "str(last.number) in (asked.approve, asked.allow_deletes)",
        "(asked.approve or asked.allow_deletes) is not None",
        _TABLE,
    ),
    SeededBug(
        "a run that may not know approvals is started although one is asked for",
        f"{_CONTROL}/next_run.py",
        "    if seen.integration.spec.lacks_approvals:\n",
        "    if False:\n",
        _TABLE,
    ),
    SeededBug(
        "no claim: the Job is created without its number in the status",
        f"{_CONTROL}/next_run.py",
        "claimed = status.replace(partial(SyncIntegrationStatus, run=run, next_run_at=None))",
        "claimed = status.replace(partial(SyncIntegrationStatus, next_run_at=None))",
        _TABLE,
    ),
    SeededBug(
        "generated Job names: another one at each attempt",
        f"{_CONTROL}/render.py",
        "metadata = _metadata(integration, run.job_name)",
        'metadata = _metadata(integration, f"{run.job_name}-{run.claimed_at:%H%M%S}")',
        _RENDER,
    ),
    SeededBug(
        "the newest finished Job is deleted, and its name is free for a late creation",
        f"{_CONTROL}/history.py",
        "        at = newer.run.started_at + CREATION_PATIENCE\n",
        "        at = now\n",
        _TABLE,
    ),
    SeededBug(
        "a requested reset is repeated by every run",
        f"{_CONTROL}/declared.py",
        "return requested is not None and requested != status.handled.reset_requested_at",
        "return requested is not None",
        _TABLE,
    ),
    SeededBug(
        "a declared reset is repeated by every run",
        f"{_CONTROL}/declared.py",
        "seen.integration.spec.reset and status.activation is not None and not status.activation.reset",
        "seen.integration.spec.reset and status.activation is not None",
        _TABLE,
    ),
    SeededBug(
        "OFF stops the running run",
        f"{_CONTROL}/running.py",
        "if seen.integration.spec.off_policy is OffPolicy.FINISH_RUN:",
        "if False:",
        _TABLE,
    ),
    SeededBug(
        "OFF between two runs is ignored",
        f"{_CONTROL}/decide.py",
        "    elif seen.integration.spec.status is Switch.OFF:\n        step = be_off(seen, remembered)\n",
        "",
        _TABLE,
    ),
    SeededBug(
        "OFF is honoured while a Pod is alive",
        f"{_CONTROL}/next_run.py",
        "    if seen.has_live_pod:  # the check mark must be true: no sync is running\n"
        "        return Step(Phase.TURNING_OFF, status)\n",
        "",
        _TABLE,
    ),
    SeededBug(
        "a run number is reused",
        f"{_CONTROL}/decide.py",
        "runs=max(status.runs, runs),",
        "runs=status.runs,",
        _TABLE,
    ),
    SeededBug(
        "a paused run is called paused before its Pod has ended",
        f"{_CONTROL}/running.py",
        "return job.suspended and job.suspension_seen and not job.pods and not any(p.live for p in seen.pods_of(job))",
        "return job.suspended",
        _TABLE,
    ),
    SeededBug(
        "the delay is counted from the start of the last run",
        f"{_CONTROL}/history.py",
        "        finished_at=now,\n",
        "        finished_at=run.started_at,\n",
        _TABLE,
    ),
    SeededBug(
        "both of two Pods of a run continue",
        f"{_CONTROL}/decide.py",
        "return _tell_of_lost_pod(seen, end_duplicates(seen, step), now)",
        "return _tell_of_lost_pod(seen, step, now)",
        _TABLE,
    ),
    SeededBug(
        "of two Pods of a run the one with more progress is stopped",
        f"{_CONTROL}/duplicate.py",
        "    return not pod.worker_started, pod.created_at, pod.name\n",
        "    return pod.worker_started, pod.created_at, pod.name\n",
        _TABLE,
    ),
    SeededBug(
        "a Pod that succeeded is overruled by a newer one",
        f"{_CONTROL}/observation.py",
        "    return pod.exit_code == contract.ExitCode.COMPLETE, pod.created_at, pod.live\n",
        "    return False, pod.created_at, pod.live\n",
        _TABLE,
    ),
    SeededBug(
        "turning a halted sync OFF and ON retries it",
        f"{_CONTROL}/due.py",
        "    return made_from.spec_digest != seen.integration.spec.digest\n",
        "    return made_from.generation < seen.integration.generation\n",
        _TABLE,
    ),
    SeededBug(
        "the spread offset includes the truncated fraction of a second",
        f"{_CONTROL}/due.py",
        "return TIME_RESOLUTION + spread * ",
        "return spread * ",
        (f"{_TESTS}/test_due.py",),
    ),
    SeededBug(
        "each run costs one more write, because storing its end changes the next due time",
        f"{_CONTROL}/due.py",
        "ended = last.finished_at.replace(microsecond=0)",
        "ended = last.finished_at",
        (f"{_TESTS}/test_due.py",),
    ),
    SeededBug(
        "an unfinished Job that no claim names is ignored",
        f"{_CONTROL}/decide.py",
        "    remembered = _adopt_stray_job(seen, remembered)\n",
        "",
        _TABLE,
    ),
    SeededBug(
        "a failed full sync counts as caught up",
        f"{_CONTROL}/history.py",
        "caught_up = succeeded and activation is not None and _pays(run, activation)",
        "caught_up = activation is not None and _pays(run, activation)",
        _TABLE,
    ),
    SeededBug(
        "a decision uses a view older than the operator's last write",
        f"{_CONTROL}/reconcile.py",
        "if self._is_older_than_own_writes(seen, memory) and now < memory.written_at + WRITE_VISIBLE_WITHIN:",
        "if False:",
        (f"{_TESTS}/test_reconcile.py",),
    ),
    SeededBug(
        "a Pod that is still ending is replaced",
        f"{_CONTROL}/render.py",
        '        "podReplacementPolicy": "Failed",\n',
        "",
        _RENDER,
    ),
    SeededBug(
        "a configuration error is retried",
        f"{_CONTROL}/render.py",
        '                _on_exit_codes("FailJob", _FINAL_EXIT_CODES),\n',
        "",
        _RENDER,
    ),
    SeededBug(
        "a full sync of FutureOnly pushes",
        f"{_CONTROL}/next_run.py",
        "push=kind is RunKind.INCREMENTAL or activation.mode is Mode.PAST_AND_FUTURE,",
        "push=True,",
        _TABLE,
    ),
    SeededBug(
        "a run is ready before it has caught up",
        f"{_CONTROL}/report.py",
        "(caught_up and not failing)",
        "(not failing)",
        (f"{_TESTS}/test_report.py",),
    ),
]
