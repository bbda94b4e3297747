"""docs/performance.md, as far as benches write it: a table between two lines that name its author."""

from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
LAST = "<!-- to here -->"


def first_line(author):
    return f"<!-- {author} writes from here -->"


def has_place(author):
    _, found, rest = PAGE.read_text().partition(first_line(author))
    return bool(found) and LAST in rest


def read(author):
    """What is there; nothing where there is no place for it."""
    return PAGE.read_text().partition(first_line(author))[2].partition(LAST)[0].strip()


def cells_of(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def with_rows(text, table, order):
    """`text` with its Markdown table's rows replaced by those of `table` that have the same name.

    Rows have their name in the first cell; new ones go where `order` has them. Text without a table
    gets the whole of `table` behind it.
    """
    lines = text.splitlines()
    fresh = {cells_of(line)[0]: line for line in table.splitlines()[2:]}
    first = next((at for at, line in enumerate(lines) if set(line) <= set("|-: ") and line), None)
    if first is None:
        return f"{text}\n\n{table}".strip()
    last = first + 1
    while last < len(lines) and lines[last].startswith("|"):
        last += 1
    rows = {cells_of(line)[0]: line for line in lines[first + 1:last]} | fresh
    known = [name for name in order if name in rows]
    others = [name for name in rows if name not in order]
    return "\n".join([*lines[:first + 1], *(rows[name] for name in known + others), *lines[last:]])


ELSEWHEN = ", at another time: "


def with_note(text, how, names):
    """`text` with a paragraph that says how these rows were measured. Earlier ones no longer speak of
    them, and go when nothing is left."""
    paragraphs = []
    for paragraph in text.split("\n\n"):
        before, is_note, rows = paragraph.partition(ELSEWHEN)
        if is_note:
            left = [row for row in rows.rstrip(".").split(", ") if row not in names]
            if not left:
                continue
            paragraph = f"{before}{ELSEWHEN}{', '.join(left)}."
        paragraphs.append(paragraph)
    return "\n\n".join([*paragraphs, f"{how}{ELSEWHEN}{', '.join(names)}."])


def write(author, text):
    """In place of what was there."""
    before, first, rest = PAGE.read_text().partition(first_line(author))
    after = rest.partition(LAST)[2]
    PAGE.write_text(f"{before}{first}\n\n{text}\n\n{LAST}{after}")
