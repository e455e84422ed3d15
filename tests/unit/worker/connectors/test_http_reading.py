"""A reading of a list: whatever moves on its pages, no record is left out of one that is proved whole."""

from hypothesis import given
from hypothesis import strategies as st

from tidegate.worker.connectors.http.reading import News, Reading
from tidegate.worker.connectors.http.totals import Total

SIZE = 3


class Pages:
    """A list in id order whose pages are counted, and of which a record goes or comes right before a request."""

    def __init__(self, records: int, acts: list[int], *, totals: bool) -> None:
        self.there = list(range(records))
        self.always = set(self.there)
        self.next = records
        self.acts = iter(acts)
        self.totals = totals

    def page(self, number: int) -> tuple[list[int], Total | None]:
        act = next(self.acts, 0)
        if act < 0 and self.there:
            gone = self.there.pop(-act % len(self.there))
            self.always.discard(gone)
        elif act > 0:
            self.there.append(self.next)
            self.next += 1
        return self.there[number * SIZE : (number + 1) * SIZE], Total(len(self.there), True) if self.totals else None


def read(pages: Pages) -> tuple[set[int], str]:
    """What is read of it, and the doubt that is left."""
    reading: Reading | None = Reading()
    got: set[int] = set()
    while True:
        assert reading is not None
        keys, total = pages.page(reading.pages)
        reading = Reading.of(reading.with_page(keys, total, reading.pages + 1).token)
        if not reading.only_checks:
            got |= set(keys)
        if keys:
            continue
        doubt = reading.doubt(anchored=False, counted=True)
        following = reading.again() if doubt else None
        if following is None or following.before == reading.before:
            return got, doubt
        reading = following


@given(records=st.integers(0, 20), acts=st.lists(st.sampled_from([0, 0, 0, 0, -1, -2, -7]), max_size=30))
def test_a_list_that_is_proven_complete_has_every_record_that_existed_throughout(records: int, acts: list[int]) -> None:
    """Records go meanwhile, so that others move up to pages that have been read."""
    for totals in (False, True):
        pages = Pages(records, acts, totals=totals)
        got, doubt = read(pages)
        assert doubt or got >= pages.always


@given(records=st.integers(0, 20), totals=st.booleans())
def test_an_unchanging_list_is_proven_complete(records: int, totals: bool) -> None:
    assert read(Pages(records, [], totals=totals)) == (set(range(records)), "")


def test_an_endless_list_has_many_pages_in_a_row_without_a_new_record() -> None:
    news = News()
    assert not any(news.are_over([n]) for n in range(10_000))
    assert [news.are_over([n]) for n in range(100)].index(True) == 99
