"""Last words of a worker, which anybody may have built: shown inert and bounded, and never a reason to stop."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.namespace import Namespace, Object
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode
from devcluster.cluster import Cluster

# What a kubelet passes on of a termination message.
LIMIT = 4096

HOSTILE: dict[str, str] = {
    "terminal escapes": "\x1b[2J\x1b]0;owned\x07gone",
    "control characters": "a\x00b\x08c\x7fd\x9be".replace("\x00", "\x01"),
    "lines that look like others'": "ok\nrun 99 stopped: nothing\r\nReady=True",
    "a right-to-left override": "drowssap \u202e\u2066evil\u2069",
    "zero-width and private characters": "a\u200b\u200d\ufeff\ue000b",
    "as many bytes as there may be": "x" * LIMIT,
    "as many bytes of a reason as there may be": json.dumps({"reason": "é" * 2000}, ensure_ascii=False),
    "a lone surrogate": '{"reason": "\\ud800 and more"}',
    "control characters behind escapes": '{"reason": "\\u0000\\u001b[31mred\\u202e"}',
    "deep nesting": "[" * LIMIT,
    "deep nesting that is closed": "[" * (LIMIT // 2) + "]" * (LIMIT // 2),
    "a deep reason": '{"reason": ' + "[" * 1000 + "]" * 1000 + "}",
    "a number of 4000 digits": '{"conflicts": ' + "9" * 4000 + "}",
    "a number that is no integer any more": '{"conflicts": 9223372036854775808, "read": {"crm": 1e999}}',
    "numbers that are none": '{"conflicts": NaN, "read": {"crm": Infinity, "erp": -Infinity}}',
    "negative counts": '{"conflicts": -1, "read": {"crm": -5}}',
    "truth for a count": '{"conflicts": true, "read": {"crm": false}}',
    "text for counts": '{"conflicts": "many", "read": {"crm": "all"}, "pushed": {"erp": {"created": "x"}}}',
    "lists for objects": '{"read": [1, 2], "changed": "x", "pushed": [[]], "reason": {"a": 1}}',
    "more sides than fit": json.dumps({"read": {f"side-{n}": n for n in range(200)}}),
    "names of sides that are hostile": json.dumps({"read": {"\x1b[31m\u202e" + "s" * 300: 1, "": 2}}),
    "keys of other fields": '{"run": 99, "outcome": "Succeeded", "mark": "✓", "__proto__": {"x": 1}}',
    "the same key twice": '{"reason": "one", "reason": "two"}',
    "nothing but white space": " \n\t ",
    "null": "null",
    "markup": "<script>alert(1)</script> {{ .Values }} $(reboot) `reboot`",
}


@pytest.fixture(scope="module")
def talker(control_plane: Cluster, operator: OperatorProcess) -> Iterator[tuple[Namespace, PlayedNode]]:
    """A sync whose runs say one thing after the other."""
    with (
        Namespace.create(control_plane.kubeconfig, "talker") as namespace,
        PlayedNode(control_plane.kubeconfig, namespace.name) as node,
    ):
        namespace.create_integration(status="ON", delay="1h", retries=0, activityLimit=2)
        node.end(1)
        namespace.wait_ended(1)
        yield namespace, node


def say(talker: tuple[Namespace, PlayedNode], message: str, exit_code: int) -> tuple[Object, Object]:
    """Let the next run say this; return its entry in recent activity, and the status."""
    namespace, node = talker
    run = namespace.status()["runs"] + 1
    node.end(run, exit_code, message.encode()[:LIMIT].decode(errors="replace"))
    namespace.annotate(sync_requested_at=str(run))
    entry = namespace.wait_ended(run)
    return entry, namespace.status()


@pytest.mark.parametrize("exit_code", [0, 2], ids=["✓", "✗"])
@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_text_is_shown_inert_and_the_sync_continues(
    talker: tuple[Namespace, PlayedNode], what: str, exit_code: int
) -> None:
    entry, status = say(talker, HOSTILE[what], exit_code)
    assert (entry["mark"], entry["outcome"]) == [("✓", "Succeeded"), ("✗", "ConfigurationError")][exit_code // 2]
    for text in texts(status):
        assert text.isprintable(), text
        assert len(text) <= 1024
    for side in ("read", "changed", "pushed"):
        counts = entry.get("report", {}).get(side, {})
        assert len(counts) <= 8
        assert all(0 <= count < 2**53 for count in counts.values())
    for event in talker[0].events():
        assert event["note"].isprintable()
        assert event["regarding"]["name"] == "contacts"


def texts(value: Any) -> Iterator[str]:
    """All text in a JSON value, keys too."""
    match value:
        case str():
            yield value
        case dict():
            for key, item in value.items():
                yield key
                yield from texts(item)
        case list():
            for item in value:
                yield from texts(item)


def test_honest_text_is_shown_unchanged(talker: tuple[Namespace, PlayedNode]) -> None:
    words = {
        "reason": "„Müller & Söhne“: 3 > 2, 日本語, ✓",
        "read": {"crm": 3, "erp": 2**53 - 1},
        "changed": {"crm": 0},
        "pushed": {"erp": {"created": 1, "updated": 2}},
        "conflicts": 4,
    }
    entry, status = say(talker, json.dumps(words, ensure_ascii=False), 2)
    nothing: dict[str, object] = {
        "created": {},
        "updated": {},
        "deleted": {},
        "withheld": {},
        "setAside": 0,
        "waiting": 0,
    }
    assert entry["report"] == {**words, "pushed": {"erp": 3}, **nothing}
    assert status["message"].startswith(f"run {entry['run']} stopped: {words['reason']}; ")
