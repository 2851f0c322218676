from pathlib import Path

from demo_rag_bot.corpus import read_corpus
from demo_rag_bot.passages import cut


def test_every_format_becomes_a_page(docs: Path) -> None:
    pages = {page.source: page for page in read_corpus(docs).pages}
    assert set(pages) == {"install.md", "volumes.md", "network/ports.rst", "logging.html", "ja.md", "notes.txt"}
    assert pages["install.md"].title == "Installation"
    assert "## Publish a port" in pages["network/ports.rst"].markdown
    assert "```sh\nharbour run -p 8080:80 web\n```" in pages["network/ports.rst"].markdown
    assert "| debug | everything |" in pages["logging.html"].markdown
    assert "menu" not in pages["logging.html"].markdown


def test_what_cannot_be_read_is_named_and_skipped(docs: Path) -> None:
    (docs / "broken.md").write_text("---\ntitle: [unclosed\n---\ntext\n")
    (docs / "binary.md").write_bytes(b"\x00\x01\x02")
    (docs / "latin.txt").write_bytes("größe".encode("latin-1"))
    corpus = read_corpus(docs)
    assert sorted(source for source, _ in corpus.skipped) == ["binary.md", "broken.md", "latin.txt"]
    assert "volumes.md" in {page.source for page in corpus.pages}


def test_includes_come_from_inside_the_folder_only(docs: Path) -> None:
    (docs.parent / "secret.md").write_text("the password is swordfish")
    (docs / "part.md").write_text("Shared words.")
    (docs / "page.md").write_text('# Page\n\n--8<-- "part.md"\n\n--8<-- "../secret.md"\n')
    (docs / "page.rst").write_text("Page\n====\n\n.. include:: part.md\n\n.. include:: ../secret.md\n")
    pages = {page.source: page.markdown for page in read_corpus(docs).pages}
    assert "Shared words." in pages["page.md"]
    assert "Shared words." in pages["page.rst"]
    assert not any("swordfish" in markdown for markdown in pages.values())


def test_relative_links_point_from_the_root(docs: Path) -> None:
    (docs / "network" / "more.md").write_text(
        "# More\n\nSee [volumes](../volumes.md#mount-a-volume) and [below](#end).\n\n## End\n\nDone.\n"
    )
    page = next(page for page in read_corpus(docs).pages if page.source == "network/more.md")
    assert "(volumes.md#mount-a-volume)" in page.markdown
    assert "(network/more.md#end)" in page.markdown


def test_mdx_loses_its_components_and_keeps_its_text(docs: Path) -> None:
    (docs / "page.mdx").write_text(
        "import Tabs from '@theme/Tabs'\n\n# Tabs\n\n<Tabs>Choose <b>one</b>.</Tabs>\n\n```js\nimport x from 'y'\n```\n"
    )
    page = next(page for page in read_corpus(docs).pages if page.source == "page.mdx")
    assert "Choose <b>one</b>." in page.markdown
    assert "@theme" not in page.markdown
    assert "import x from 'y'" in page.markdown


def test_a_page_digest_is_that_of_its_text(docs: Path) -> None:
    before = read_corpus(docs)
    (docs / "notes.txt").touch()
    assert read_corpus(docs).digest == before.digest
    (docs / "notes.txt").write_text("Other notes.")
    assert read_corpus(docs).digest != before.digest


def test_a_heading_in_a_code_block_is_no_heading(docs: Path) -> None:
    (docs / "code.md").write_text(
        "# Shell\n\n```sh\n# comment\nls\n```\n\nAfter the code there is a sentence that is long enough to stand.\n"
    )
    passages = [passage for passage in cut(read_corpus(docs).pages) if passage.source == "code.md"]
    assert [passage.heading for passage in passages] == [""]
    assert "# comment" in passages[0].text


def test_explicit_and_repeated_anchors(docs: Path) -> None:
    words = "This section has to be long enough to be a passage of its own. " * 3
    (docs / "anchors.md").write_text(f"# A\n\n## Setup {{#begin}}\n\n{words}\n\n## Notes\n\n{words}\n\n## Notes\n\n{words}\n")
    passages = [passage for passage in cut(read_corpus(docs).pages) if passage.source == "anchors.md"]
    assert [passage.link for passage in passages] == ["anchors.md#begin", "anchors.md#notes", "anchors.md#notes-1"]
    assert passages[0].heading == "Setup"


def test_myst_shows_what_its_directives_and_roles_show(docs: Path) -> None:
    (docs / "myst.md").write_text(
        "(begin)=\n# Begin\n\n```{toctree}\n:maxdepth: 1\nother\n```\n\nCall {meth}`Group.run` first.\n\n```{note}\nIt waits.\n```\n\n"
        "```{eval-rst}\n.. code-block:: sh\n\n    harbour run\n```\n\n```{code-block} python\n:linenos:\nx = 1\n```\n"
    )
    page = next(page for page in read_corpus(docs).pages if page.source == "myst.md")
    assert (page.title, "{#begin}" in page.markdown) == ("Begin", True)
    assert "Call `Group.run` first." in page.markdown
    assert "**note** \n\nIt waits." in page.markdown
    assert "```sh\nharbour run\n```" in page.markdown
    assert "```python\nx = 1\n```" in page.markdown
    assert "toctree" not in page.markdown
    assert "maxdepth" not in page.markdown


def test_rst_links_and_roles_that_span_lines(docs: Path) -> None:
    (docs / "wide.rst").write_text(
        "Wide\n====\n\nSee the `long\nguide <https://example.com/g>`_ and :meth:`~harbour.Volume.mount`\nand ``code``.\n"
    )
    page = next(page for page in read_corpus(docs).pages if page.source == "wide.rst")
    assert "[long\nguide](https://example.com/g)" in page.markdown
    assert "`harbour.Volume.mount`" in page.markdown
    assert "and `code`." in page.markdown


def test_a_title_inside_the_header_of_the_content_stays(docs: Path) -> None:
    page = "<header>Site name</header><article><header><h1>Real title</h1></header><p>Text.</p><footer>Edit</footer></article>"
    (docs / "built.html").write_text(f"<html><head><title>Real title | Site</title></head><body>{page}</body></html>")
    read = next(one for one in read_corpus(docs).pages if one.source == "built.html")
    assert read.title == "Real title"
    assert "Site name" not in read.markdown


def test_comments_stay_out_but_for_code(docs: Path) -> None:
    (docs / "page.md").write_text(
        "# Page\n\n<!-- begin generated table -->\nShown. <!-- not\nshown -->\n\n```html\n<!-- an example -->\n```\n"
    )
    page = next(page for page in read_corpus(docs).pages if page.source == "page.md")
    assert page.markdown == "# Page\n\nShown. \n\n```html\n<!-- an example -->\n```"


def test_an_include_takes_the_part_its_options_name(docs: Path) -> None:
    (docs / "part.rst").write_text("not this\n\n.. begin\n\nShared words.\n\n.. end\n\nnor this\n")
    (docs / "example.py").write_text("import os\nx = 1\ny = 2\n")
    (docs / "page.rst").write_text(
        "Page\n====\n\n.. include:: part.rst\n   :start-after: begin\n   :end-before: .. end\n\nAfter.\n\n"
        ".. literalinclude:: example.py\n   :lines: 2-3\n\n.. include:: page.rst\n   :start-after: After\n   :end-before: literalinclude\n"
    )
    (docs / "myst.md").write_text("# Begin\n\n```{include} part.rst\n:start-after: begin\n:end-before: .. end\n```\n\n## After\n\nText.\n")
    pages = {page.source: page.markdown for page in read_corpus(docs).pages}
    assert "Shared words." in pages["page.rst"]
    assert "this" not in pages["page.rst"]
    assert "```py\nx = 1\ny = 2\n```" in pages["page.rst"]
    assert pages["page.rst"].count("# Page") == 1
    assert pages["myst.md"].splitlines()[-3:] == ["## After", "", "Text."]
    assert "```" not in pages["myst.md"]


def test_what_sphinx_does_not_show_stays_out(docs: Path) -> None:
    (docs / "settings.rst").write_text(
        ":orphan:\n\nSettings\n========\n\nFirst.\n\n.. setting:: LOG_FILE\n\nLOG_FILE\n--------\n\nSee `the log <harbour.log>`.\n\n"
        "+---+---+\n| a | b |\n+===+===+\n| c | d |\n+---+---+\n"
    )
    page = next(page for page in read_corpus(docs).pages if page.source == "settings.rst")
    assert " ".join(page.markdown.split()) == "# Settings First. ## LOG_FILE See `the log`. | a | b | | c | d |"


def test_a_template_is_no_page(docs: Path) -> None:
    (docs / "main.html").write_text('{% extends "base.html" %}{% block content %}Welcome{% endblock %}')
    assert ("main.html", "a template, not a page") in read_corpus(docs).skipped


def test_a_comment_in_rst_is_no_heading(docs: Path) -> None:
    (docs / "tabs.rst").write_text("Tabs\n====\n\n.. code-tab:: toml\n\n   # Sections are allowed\n   x = 1\n\n# A plain line\n")
    page = next(page for page in read_corpus(docs).pages if page.source == "tabs.rst")
    assert "```toml\n# Sections are allowed\nx = 1\n```" in page.markdown
    assert [passage.heading for passage in cut([page])] == [""]
