"""Names of what belongs to an integration: valid, short enough, and never shared."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api import names

# A DNS subdomain, as the API server allows for a resource's name.
LABEL = r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
RESOURCE_NAMES = st.from_regex(rf"\A{LABEL}(\.{LABEL}){{0,7}}\Z").filter(lambda name: len(name) <= 253)
UIDS = st.uuids().map(str)
RUNS = st.integers(1, 10**12)
JOB_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")


@given(name=RESOURCE_NAMES, uid=UIDS, run=RUNS)
def test_a_job_s_name_can_be_a_host_name_and_a_label_value(name: str, uid: str, run: int) -> None:
    assert JOB_NAME.fullmatch(names.job_name(name, uid, run))


@given(name=RESOURCE_NAMES, uid=UIDS)
def test_a_cache_s_name_has_the_same_limit(name: str, uid: str) -> None:
    assert JOB_NAME.fullmatch(names.cache_name(name, uid))


@given(name=RESOURCE_NAMES)
def test_a_resource_s_name_is_truncated_to_a_label_value(name: str) -> None:
    assert LABEL_VALUE.fullmatch(names.label_value(name))
    assert name.startswith(names.label_value(name))


@given(name=RESOURCE_NAMES, uid=UIDS, runs=st.sets(RUNS, min_size=2, max_size=2))
def test_runs_have_distinct_names(name: str, uid: str, runs: set[int]) -> None:
    one, other = runs
    assert names.job_name(name, uid, one) != names.job_name(name, uid, other)


@given(name=RESOURCE_NAMES, uids=st.sets(UIDS, min_size=2, max_size=2), run=RUNS)
def test_a_recreated_resource_does_not_get_its_predecessor_s_job_or_cache(name: str, uids: set[str], run: int) -> None:
    one, other = uids
    assert names.job_name(name, one, run) != names.job_name(name, other, run)
    assert names.cache_name(name, one) != names.cache_name(name, other)


@given(name=RESOURCE_NAMES, uid=UIDS, run=RUNS)
def test_the_same_input_gives_the_same_name(name: str, uid: str, run: int) -> None:
    assert names.job_name(name, uid, run) == names.job_name(name, uid, run)
    assert names.job_name(name, uid, run) != names.cache_name(name, uid)


@pytest.mark.parametrize(
    ("one", "other"), [("a.b", "a-b"), ("x" * 40 + "1", "x" * 40 + "2"), ("x" * 40, "x" * 39 + "." + "x")]
)
def test_names_that_are_truncated_alike_stay_distinct(one: str, other: str) -> None:
    uid = "5f0c7a52-7f6a-4c59-9d0e-6f0d3b7c1a11"
    assert names.job_name(one, uid, 1) != names.job_name(other, uid, 1)


def test_a_job_s_name_is_readable() -> None:
    name = names.job_name("crm-to-billing", "5f0c7a52-7f6a-4c59-9d0e-6f0d3b7c1a11", 12)
    assert re.fullmatch(r"crm-to-billing-[0-9a-f]{8}-12", name)
