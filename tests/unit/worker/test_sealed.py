"""Details of a plan are sealed: the one who has the private key reads them all, and nobody else reads any."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from tidegate.worker.errors import ConfigurationError
from tidegate.worker.run.sealed import Seal

ASKED_BY = PrivateKey(bytes(range(32)))
KEY = base64.b64encode(bytes(ASKED_BY.public_key)).decode()

_VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=999)


def opened(boxes: Sequence[dict[str, str]], private: PrivateKey = ASKED_BY) -> list[Any]:
    lines = b"".join(SealedBox(private).decrypt(base64.b64decode(box["data"])) for box in boxes)
    return [json.loads(line) for line in lines.decode().split("\n")[:-1]]


def update(key: object, before: object, after: object) -> dict[str, Any]:
    return {"type": "planned", "object": "contact", "what": "update", "id": key, "fields": {"name": [before, after]}}


@given(st.lists(st.tuples(st.integers(), _VALUES, _VALUES), max_size=30))
def test_the_one_who_asked_reads_each_detail_in_order(changes: list[tuple[int, Any, Any]]) -> None:
    details = [update(*change) for change in changes]
    assert opened(list(Seal(KEY).boxes(details))) == json.loads(json.dumps(details).encode("utf-8", "replace"))


def test_no_other_key_decrypts_a_value() -> None:
    boxes = list(Seal(KEY).boxes([update(7, "Ada", "Ada Lovelace")]))
    assert "Ada" not in json.dumps(boxes)
    with pytest.raises(CryptoError):
        opened(boxes, PrivateKey.generate())


def test_boxes_are_bounded_and_begin_with_a_whole_line() -> None:
    details = [update(n, "a" * 500, "b" * 500) for n in range(200)]
    boxes = list(Seal(KEY).boxes(details))
    assert len(boxes) == 5
    assert max(len(box["data"]) for box in boxes) < 66_000
    assert [each["id"] for box in boxes for each in opened([box])] == list(range(200))


def test_a_long_value_is_cut_and_says_how_long_it_is() -> None:
    (told,) = opened(list(Seal(KEY).boxes([update(7, None, "x" * 2_000_000)])))
    assert told["fields"]["name"] == [None, "x" * 1000 + "… (2,000,000 characters)"]


@pytest.mark.parametrize(
    "key", ["no base64!", base64.b64encode(b"31 bytes are not enough for one").decode(), KEY + "=", "ä"]
)
def test_an_invalid_key_is_refused_with_a_message(key: str) -> None:
    with pytest.raises(ConfigurationError, match="SYNC_PLAN_KEY must be the base64 of an X25519 public key"):
        Seal(key)
