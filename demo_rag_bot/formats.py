"""How each kind of file is read: every reader turns its text into a title and plain Markdown.

Headings become `#` lines with their anchor in `{#…}`, code stays in fences, tables stay tables, includes are pulled in (only from inside
the docs folder) and relative links point from the root of the folder. The readers are deliberately forgiving: documentation is written
for many builders, and text that no rule knows is kept as it stands.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import yaml
from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag


class Unreadable(Exception):
    """A file that cannot become a page, with the reason."""


Reader: TypeAlias = Callable[[str, Path, Path], tuple[str, str]]
"""(text, path, root) → (title, Markdown)."""

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FENCE = re.compile(r"^[ \t>]*(`{3,}|~{3,})")
ATX_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
ATTRIBUTES = re.compile(r"(?:\s#+)?\s*\{(?::|\s*(?=[#.]))[^{}#]*(?:#(?P<anchor>[^\s}]+))?[^{}]*\}\s*$")
"""`{#anchor}`, `{: #anchor .class }` behind a heading, as MyST, MkDocs and pandoc write it."""
_INCLUDE_MARKDOWN = re.compile(
    r"^[ \t]*(?:--8<--[ \t]+[\"'](?P<a>[^\"':]+)(?::\w+)?[\"']|\{!>?[ \t]*(?P<b>[^!\s]+)[ \t]*!\}|\{\*[ \t]*(?P<c>\S+).*\*\}|"
    r"<!--[ \t]*@?include:?[ \t]*(?P<d>\S+)[ \t]*-->|\{%[ \t]*include(?:-markdown)?[ \t]*[\"'](?P<e>[^\"']+)[\"'].*%\}|"
    r"```\{(?:literal)?include\}[ \t]*(?P<f>\S+))[ \t]*$"
)
_LINK = re.compile(r"(\]\()([^)\s#:]*)(#[^)\s]*)?(\)|[ \t]+\")")
_MAX_INCLUDE_DEPTH = 4


# ---- Markdown ----


def read_markdown(text: str, path: Path, root: Path) -> tuple[str, str]:
    title, text = _front_matter(text.replace("\r\n", "\n"))
    lines = list(_setext_to_atx(list(_with_includes(text, path, root, _INCLUDE_MARKDOWN))))
    markdown = _rebase_links(_in_prose(_without_comments, _without_myst("\n".join(lines))), path, root)
    return title or _first_heading(markdown), markdown


def read_mdx(text: str, path: Path, root: Path) -> tuple[str, str]:
    """Markdown with components: import and export lines go, tags of components go, their text stays."""
    title, markdown = read_markdown(text, path, root)
    kept: list[str] = []
    for line, in_code in outside_code(markdown):
        if not in_code:
            if re.match(r"(import|export)\s.*(from\s|=|\{)", line):
                continue
            line = re.sub(r"</?[A-Z][\w.]*(?:\s[^<>]*)?/?>|\{/\*.*?\*/\}", "", line)
        kept.append(line)
    return title, "\n".join(kept)


def _without_comments(markdown: str) -> str:
    """HTML comments say nothing to a reader; a line that was nothing else goes with them."""
    return re.sub(r"^[ \t]*<!--.*?-->[ \t]*\n|<!--.*?-->", "", markdown, flags=re.DOTALL | re.MULTILINE)


_MYST_FENCE = re.compile(r"^(`{3,}|:{3,}|~{3,})\{([\w:-]+)\}[ \t]*(.*)\n((?:(?!\1).*\n)*?)\1[ \t]*$", re.MULTILINE)
_MYST_ROLE = re.compile(r"\{[\w:.+-]+\}(`[^`]+`)")
_MYST_LABEL = re.compile(r"^\(([\w-]+)\)=\n+(#+ .*)$", re.MULTILINE)


def _without_myst(markdown: str) -> str:
    """MyST's directives and roles → what they show: code as code, notes as text, lists of pages not at all."""
    if "{" not in markdown and ")=" not in markdown:
        return markdown
    markdown = _MYST_LABEL.sub(r"\2 {#\1}", markdown)
    markdown = _MYST_FENCE.sub(_shown_directive, markdown)
    return _in_prose(lambda text: _NAMED_TARGET.sub(r"`\1`", _MYST_ROLE.sub(r"\1", text)), markdown)


def _shown_directive(found: re.Match[str]) -> str:
    name, argument, body = found[2], found[3], re.sub(r"^:[\w-]+:.*\n|^---\n(?:.*\n)*?---\n", "", found[4], flags=re.MULTILINE)
    if name in _DROPPED_DIRECTIVES:
        return ""
    if name in _CODE_DIRECTIVES:
        return f"```{argument}\n{body}```"
    if name == "eval-rst":
        return _in_prose(_rst_inline, "\n".join(_rst_lines(body.expandtabs(8).splitlines())))
    return f"**{name}** {argument}\n\n{body}" if name in _ADMONITIONS else f"{argument}\n\n{body}"


def _in_prose(change: Callable[[str], str], markdown: str) -> str:
    """The text with everything outside of code fences changed."""
    parts = re.split(r"(^[ \t]*(?:```|~~~).*?^[ \t]*(?:```|~~~)[ \t]*$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if place % 2 else change(part) for place, part in enumerate(parts))


def _front_matter(text: str) -> tuple[str, str]:
    found = _FRONT_MATTER.match(text)
    if not found:
        return "", text
    try:
        fields = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise Unreadable(f"front matter is not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(fields, dict):
        return "", text[found.end() :]
    description = fields.get("description")
    body = text[found.end() :]
    return str(fields.get("title") or ""), f"{description}\n\n{body}" if isinstance(description, str) else body


def _with_includes(text: str, path: Path, root: Path, pattern: re.Pattern[str], depth: int = 0) -> Iterator[str]:
    """The lines of a text, with the files its include lines name pulled in, or the parts of them that its options name."""
    lines, index = text.splitlines(), 0
    while index < len(lines):
        line = lines[index]
        found = pattern.match(line)
        name = next((group for group in found.groups() if group), None) if found else None
        included = _included(name, path, root) if name and depth < _MAX_INCLUDE_DEPTH else None
        index += 1
        if included is None:
            yield line
            continue
        options: dict[str, str] = {}
        while index < len(lines) and (option := _OPTION.match(lines[index])):
            options[option[1]] = (option[2] or "").strip()
            index += 1
        index += line.lstrip().startswith("```")  # MyST's include is a fence, and its end goes too
        part = _part(included.read_text("utf-8", "replace"), options)
        if included.suffix.lower() in READERS and "literal" not in {*options, *re.findall("literal", line)}:
            yield from _with_includes(part, included, root, pattern, depth + 1)
        else:
            yield from (f"```{included.suffix.lstrip('.')}", *part.splitlines(), "```")


_OPTION = re.compile(r"^[ \t]*:([\w-]+):(?:[ \t]+(.*)|$)")


def _part(text: str, options: Mapping[str, str]) -> str:
    """What the options of an include leave of a file: from one mark to another, or some of its lines."""
    for name, cut in _CUTS.items():
        mark = options.get(name)
        if mark and mark in text:
            text = cut(text, mark)
    lines = text.splitlines()
    lines = lines[int(options.get("start-line") or 0) : int(options["end-line"]) if options.get("end-line") else None]
    wanted = [
        range(int(first or 1), int(last or len(lines) if dash else first) + 1)
        for first, dash, last in _RANGE.findall(options.get("lines", ""))
    ]
    return "\n".join(line for number, line in enumerate(lines, 1) if not wanted or any(number in some for some in wanted))


_RANGE = re.compile(r"(\d+)(-?)(\d*)")
_CUTS: dict[str, Callable[[str, str], str]] = {
    "start-after": lambda text, mark: text.partition(mark)[2].partition("\n")[2],
    "start-at": lambda text, mark: mark + text.partition(mark)[2],
    "end-before": lambda text, mark: text.partition(mark)[0].rpartition("\n")[0],
    "end-at": lambda text, mark: text.partition(mark)[0] + mark,
}


def _included(name: str, path: Path, root: Path) -> Path | None:
    """The file an include names, if it lies inside the docs folder."""
    for base in (path.parent, root):
        candidate = (base / name.lstrip("/")).resolve()
        if candidate.is_file() and candidate.is_relative_to(root.resolve()):
            return candidate
    return None


def _setext_to_atx(lines: list[str]) -> Iterator[str]:
    """`Title` over `=====` → `# Title`."""
    in_code = False
    for index, line in enumerate(lines):
        if _FENCE.match(line):
            in_code = not in_code
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if not in_code and re.fullmatch(r"(=+|-{3,})[ \t]*", following) and re.match(r"[^\s#>|\-=*+`]", line):
            yield f"{'#' if following[0] == '=' else '##'} {line.strip()}"
        elif not in_code and index and re.fullmatch(r"(=+|-{3,})[ \t]*", line) and re.match(r"[^\s#>|\-=*+`]", lines[index - 1]):
            continue
        else:
            yield line


def _rebase_links(markdown: str, path: Path, root: Path) -> str:
    """Relative links, from the page's folder → from the root of the docs."""
    folder = path.parent.relative_to(root).as_posix()
    here = path.relative_to(root).as_posix()

    def rebase(found: re.Match[str]) -> str:
        target = found[2]
        if not target:
            return f"{found[1]}{here}{found[3]}{found[4]}" if found[3] else found[0]
        if target.startswith("/"):
            return found[0]
        return f"{found[1]}{posixpath.normpath(posixpath.join(folder, target))}{found[3] or ''}{found[4]}"

    return _LINK.sub(rebase, markdown)


def _first_heading(markdown: str) -> str:
    """The page's title: its first heading, if that is one of the first level."""
    for line, in_code in outside_code(markdown):
        found = None if in_code else ATX_HEADING.match(line)
        if found:
            return plain(found[2]) if found[1] == "#" else ""
    return ""


def outside_code(markdown: str) -> Iterator[tuple[str, bool]]:
    """(line, whether it is code) for each line."""
    fence = ""
    for line in markdown.splitlines():
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
            yield line, True
        elif found and fence and found[1].startswith(fence):
            fence = ""
            yield line, True
        else:
            yield line, bool(fence)


def plain(markdown: str) -> str:
    """A line of Markdown as a reader sees it: no marks, no link targets, no anchors."""
    text = re.sub(r"<[^>]+>", "", ATTRIBUTES.sub("", markdown))
    text = re.sub(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?", r"\1", text)
    return re.sub(r"[`*]|(?<!\w)_|_(?!\w)", "", text).replace("\\", "").strip()


# ---- reStructuredText ----

_ADORNMENT = re.compile(r"([=\-`:'\"~^_*+#<>.])\1{2,}[ \t]*")
_ROLE = re.compile(r":(?:[\w+.-]+:)*[\w+-]+:`([^`]+)`")
_DIRECTIVE = re.compile(r"^(\s*)\.\. ([\w:+.-]+)::[ \t]*(.*)$")
_LABEL = re.compile(r"^\.\. _([^:]+):\s*$")
_CODE_DIRECTIVES = frozenset(
    {"code-block", "code", "code-tab", "sourcecode", "parsed-literal", "prompt", "ipython", "doctest", "testcode", "highlight"}
)
_DROPPED_DIRECTIVES = frozenset(
    {
        "toctree",
        "image",
        "index",
        "contents",
        "currentmodule",
        "module",
        "raw",
        "highlight",
        "only",
        "meta",
        "figure",
        "include",  # one that could be followed is none any more
        "literalinclude",
        "testsetup",
        "testcleanup",
    }
)


_ADMONITIONS = frozenset(
    {"note", "warning", "tip", "important", "caution", "attention", "seealso", "danger", "admonition", "hint", "error"}
    | {"versionadded", "versionchanged", "deprecated"}
)


def read_rst(text: str, path: Path, root: Path) -> tuple[str, str]:
    include = re.compile(r"^\s*\.\. (?:include|literalinclude)::[ \t]+(\S+)[ \t]*$")
    lines = list(_with_includes(text.replace("\r\n", "\n").expandtabs(8), path, root, include))
    markdown = _in_prose(_rst_inline, "\n".join(_rst_lines(lines)))
    return _first_heading(markdown), markdown


def _rst_lines(lines: list[str]) -> Iterator[str]:
    levels: list[str] = []
    anchor = ""
    index = 0
    while index < len(lines):
        line = lines[index]
        heading = _rst_heading(lines, index)
        label = _LABEL.match(line)
        directive = _DIRECTIVE.match(line)
        if heading:
            style, title, taken = heading
            if style not in levels:
                levels.append(style)
            yield ""
            yield f"{'#' * min(levels.index(style) + 1, 6)} {title}{f' {{#{anchor}}}' if anchor else ''}"
            anchor = ""
            index += taken
        elif label:
            anchor = label[1].strip("` ")
            index += 1
        elif directive:
            index, rendered = _rst_directive(lines, index, directive)
            yield from rendered
        elif re.match(r"\+[-=+]+\+\s*$|:orphan:", line):  # the rules of a grid table, whose rows read well without them
            index += 1
        elif re.match(r"^\s*\.\.( |$)", line):  # a comment or a target: skipped with what is indented under it
            index = _block_end(lines, index, len(line) - len(line.lstrip()))
        else:
            yield f"\\{line.lstrip()}" if ATX_HEADING.match(line) else line  # here a `#` begins no heading
            index += 1
            if line.rstrip().endswith("::"):
                end = _block_end(lines, index - 1, len(line) - len(line.lstrip()))
                body = lines[index:end]
                if any(body_line.strip() for body_line in body):
                    yield from _fenced(body, "")
                    index = end


def _rst_heading(lines: list[str], index: int) -> tuple[str, str, int] | None:
    """(style, title, lines taken) where a heading starts at `index`."""
    line = lines[index]
    after = lines[index + 1] if index + 1 < len(lines) else ""
    last = lines[index + 2] if index + 2 < len(lines) else ""
    if _ADORNMENT.fullmatch(line) and after.strip() and _ADORNMENT.fullmatch(last) and last[0] == line[0]:
        return line[0] * 2, after.strip(), 3
    if (
        line.strip()
        and not line[0].isspace()
        and _ADORNMENT.fullmatch(after)
        and not _ADORNMENT.fullmatch(line)
        and len(after.rstrip()) >= min(len(line.rstrip()), 4)
    ):
        return after[0], line.strip(), 2
    return None


def _rst_directive(lines: list[str], index: int, directive: re.Match[str]) -> tuple[int, list[str]]:
    indent, name, argument = len(directive[1]), directive[2].split(":")[-1], directive[3].strip()
    end = _block_end(lines, index, indent)
    body = [line for line in lines[index + 1 : end] if not re.match(r"^\s+:[\w-]+:(\s|$)", line)]
    if name in _DROPPED_DIRECTIVES:
        return end, []
    if name in _CODE_DIRECTIVES:
        return end, list(_fenced(body, argument.partition(" ")[0]))
    following = next((line.strip() for line in lines[end:] if line.strip()), "")
    title = "" if following == argument else argument  # `.. setting:: NAME` over the heading NAME is a mark for the index
    if title and (
        ":" in directive[2]
        or name.startswith("auto")
        or name in {"function", "class", "method", "attribute", "option", "envvar", "confval"}
    ):
        title = f"`{title}`"
    if name in _ADMONITIONS:
        title = f"**{name}** {title}".strip() if name != "admonition" else f"**{title}**"
    dedented = _dedented(body)
    return end, ["", title, *_rst_lines(dedented), ""]


def _block_end(lines: list[str], index: int, indent: int) -> int:
    """The first line after `index` that is indented no deeper than `indent` (blank lines belong to the block before them)."""
    end = index + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    while end > index + 1 and not lines[end - 1].strip():
        end -= 1
    return end


def _dedented(lines: list[str]) -> list[str]:
    depth = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[depth:] for line in lines]


def _fenced(body: list[str], language: str) -> Iterator[str]:
    yield ""
    yield f"```{language}"
    yield from "\n".join(_dedented(body)).strip("\n").splitlines()
    yield "```"
    yield ""


_NAMED_TARGET = re.compile(r"`([^`<]+?)\s+<[~!.]?[\w.:-]+>`")  # what Sphinx's default role shows of `the text <the.target>`


def _rst_inline(text: str) -> str:
    text = _ROLE.sub(lambda found: "`" + re.sub(r"^[~!.]+|\s*<[^<>]*>$", "", found[1]) + "`", text)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    text = re.sub(r"`([^`<]+?)\s*<([^`>]+)>`__?", r"[\1](\2)", text)
    text = _NAMED_TARGET.sub(r"`\1`", text)
    return re.sub(r"`([^`]+)`__?\b", r"\1", text)


# ---- HTML and text ----

_HEADING_TAGS = {f"h{level}": level for level in range(1, 7)}
_BLOCK_TAGS = frozenset({"p", "div", "section", "article", "main", "ul", "ol", "dl", "blockquote", "dd", "dt", "body", "figure", "details"})


def read_html(text: str, path: Path, root: Path) -> tuple[str, str]:
    if re.search(r"\{%-?\s*(?:extends|block|include|import|macro)\b", text) and "<body" not in text:
        raise Unreadable("a template, not a page")
    soup = BeautifulSoup(text, "html.parser")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    content = soup.find("main") or soup.select_one("[role=main]") or soup.find("article")
    main = content or soup.body or soup
    furniture = ["script", "style", "nav", "aside", "noscript", "template", "svg", "form", "button"]
    for tag in main.find_all(furniture if content else [*furniture, "header", "footer"]):  # a header inside the content holds its title
        tag.decompose()
    markdown = re.sub(r"\n{3,}", "\n\n", "".join(_html_text(main)))
    markdown = _rebase_links(markdown, path, root)
    return _first_heading(markdown) or title, markdown


def _html_text(node: Tag | BeautifulSoup) -> Iterator[str]:
    for child in node.children:
        if isinstance(child, NavigableString):
            yield re.sub(r"\s+", " ", str(child)) if type(child) is NavigableString else ""
        elif isinstance(child, Tag):
            yield from _html_tag(child)


def _html_tag(tag: Tag) -> Iterator[str]:
    name = tag.name.lower()
    if name in _HEADING_TAGS:
        for mark in tag.find_all(class_=["headerlink", "anchor"]):
            mark.decompose()
        anchor = tag.get("id") or (tag.parent.get("id") if tag.parent is not None else None)
        yield f"\n\n{'#' * _HEADING_TAGS[name]} {tag.get_text(' ', strip=True).rstrip('¶')}{f' {{#{anchor}}}' if anchor else ''}\n\n"
    elif name == "pre":
        yield f"\n\n```\n{tag.get_text().strip(chr(10))}\n```\n\n"
    elif name == "code":
        yield f"`{tag.get_text()}`"
    elif name == "a" and tag.get("href"):
        yield f"[{tag.get_text(' ', strip=True)}]({tag['href']})"
    elif name == "li":
        yield f"\n- {''.join(_html_text(tag)).strip()}"
    elif name == "tr":
        yield "\n| " + " | ".join(cell.get_text(" ", strip=True) for cell in tag.find_all(["td", "th"])) + " |"
    elif name == "br":
        yield "\n"
    elif name in _BLOCK_TAGS or name == "table":
        yield "\n\n"
        yield from _html_text(tag)
        yield "\n\n"
    else:
        yield from _html_text(tag)


def read_text(text: str, path: Path, root: Path) -> tuple[str, str]:
    if any(_DIRECTIVE.match(line) for line in text.splitlines()):  # parts of Sphinx pages are often called .txt
        return read_rst(text, path, root)
    return "", re.sub(r"^#", r"\\#", text, flags=re.MULTILINE)


READERS: dict[str, Reader] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".mdx": read_mdx,
    ".rst": read_rst,
    ".html": read_html,
    ".htm": read_html,
    ".txt": read_text,
}
