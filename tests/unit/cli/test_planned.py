"""What a plan says to the one who is about to turn a sync ON: a table, and the article's question in numbers."""

from typing import Any

import pytest

from tidegate.api.plans import PlanStatus
from tidegate.api.spec import Mode
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.display import planned
from tidegate.cli.display.screen import Screen

from .situations import integration, off, plan, side, waiting

PAST, FUTURE = Mode.PAST_AND_FUTURE, Mode.FUTURE_ONLY
OFF = integration(switch="OFF", status=off())
ON = integration(status=waiting())
THREE_WAIT = integration(switch="OFF", status=off(waitingRecords=3))


def made(*sides: dict[str, Any], **changes: Any) -> PlanStatus:
    return PlanStatus.model_validate(plan(*sides, **changes))


@pytest.mark.parametrize(
    ("title", "seen", "of", "words"),
    [
        (
            "the article's question",
            OFF,
            made(side("crm", update=180, set_aside=24), side("billing", create=900, update=60, delete=40)),
            (
                "While contacts was OFF, 1,204 records changed.",
                "pushes 1,180 and sets 24 aside",
                "lets them go",
            ),
        ),
        (
            "nothing",
            OFF,
            made(),
            ("While contacts was OFF, no record changed.", "pushes nothing", "has nothing to let go"),
        ),
        (
            "one",
            OFF,
            made(side("crm", delete=1)),
            ("While contacts was OFF, 1 record changed.", "pushes 1", "lets it go"),
        ),
        (
            "all are set aside",
            OFF,
            made(side("crm", set_aside=2)),
            ("While contacts was OFF, 2 records changed.", "pushes nothing and sets 2 aside", "lets them go"),
        ),
        (
            "what waited before was not changed while OFF",
            THREE_WAIT,
            made(side("crm", update=4, set_aside=5)),
            (
                "While contacts was OFF, 6 records changed.",
                "pushes 4 and sets 2 aside; 3 that wait for a decision stay set aside",
                "lets them go",
            ),
        ),
        (
            "some of what waited before is settled",
            THREE_WAIT,
            made(side("crm", update=4, set_aside=1)),
            (
                "While contacts was OFF, 4 records changed.",
                "pushes 4; 1 that waits for a decision stays set aside",
                "lets them go",
            ),
        ),
        ("ON", ON, made(side("crm", update=4)), ("Since the last run, 4 records changed.", "pushes 4", "lets them go")),
        (
            "the first run",
            OFF,
            made(side("crm", create=4), first=True),
            ("This would be the first run of contacts: 4 records differ.", "pushes 4", "lets them go"),
        ),
    ],
)
def test_the_question_has_numbers(title: str, seen: Integration, of: PlanStatus, words: tuple[str, ...]) -> None:
    consequences = (planned.consequence(of, seen, mode) for mode in (PAST, FUTURE))
    assert (planned.found(of, seen), *consequences) == words, title


def test_reasons_to_halt_are_reported_and_rendered_inert() -> None:
    (words,) = planned.halts(made(wouldHalt=["900 of 1000 contact records are gone from \x1b[31mcrm"]))
    assert words == (
        "The full sync would halt before it does any of this: 900 of 1000 contact records are gone from  [31mcrm"
    )


def test_the_table_has_a_row_for_each_object_and_side(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().show(planned.table(made(side("crm", set_aside=24), side("billing", create=1180, update=2, delete=3))))
    assert capsys.readouterr().out.splitlines() == [
        "OBJECT   SYSTEM   CREATE  UPDATE  DELETE  SET ASIDE",
        "contact  crm           0       0       0         24",
        "contact  billing   1,180       2       3          0",
    ]
