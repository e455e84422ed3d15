"""The laws of the two merges."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.control.merge_patch import merge_patch, strategic_merge

from .model import apply_merge_patch

# Of one type for each key, as the fields of a schema are; null is what absence is to Kubernetes.
KEYS = st.sampled_from("abcd")
LEAVES = st.text(max_size=3) | st.integers(2) | st.lists(st.integers(), max_size=3)
OBJECTS = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=4), lambda inner: st.dictionaries(KEYS, LEAVES | inner, max_size=4)
)


class TestMergePatch:
    @given(old=OBJECTS, new=OBJECTS)
    def test_the_patch_of_two_applied_to_the_first_gives_the_second(
        self, old: dict[str, Any], new: dict[str, Any]
    ) -> None:
        assert apply_merge_patch(old, merge_patch(old, new)) == new

    @given(old=OBJECTS)
    def test_equal_documents_need_no_patch(self, old: dict[str, Any]) -> None:
        assert merge_patch(old, dict(old)) == {}

    @given(old=OBJECTS, new=OBJECTS)
    def test_a_patch_touches_only_what_differs(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        for key in merge_patch(old, new):
            assert old.get(key) != new.get(key)

    @pytest.mark.parametrize(
        ("old", "new", "patch"),
        [
            ({"run": {"number": 1}}, {}, {"run": None}),
            ({}, {"run": {"number": 1}}, {"run": {"number": 1}}),
            ({"run": {"number": 1, "push": True}}, {"run": {"number": 2, "push": True}}, {"run": {"number": 2}}),
            ({"run": {"number": 1, "cancelling": True}}, {"run": {"number": 1}}, {"run": {"cancelling": None}}),
            ({"list": [1, 2]}, {"list": [2]}, {"list": [2]}),
            ({"read": {"crm": 1}}, {"read": {}}, {"read": {"crm": None}}),
            ({}, {"read": {}}, {"read": {}}),
        ],
    )
    def test_examples(self, old: dict[str, Any], new: dict[str, Any], patch: dict[str, Any]) -> None:
        assert merge_patch(old, new) == patch


class TestStrategicMerge:
    @given(base=OBJECTS)
    def test_an_empty_overlay_changes_nothing(self, base: dict[str, Any]) -> None:
        assert strategic_merge(base, {}) == base

    @given(patch=OBJECTS)
    def test_an_overlay_on_nothing_is_itself(self, patch: dict[str, Any]) -> None:
        assert strategic_merge({}, patch) == patch

    @given(base=OBJECTS, patch=OBJECTS)
    def test_applying_an_overlay_twice_equals_applying_it_once(
        self, base: dict[str, Any], patch: dict[str, Any]
    ) -> None:
        once = strategic_merge(base, patch)
        assert strategic_merge(once, patch) == once

    @given(base=OBJECTS, patch=OBJECTS)
    def test_the_inputs_are_not_changed(self, base: dict[str, Any], patch: dict[str, Any]) -> None:
        before = repr((base, patch))
        strategic_merge(base, patch)
        assert repr((base, patch)) == before

    @pytest.mark.parametrize(
        ("base", "patch", "merged"),
        [
            ({"a": 1}, {"a": None}, {}),
            ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
            # Lists that are merged by a key: the base's order stays, what is new comes after it.
            (
                {"containers": [{"name": "sync", "image": "a"}, {"name": "b"}]},
                {"containers": [{"name": "c"}, {"name": "sync", "tty": True}]},
                {"containers": [{"name": "sync", "image": "a", "tty": True}, {"name": "b"}, {"name": "c"}]},
            ),
            (
                {"volumeMounts": [{"mountPath": "/tmp", "name": "tmp"}]},  # noqa: S108
                {"volumeMounts": [{"mountPath": "/tmp", "name": "own"}, {"mountPath": "/x", "name": "x"}]},  # noqa: S108
                {"volumeMounts": [{"mountPath": "/tmp", "name": "own"}, {"mountPath": "/x", "name": "x"}]},  # noqa: S108
            ),
            (
                {"ports": [{"containerPort": 80}]},
                {"ports": [{"containerPort": 80, "name": "web"}]},
                {"ports": [{"containerPort": 80, "name": "web"}]},
            ),
            # Members that exclude each other: one value takes the other's place as a whole.
            (
                {"env": [{"name": "A", "value": "1"}]},
                {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {}}}]},
                {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {}}}]},
            ),
            (
                {"volumes": [{"name": "cache", "persistentVolumeClaim": {}}]},
                {"volumes": [{"name": "cache", "emptyDir": {}}]},
                {"volumes": [{"name": "cache", "emptyDir": {}}]},
            ),
            # Other lists are replaced.
            ({"command": ["a"]}, {"command": ["b"]}, {"command": ["b"]}),
            ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "b"}]}),
            # What is malformed is left for the API server to complain of.
            (
                {"containers": [{"name": "a"}]},
                {"containers": [{"image": "b"}]},
                {"containers": [{"name": "a"}, {"image": "b"}]},
            ),
            ({"containers": [{"name": "a"}]}, {"containers": "b"}, {"containers": "b"}),
        ],
    )
    def test_as_kubernetes_merges_pod_templates(
        self, base: dict[str, Any], patch: dict[str, Any], merged: dict[str, Any]
    ) -> None:
        assert strategic_merge(base, patch) == merged

    @pytest.mark.parametrize(
        ("base", "patch", "merged"),
        [
            ({"metadata": "text"}, {"metadata": {"labels": {}}}, {"metadata": "text"}),
            ({"containers": ["sync"]}, {"containers": [{"name": "a"}]}, {"containers": ["sync", {"name": "a"}]}),
            ({"metadata": {}}, {"metadata": {"labels": {}}}, {"metadata": {"labels": {}}}),
            ({}, {"restartPolicy": "Never"}, {"restartPolicy": "Never"}),
            ({"restartPolicy": "Always"}, {"restartPolicy": "Never"}, {"restartPolicy": "Never"}),
        ],
    )
    def test_malformed_parts_of_the_base_are_kept(
        self, base: dict[str, Any], patch: dict[str, Any], merged: dict[str, Any]
    ) -> None:
        assert strategic_merge(base, patch, malformed_stays=True) == merged
