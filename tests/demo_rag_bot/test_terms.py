from demo_rag_bot.terms import spelled, terms


def test_identifiers_count_whole_and_in_parts() -> None:
    for spelling in ("maxContentLength", "max_content_length", "max.content.length", "MAX_CONTENT_LENGTH"):
        assert set(terms(spelling)) >= {"max", "content", "length", "maxcontentlength"}


def test_forms_of_a_word_meet() -> None:
    assert terms("retrievers") == terms("retriever")
    assert terms("indexing indexes") == terms("index indexed")


def test_words_without_a_subject_do_not_count() -> None:
    assert terms("How do I use the thing?") == []


def test_cjk_text_counts_in_pairs() -> None:
    assert terms("削除する") == ["削除", "除す"]


def test_irregular_forms_and_spellings_meet_in_their_base() -> None:
    assert terms("kept written colour") == terms("keep write color")
    assert terms("Where was it made?") == []


def test_a_term_knows_the_word_as_it_was_written() -> None:
    assert spelled("mising lines of maxLength") == {
        "mise": "mising",
        "line": "lines",
        "max": "max",
        "length": "length",
        "maxlength": "maxlength",
    }
