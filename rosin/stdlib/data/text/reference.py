"""A text that every Python carries: the topics of `help()`, which are its language reference."""

from __future__ import annotations

import re

_RULE = re.compile(r"[-=*~^+|\s]*")
"""A line of nothing but marks: what underlines a heading, or is the edge of a table."""
_MARKED = re.compile(r"(\*\*|\*|``|\")(?=\S)([^*`\"\n]+?)(?<=\S)\1")


def python_reference() -> str:
    """The reference as plain text of about 340,000 characters, topics in the order of their names.

    Topics contain each other; of a paragraph that comes again only the first is in the text, so that what is held out
    was not seen. The text differs a little between versions of Python.
    """
    from pydoc_data.topics import topics

    seen: set[str] = set()
    kept: list[str] = []
    for name in sorted(topics):
        for paragraph in topics[name].split("\n\n"):
            found = plain(paragraph)
            if found and found not in seen:
                seen.add(found)
                kept.append(found)
    return "\n\n".join(kept) + "\n"


def plain(paragraph: str) -> str:
    """A paragraph without the marks of headings, tables and emphasis. Lines of prose become one; those of a program,
    which are indented, stay."""
    lines = [line.rstrip() for line in paragraph.split("\n")]
    lines = [
        _MARKED.sub(r"\2", line) for line in lines if not _RULE.fullmatch(line) and not line.startswith(("|", "+"))
    ]
    if any(line.startswith("  ") for line in lines):
        return "\n".join(lines)
    return " ".join(line.strip() for line in lines)
