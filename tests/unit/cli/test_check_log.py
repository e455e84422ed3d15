"""What a check's log says: what was read, and what does not fit, whatever else stands in it."""

import json

from tidegate.cli.display.check_log import check_log
from tidegate.cli.display.log_lines import words

SIDE = {"type": "checked", "object": "contact", "connector": "crm", "records": 2, "text": "contact in crm: 2 records"}
COMPLAINT = {"type": "complaint", "reason": "no table people"}


def test_it_has_what_was_read_and_each_complaint() -> None:
    log = check_log([json.dumps(SIDE), "free text", json.dumps(COMPLAINT), '{"type": "end"}', "{"])
    assert (log.read, log.complaints) == ([SIDE], ["no table people"])


def test_kubectl_sync_logs_shows_it_in_words() -> None:
    assert words(json.dumps(SIDE)) == "contact in crm: 2 records"
    assert words(json.dumps(COMPLAINT)) == "✗ no table people"
