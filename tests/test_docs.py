"""The documentation: its Python runs, what it says is printed is printed, and its list of files is complete."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]

SKIP = re.compile(r"<!-- not run: .+ -->")
"""Stands on the line before a block that the test leaves out, and says why."""
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
FILE_LINE = re.compile(r"^- `(rosin/[^`]+\.py)`: \S.*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the number of its first line, and whether it is not run."""

    language: str
    text: str
    line: int
    skipped: bool
    follows: bool
    """Whether nothing but blank lines stands between it and the block before."""


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    inside: tuple[str, int, bool, bool] | None = None
    before, follows = "", False
    lines: list[str] = []
    for number, line in enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), 1):
        if inside is not None:
            if line == "```":
                language, start, skipped, after = inside
                found.append(Block(language, "".join(f"{x}\n" for x in lines), start, skipped, after))
                inside, follows = None, True
            else:
                lines.append(line)
        elif line.startswith("```"):
            inside, lines = (line[3:], number + 1, SKIP.fullmatch(before) is not None, follows), []
        elif line:
            before, follows = line, False
    assert inside is None, f"{page}: a block is not closed"
    return found


def without_line_numbers(text: str) -> str:
    """The text with the numbers of lines, which change with every edit, replaced by N."""
    return re.sub(r'(File "[^"]+", line )\d+', r"\1N", text)


RUN = [pytest.param(p, marks=pytest.mark.slow if p == "docs/generative.md" else ()) for p in PAGES]
"""All pages; one of them trains networks for many seconds."""


@pytest.mark.usefixtures("own_ops")
@pytest.mark.parametrize("page", RUN)
def test_blocks_run_in_order_and_print_what_the_page_says(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # Errors show lines of the page by its relative path.
    namespace: dict[str, Any] = {"__name__": "docs"}
    printed: str | None = None
    for block in blocks(page):
        if block.language == "python" and not block.skipped:
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                # Blank lines in front make the line numbers of the code those of the page.
                exec(compile("\n" * (block.line - 1) + block.text, page, "exec", dont_inherit=True), namespace)
            printed = output.getvalue()
        elif block.language == "text" and block.follows and printed is not None:
            assert without_line_numbers(printed) == block.text, f"{page}:{block.line}: the block above prints otherwise"
            printed = None
        else:
            printed = None


@pytest.mark.parametrize("page", PAGES)
def test_diffs_still_apply(page: str) -> None:
    for block in blocks(page):
        if block.language != "diff":
            continue
        for name, hunks in re.findall(
            r"^--- (?:a/)?(\S+)\n\+\+\+ .*\n((?:[@ +-].*\n|\n)*?)(?=^--- |\Z)", block.text, re.MULTILINE
        ):
            if name == "/dev/null":
                continue
            source = (ROOT / name).read_text(encoding="utf-8")
            for hunk in re.split(r"^@@.*\n", hunks, flags=re.MULTILINE)[1:]:
                old = "".join(f"{line[1:]}\n" for line in hunk.splitlines() if not line.startswith("+"))
                assert old in source, f"{page}:{block.line}: {name} has changed where the diff does"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, anchor in LINK.findall(re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)):
        if "://" in target:
            continue
        file = ((ROOT / page).parent / target) if target else ROOT / page
        assert file.is_file(), f"{page} links to {target}, which is not there"
        if anchor:
            assert anchor in anchors(file), f"{page} links to {target}#{anchor}; there are {sorted(anchors(file))}"


def anchors(file: Path) -> set[str]:
    """The names of the headings of a page, as links give them."""
    text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_architecture_has_one_line_for_every_file() -> None:
    listed = FILE_LINE.findall((ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    there = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "rosin").rglob("*.py"))
    assert sorted(set(there) - set(listed)) == [], "files without a line in docs/architecture.md"
    assert sorted(set(listed) - set(there)) == [], "lines in docs/architecture.md for files that are gone"
    assert len(listed) == len(set(listed)), "a file has two lines in docs/architecture.md"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\nx = 1\n```\n\n```text\n1\n```\n", [("python", 2, False, False), ("text", 6, False, True)]),
        ("<!-- not run: it changes files -->\n```python\n```\nword\n```text\n```\n",
         [("python", 3, True, False), ("text", 6, False, False)]),
    ],
)  # fmt: skip
def test_blocks_of_a_page(text: str, expected: list[tuple[Any, ...]], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    found = blocks(str(page))
    assert [(b.language, b.line, b.skipped, b.follows) for b in found] == expected
