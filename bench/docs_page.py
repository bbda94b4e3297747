"""docs/performance.md, as far as benches write it: a table between two lines that name its author."""

from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
LAST = "<!-- to here -->"


def first_line(author):
    return f"<!-- {author} writes from here -->"


def has_place(author):
    _, found, rest = PAGE.read_text().partition(first_line(author))
    return bool(found) and LAST in rest


def write(author, text):
    """In place of what was there."""
    before, first, rest = PAGE.read_text().partition(first_line(author))
    after = rest.partition(LAST)[2]
    PAGE.write_text(f"{before}{first}\n\n{text}\n\n{LAST}{after}")
