"""docs/metrics.md lists every series of the operator, with its type and labels, and no other."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from documentation.pages import Page
from tidegate.control.freshness import Freshness
from tidegate.control.metrics import Metrics
from tidegate.control.queue import WorkQueue
from tidegate.control.report import report
from unit.control.situations import FINISHED, FIRST, NOW, OFF, RUNNING, Situation, pod

PAGE = Page.read("docs/metrics.md")
OF_A_SYNC = {"namespace", "name"}
SAID = (
    '{"read": {"crm": 3}, "pushed": {"erp": {"create": 1, "update": 1, "delete": 1}}, '
    '"withheld": {"crm": {"create": 1}}, "setAside": 1, "waiting": 1}'
)


def exposed() -> str:
    """What is served after a run has ended and an OFF is honoured, so that every series has a value."""
    metrics, freshness = Metrics(lambda: NOW), Freshness()
    freshness.saw(("jobs", ""), "uid", 1)
    ended = FINISHED.but(pods=(pod(FIRST, 0, message=SAID),))
    waiting = written(metrics, ended)
    written(metrics, waiting, NOW + timedelta(hours=1))
    written(metrics, RUNNING.but(spec=OFF))
    written(metrics, ended.but(spec=OFF))
    metrics.reconciled(0.1)
    metrics.failed("api")
    metrics.observe(lambda: [waiting.observe().integration], WorkQueue(), freshness)
    metrics.observe_process(ready=lambda: True, leading=lambda: True)
    return metrics.exposition().decode()


def written(metrics: Metrics, given: Situation, at: datetime = NOW) -> Situation:
    """The status that follows is written, and counted."""
    seen = given.observe()
    status = report(seen, given.decide(at), at)
    metrics.wrote(seen.integration, status)
    return given.but(status=status)


def served() -> Iterator[tuple[str, str, frozenset[str]]]:
    for family in text_string_to_metric_families(exposed()):
        if family.name.startswith("process_") or family.name.endswith("_created"):
            continue
        assert family.samples, family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        yield family.name + ("_total" if family.type == "counter" else ""), family.type, frozenset(labels)


def listed() -> Iterator[tuple[str, str, frozenset[str]]]:
    for title, common in (("Of each sync", OF_A_SYNC), ("Of all syncs", set()), ("Of the operator", set())):
        for name, kind, labels, _ in PAGE.section(title).rows(4):
            yield name.strip("`"), kind, frozenset(common | set(re.findall(r"`(\w+)`", labels)))


def test_it_lists_every_series_with_its_type_and_labels() -> None:
    assert set(listed()) == set(served())
    assert len(list(listed())) == len(set(listed()))


def test_it_names_the_series_of_the_process() -> None:
    names = set(re.findall(r"^(process_\w+) ", exposed(), re.M))
    assert set(re.findall(r"`(process_\w+)`", PAGE.section("Of the operator").text)) == names
