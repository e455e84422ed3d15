"""docs/reference.md is generated: what the API and the worker take, and no other."""

from documentation.pages import Page
from documentation.reference import ANNOTATIONS, LABELS, TEMPLATE_ANNOTATIONS, lines
from tidegate.api import names

PAGE = Page.read("docs/reference.md")


def test_it_is_the_generated_one() -> None:
    assert PAGE.text.splitlines() == list(lines()), "`make reference` writes it anew"


def test_it_lists_every_label_and_annotation() -> None:
    ours = {name for key, name in vars(names).items() if key.endswith("_LABEL")}
    assert LABELS.keys() == ours
    requests = (
        "_REQUESTED_ANNOTATION",
        "APPROVE_ANNOTATION",
        "_DELETES_ANNOTATION",
        "PLAN_KEY_ANNOTATION",
        "PLAN_UNDO_ANNOTATION",
        "PLAN_CHECK_ANNOTATION",
    )
    asked = {name for key, name in vars(names).items() if key.endswith(requests) or key == "DECISIONS_ANNOTATION"}
    assert ANNOTATIONS.keys() == asked
    said_of_workers = {name for key, name in vars(names).items() if key.startswith("WORKER_")}
    assert TEMPLATE_ANNOTATIONS.keys() == said_of_workers


def test_every_field_is_described() -> None:
    rows = [line for line in PAGE.text.splitlines() if line.startswith("| `")]
    silent = [row for row in rows if row.endswith("|  |")]
    assert len(rows) > 200
    assert silent == [], "describe the field in its model: by a docstring below it, or by Field(description=…)"
