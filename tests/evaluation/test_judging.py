"""A judge at work: what he is asked, in what order, and where he goes on."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from sites import stored, view

from recommender.articles.article import Article
from recommender.errors import InputError
from recommender.evaluation.judgements import Source, lists_by_page
from recommender.evaluation.judging import BEGINNING, Judging, Plan, begin, population, shown
from recommender.store import grades
from recommender.store.database import Store
from recommender.store.grades import Grade

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
N = 40
PAGES = [f"page{n:02}" for n in range(N)]
LINKS = [f"link{n:02}" for n in range(12)]
# Beside every page the new list and the old one share two links of five.
NEW = dict.fromkeys(PAGES, LINKS[:5])
OLD = dict.fromkeys(PAGES, LINKS[3:8])
LISTS = [lists_by_page("new", NEW), lists_by_page("old", OLD)]


def site(store: Store, read: Mapping[str, int] | None = None) -> Store:
    """Pages, and links without lists; ``read`` is how often pages are."""
    articles = [Article(id, f"About {id}", "A text. " * 3) for id in (*PAGES, *LINKS)]
    times = {page: 1 + n for n, page in enumerate(PAGES)} if read is None else read
    events = (
        view(f"{page}-{n}", page, "link00", day=n % 7)
        for page, m in times.items()
        for n in range(m)
    )
    return stored(store, articles, events)


@pytest.fixture
def asked() -> Store:
    return site(Store("sqlite://"))


class Clock:
    """It goes on by a second whenever it is asked."""

    def __init__(self) -> None:
        self.seconds = 0

    def __call__(self) -> datetime:
        self.seconds += 1
        return NOON + timedelta(seconds=self.seconds)


CLOCK = Clock()


def judge(
    store: Store, by: str = "ann", lists: Iterable[Source] = LISTS, **plan: object
) -> Judging:
    judging, _ = begin(store, [*lists], Plan(**plan), by=by, clock=CLOCK)  # type: ignore[arg-type]
    return judging


def answered(judging: Judging, n: int = 10**6) -> list[tuple[str, str]]:
    """The pairs that were asked, of which the first ``n`` are graded."""
    pairs = []
    while n > 0 and (step := judging.step) is not None:
        pairs.append((step.page.page.id, step.link.id))
        judging.grade(2)
        n -= 1
    return pairs


def test_each_link_of_the_lists_is_asked_once_as_deep_as_stated(asked: Store):
    """Eight of two lists of five, six of two of three; kept at once."""
    pairs = answered(judge(asked, n_pages=3))

    assert Counter(Counter(page for page, _ in pairs).values()) == {8: 3}
    assert len({*pairs}) == 24
    assert [grade.pair for grade in grades.read(asked)] == sorted(pairs)
    with Store("sqlite://") as other:
        assert len(answered(judge(site(other), n_pages=3, depth=3))) == 18


def test_the_order_gives_no_list_away(asked: Store):
    """In the mean over pages a link of either list, and the first and the last of each, stands in
    the middle; no page has the order of another, and no judge that of another.
    """
    orders: dict[str, list[str]] = {}
    for page, link in answered(judge(asked, n_pages=N)):
        orders.setdefault(page, []).append(link)

    places = Counter(dict.fromkeys(LINKS[:8], 0))
    for order in orders.values():
        places.update({link: place for place, link in enumerate(order)})
    for link in LINKS[:8]:
        assert places[link] / N == pytest.approx(3.5, abs=1.2)
    assert len({tuple(order) for order in orders.values()}) > N - 3
    first = judge(asked, by="ben", n_pages=N)
    assert first.step is not None
    assert [link.id for link in first.step.page.links] != orders[first.step.page.page.id]


def test_what_a_judge_sees_names_no_list(asked: Store):
    """A step holds articles and numbers, nothing else."""
    step = judge(asked).step
    assert step is not None

    words = repr(step)

    for name in ("new", "old", "list", "model", "hand", "text", "origin", "position", "score"):
        assert f"'{name}" not in words
        assert f" {name}=" not in words


def test_he_goes_on_where_he_stopped(asked: Store):
    """The same pages and the same order; nothing graded is asked again; then all is done."""
    whole = answered(judge(site(Store("sqlite://")), n_pages=5))

    first = answered(judge(asked, n_pages=5), 11)
    again = judge(asked, n_pages=5)
    assert again.step is not None
    assert (again.step.page_number, again.step.link_number) == (2, 4)
    rest = answered(again)

    assert first + rest == whole
    done = judge(asked, n_pages=5)
    assert (done.step, done.n_given, done.n_skipped) == (None, 0, 0)


def test_another_day_and_another_log_change_no_draw(asked: Store):
    """The pages stay, however often they are read meanwhile; more pages go on in their order."""
    first = answered(judge(asked, n_pages=4))
    asked.add_events([view(f"x{n}", PAGES[0], "link00", day=9) for n in range(500)])

    more = answered(judge(asked, n_pages=8))

    assert {page for page, _ in first}.isdisjoint({page for page, _ in more})
    with Store("sqlite://") as other:
        assert answered(judge(site(other), n_pages=8)) == first + more


def test_a_new_list_asks_for_what_it_brings_among_as_many_links_graded_before(asked: Store):
    """On the same pages; whether a link is new cannot be seen, and the last grade counts."""
    answered(judge(asked, n_pages=3))
    newer = lists_by_page("newer", {page: ["link00", "link10", "link11"] for page in PAGES})

    judging = judge(asked, lists=[*LISTS, newer], n_pages=3)
    pairs = []
    while (step := judging.step) is not None:
        assert step.grade is None
        pairs.append((step.page.page.id, step.link.id))
        judging.grade(2 if len(pairs) % 2 else 3)

    new = {(page, link) for page, link in pairs if link in ("link10", "link11")}
    again = {*pairs} - new
    assert len(pairs) == 12
    assert (len(new), len(again)) == (6, 6)
    assert pairs != sorted(pairs, key=lambda pair: (pair[0], pair in again))
    found = {grade.pair: grade.grade for grade in grades.read(asked)}
    assert judging.n_again == 6
    assert judging.n_alike == sum(found[pair] == 2 for pair in again)
    assert judging.back()
    assert judging.step is not None
    assert judging.step.grade == found[pairs[-1]]
    assert judge(asked, lists=[*LISTS, newer], n_pages=3).step is None


def test_pages_are_drawn_as_often_as_they_are_read():
    """A page that has nine tenths of the readings is in every sample; one that nobody reads, in
    none; drawn alike, each is in as many as any other.
    """
    read = dict.fromkeys(PAGES[1:20], 10) | {PAGES[0]: 2_000}
    firsts: dict[str, Counter[str]] = {"views": Counter(), "pages": Counter()}
    for sampling, found in firsts.items():
        with Store("sqlite://") as store:
            site(store, read)
            for seed in range(100):
                plan = Plan(4, sampling, seed, redraw=True)
                judging, _ = begin(store, LISTS, plan, by="ann", clock=CLOCK)
                answers = answered_pages(judging)
                found.update(answers)

    assert firsts["views"][PAGES[0]] == 100
    assert sum(firsts["views"][page] for page in PAGES[20:]) == 0
    assert max(firsts["pages"].values()) < 25
    assert firsts["pages"].total() == firsts["views"].total() == 400


def answered_pages(judging: Judging) -> list[str]:
    pages = []
    while (step := judging.step) is not None:
        pages.append(step.page.page.id)
        judging.skip_page()
    return pages


def test_judges_share_the_stated_part_of_pages(asked: Store):
    """Of 20 pages and a quarter: five are asked of everybody, the others of one."""
    by = {}
    for name in ("ann", "ben", "cid"):
        judging = judge(asked, by=name, n_pages=20, overlap=0.25)
        by[name] = Counter(page for page, _ in answered(judging, 64))  # eight pages each

    judges = Counter(page for pages in by.values() for page in pages)
    assert Counter(judges.values())[3] >= 2
    shared = {page for page, n in judges.items() if n > 1}
    draw = grades.drawn(asked)
    assert draw is not None
    assert shared == {draw.pages[place].source_id for place in (0, 4, 8, 12, 16)} & shared
    assert all(n == 8 for pages in by.values() for n in pages.values())


def test_two_who_judge_at_one_time_are_not_asked_for_the_same_page(asked: Store):
    """But for shared ones: what the other began meanwhile is passed over and counted."""
    ann, ben = (judge(asked, by=name, n_pages=6, overlap=0.0) for name in ("ann", "ben"))
    assert ann.step is not None
    ann.grade(1)  # page 1, at which ben stands already
    first = {page for page, _ in answered(ann)}

    done = {page for page, _ in answered(ben)}

    assert len(first) == 6
    assert len(done) == 1
    assert ben.n_passed_over == 5


def test_back_and_skip(asked: Store):
    """Back to the link before, over the border of pages; a grade is given anew; a link skipped is
    asked again another day.
    """
    judging = judge(asked, n_pages=2)
    assert not judging.back()
    pairs = answered(judging, 9)
    assert judging.back()
    assert judging.back()
    step = judging.step
    assert step is not None
    assert (step.page.page.id, step.link.id, step.grade) == (*pairs[7], 2)
    judging.grade(0, note=" not\x1b[2J at all \udce4")
    judging.skip()
    judging.skip()
    rest = answered(judging)

    assert len(rest) == 6
    assert judging.n_skipped == 1
    found = {grade.pair: grade for grade in grades.read(asked)}
    assert (found[pairs[7]].grade, found[pairs[7]].note) == (0, "not\\x1b[2J at all \\udce4")
    assert found[pairs[8]].grade == 2
    # The one that was skipped, and one beside it.
    assert len(answered(judge(asked, n_pages=2))) == 2


def test_articles_that_are_gone_are_not_asked_for(asked: Store):
    """A page that went is passed over, a link is left out."""
    draw_first = judge(asked, n_pages=2)
    assert draw_first.step is not None
    asked.remove([draw_first.step.page.page.id, "link03"])

    judging = judge(asked, n_pages=2)
    pairs = answered(judging)

    assert len(pairs) == 7
    assert "link03" not in {link for _, link in pairs}
    assert judging.n_passed_over == 1


def test_another_draw_takes_a_word(asked: Store):
    """Another seed or kind of draw is refused, with the old one named; a redraw keeps grades."""
    answered(judge(asked, n_pages=2, seed=3))

    with pytest.raises(InputError, match=r"drawn by views with seed 3 on 2026-11-22; --redraw"):
        judge(asked, seed=4)
    with pytest.raises(InputError, match="drawn by views"):
        judge(asked, sampling="pages")
    other = judge(asked, seed=4, sampling="pages", redraw=True, n_pages=2)

    assert other.step is not None
    assert len(grades.read(asked)) == 16
    draw = grades.drawn(asked)
    assert draw is not None
    assert (draw.drawn_by, draw.seed, draw.n_pages) == ("pages", 4, N)
    assert (draw.n_asked, draw.n_reached) == (2, 0)


def test_how_far_judges_came_is_kept_with_the_draw(asked: Store):
    """Eight links a page; who asks for fewer pages, or is not as far, takes nothing back."""
    answered(judge(asked, n_pages=4), 9)
    draw = grades.drawn(asked)
    assert draw is not None
    assert (draw.n_asked, draw.n_reached) == (4, 2)

    answered(judge(asked, by="ben", n_pages=3, overlap=1.0), 1)
    draw = grades.drawn(asked)
    assert draw is not None
    assert (draw.n_asked, draw.n_reached) == (4, 2)

    answered(judge(asked, n_pages=6))
    judge(asked, n_pages=6)
    draw = grades.drawn(asked)
    assert draw is not None
    assert (draw.n_asked, draw.n_reached) == (6, 6)


def test_without_readings_pages_are_drawn_alike_and_it_is_stated():
    """So are too few pages."""
    with Store("sqlite://") as store:
        site(store, {})
        judging, remarks = begin(store, LISTS, Plan(n_pages=100), by="ann", clock=CLOCK)

        assert judging.n_pages == N
        assert any("drawn each alike" in remark for remark in remarks)
        assert any("only 40 pages" in remark for remark in remarks)


def test_pages_need_two_lists_and_errors_say_so():
    """One list is enough if there is but one."""
    one, other = (
        lists_by_page("one", {"a": ["x"], "b": ["x"]}),
        lists_by_page("other", {"b": ["y"]}),
    )

    assert population([one, other]) == ["b"]
    assert population([one]) == ["a", "b"]
    with Store("sqlite://") as store, pytest.raises(InputError, match="lists of two kinds"):
        begin(store, [one, other], Plan(), by="ann", clock=CLOCK)


@pytest.mark.parametrize("grade", [-1, 4, 1.5, "2", None, True])
def test_a_grade_is_nought_to_three(asked: Store, grade: object):
    """Anything else is refused, and nothing is kept."""
    with pytest.raises((ValueError, TypeError), match="whole number from 0 to 3"):
        judge(asked).grade(grade)  # type: ignore[arg-type]

    assert grades.read(asked) == []


def test_the_beginning_of_a_text_ends_with_a_word():
    """And keeps its paragraphs; languages without spaces are cut anywhere."""
    english = shown(Article("a", "A", "First.\n\n  Second   one.\n" + "word " * 200)).beginning
    chinese = shown(Article("a", "A", "膝盖" * 600)).beginning

    assert english.splitlines()[:2] == ["First.", "Second one."]
    assert english.endswith(" word ...")
    assert len(chinese) == BEGINNING + 4
    assert shown(Article("a", "A", "Short.")).beginning == "Short."


def test_grades_of_others_do_not_show():
    """A judge is not influenced by what others gave."""
    with Store("sqlite://") as store:
        site(store)
        answered(judge(store, by="ann", n_pages=1))
        ben = judge(store, by="ben", n_pages=1)
        grades.write(store, [Grade(PAGES[0], "link00", 3, "cid", NOON)])

        assert ben.step is not None
        assert ben.step.grade is None
