"""What an API says of an error is shown in its own words, whichever shape its errors have."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.http.error_words import page_of_html, said

BODIES: dict[str, tuple[Any, str]] = {
    "PocketBase": (
        {
            "status": 400,
            "message": "Failed to create record.",
            "data": {"email": {"code": "validation_not_unique", "message": "Value must be unique."}},
        },
        "Failed to create record: email: Value must be unique.",
    ),
    "a record under data is not shown": (
        {"message": "Not allowed", "data": {"name": "Ada", "tags": ["x"]}},
        "Not allowed",
    ),
    "JSON:API": (
        {
            "errors": [
                {
                    "status": "422",
                    "source": {"pointer": "/data/attributes/firstName"},
                    "title": "Invalid Attribute",
                    "detail": "must contain at least two characters.",
                },
                {"source": {"parameter": "include"}, "title": "Invalid Query Parameter"},
            ]
        },
        "firstName: must contain at least two characters.; include: Invalid Query Parameter",
    ),
    "problem+json": (
        {"type": "https://example.net/v", "title": "Invalid", "detail": "Your request is not valid."},
        "Your request is not valid.",
    ),
    "problem+json with parameters": (
        {"title": "Your request is not valid.", "invalid-params": [{"name": "age", "reason": "must be positive"}]},
        "Your request is not valid: age: must be positive",
    ),
    "ASP.NET": (
        {"title": "One or more errors occurred.", "status": 400, "errors": {"Email": ["The Email is not valid."]}},
        "One or more errors occurred: Email: The Email is not valid.",
    ),
    "Django REST framework": ({"email": ["This field must be unique."]}, "email: This field must be unique."),
    "FastAPI": (
        {"detail": [{"loc": ["body", "email"], "msg": "field required", "type": "value_error.missing"}]},
        "email: field required",
    ),
    "Laravel": (
        {"message": "The given data was invalid.", "errors": {"email": ["The email has already been taken."]}},
        "The given data was invalid: email: The email has already been taken.",
    ),
    "GitHub": (
        {"message": "Validation Failed", "errors": [{"resource": "Issue", "field": "title", "code": "missing_field"}]},
        "Validation Failed: title: missing_field",
    ),
    "Stripe": ({"error": {"message": "No such customer", "param": "customer"}}, "No such customer"),
    "Google": ({"error": {"code": 404, "message": "Not here", "errors": [{"message": "Not here"}]}}, "Not here"),
    "OData": ({"error": {"code": "", "message": {"lang": "en", "value": "A value is wrong"}}}, "A value is wrong"),
    "Salesforce": ([{"message": "duplicate value found", "errorCode": "DUPLICATE_VALUE"}], "duplicate value found"),
    "a sentence": ("no", "no"),
    "nothing": ({"ok": False}, ""),
}


@pytest.mark.parametrize("shape", BODIES)
def test_the_error_text_is_found_in_each_format(shape: str) -> None:
    body, words = BODIES[shape]
    assert said(body) == words


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["errors", "data", "message", "x"]), inner),
)


@given(JSON)
def test_the_error_text_is_one_printable_line(body: Any) -> None:
    words = said(body)
    assert words.isprintable()
    assert len(words) <= 2000


def test_a_deeply_nested_or_large_body_is_bounded() -> None:
    body: Any = "deep"
    for _ in range(5000):
        body = {"error": body}
    assert said(body) == ""
    assert said({"errors": [{"message": "m" * 5000}] * 1000}) == "m" * 2000


PAGES = {
    "<!DOCTYPE html><title>Sign in to crm</title>": "a login page titled 'Sign in to crm'",
    '<html><form><input name=p type="password"></form>': "a login page",
    "<html><head><title>502\n Bad Gateway</title>": "a page of HTML titled '502 Bad Gateway'",
    "plain": "",
    '{"x": "<html>"}': "",
}


@pytest.mark.parametrize("text", PAGES)
def test_a_login_page_is_recognized(text: str) -> None:
    assert page_of_html(text) == PAGES[text]
    answer = Answer(403, {"content-type": "text/html"}, text.encode(), "https://x", None)
    if "page" in PAGES[text]:
        assert answer.words() == f"403 Forbidden: {PAGES[text]}"
        assert answer.not_json(ValueError()).startswith(f"the answer is {PAGES[text]} and not JSON")
