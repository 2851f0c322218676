from hypothesis import given
from hypothesis import strategies as st

from demo_rag_bot.corpus import Page
from demo_rag_bot.passages import Cutting, cut_page

WORDS = st.lists(st.sampled_from(["volume", "port", "`code`", "run", "a", "the", "stop."]), min_size=1, max_size=400).map(" ".join)
BLOCKS = st.lists(st.one_of(WORDS, WORDS.map(lambda text: f"```\n{text}\n```"), st.just("## Heading")), min_size=1, max_size=12).map(
    "\n\n".join
)


@given(BLOCKS)
def test_no_passage_is_over_the_limit_and_no_word_is_lost(markdown: str) -> None:
    passages = list(cut_page(Page("page.md", "Page", markdown), Cutting()))
    assert all(len(passage.text.split()) <= 300 for passage in passages)
    said = set(markdown.replace("## Heading", "").split())
    assert said <= {word for passage in passages for word in passage.text.split()} | {"```"}
    assert len({passage.id for passage in passages}) == len(passages)


def test_a_code_block_stays_whole_where_it_fits() -> None:
    code = "```\n" + "\n".join(f"line {number}" for number in range(60)) + "\n```"
    page = Page("page.md", "Page", f"# Page\n\n{'word ' * 170}\n\n{code}\n")
    assert any(code in passage.text for passage in cut_page(page))


def test_a_section_of_a_line_joins_the_next_below_it() -> None:
    page = Page("page.md", "Page", "# Page\n\n## Options\n\nThere are two.\n\n### First\n\n" + "This option does something. " * 10)
    passages = list(cut_page(page))
    assert len(passages) == 1
    assert "There are two." in passages[0].text
    assert passages[0].anchor == "first"


def test_attributes_behind_a_heading_give_its_anchor_and_are_no_part_of_it() -> None:
    text = "It says something about this. " * 8
    page = Page("page.md", "Page", f"# Page\n\n## Name (*required*) ## {{: .wide #name }}\n\n{text}\n\n## Use {{braces}}\n\n{text}")
    assert [(passage.heading, passage.anchor) for passage in cut_page(page)] == [
        ("Name (required)", "name"),
        ("Use {braces}", "use-braces"),
    ]
