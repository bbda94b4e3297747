"""Holds the code to docs/architecture.md's folder rule and to its sizes.

    check_style.py ROOT        exit code 1 and one line for each break of a rule

Known exceptions stand in ratchet.txt beside this file, one "RULE PATH LIMIT" a line: a break up
to LIMIT passes, and an entry that is no longer needed fails, so the list can only shrink.
"""

import re
import sys
from pathlib import Path

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
SOURCE = {".hpp", ".cpp"}
FOLDERS = ["include", "lib", "drivers", "apps", "bench", "tests"]
BANNED_NAMES = {"util", "utils", "common", "helper", "helpers", "misc"}
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")

# Who may include whom. A folder may always include itself, the standard library, and what its
# row names; "handfast" stands for include/handfast. Folders under drivers/, apps/, bench/ and
# tests/ that have no row of their own use the row of their parent.
ALL_IO_FREE = ["handfast", "base", "wire", "timer", "table", "tcp", "net", "stack"]
ALLOWED = {
    "include/handfast": ["handfast"],
    "lib/base": ["handfast"],
    "lib/wire": ["handfast", "base"],
    "lib/timer": ["handfast", "base"],
    "lib/table": ["handfast", "base"],
    "lib/tcp": ["handfast", "base"],
    "lib/net": ["handfast", "base", "wire", "table", "timer"],
    "lib/stack": ALL_IO_FREE,
    "lib/runtime": ALL_IO_FREE + ["runtime", "drivers"],
    "drivers": ["handfast", "base", "wire", "drivers"],
    "apps": ["handfast", "apps"],
    "apps/wire": ["handfast", "apps", "base", "drivers", "runtime"],  # has no stack: only ports
    "bench": None,  # anything of ours
    "tests": None,
}
MAY_INCLUDE_DPDK = ("lib/runtime/", "drivers/ethdev/")
# lib/tcp has no clock, thread or log sink: time and randomness are arguments.
TCP_BANNED = {"thread", "mutex", "atomic", "iostream", "cstdio", "ctime", "fmt/core.h",
              "fmt/format.h", "unistd.h", "sys/socket.h", "random"}
OURS = {"handfast", "base", "wire", "timer", "table", "tcp", "net", "stack", "runtime",
        "drivers", "apps", "bench", "tests"}


def blank_out(text):
    """Comments and the insides of literals become spaces: line numbers and braces stay true."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)"'
        r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'",
        re.DOTALL)

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    # A digit separator (65'536) begins no character literal.
    return pattern.sub(blank, re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", " ", text))


def functions(text):
    """(line, length) of each outermost function body, found by its braces.

    A brace that follows ')' and perhaps qualifiers, a trailing return type or a constructor's
    initialisers opens a body; one after namespace, class, struct, enum, union or extern does not.
    """
    code = blank_out(text)
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()),
                  code, flags=re.MULTILINE)
    code = re.sub(r"(?<=\w)\{([^{};]*)\}", r"(\1)", code)  # member initialisers: a_{1}
    code = re.sub(r"\b(public|private|protected):", r"\1;", code)
    found, stack, start_of_head = [], [], 0
    for match in re.finditer(r"[{};]", code):
        position = match.start()
        if match.group() == "{":
            head = code[start_of_head:position]
            in_body = any(kind == "body" for kind, _ in stack)
            scope = re.search(r"\b(namespace|class|struct|enum|union|extern)\b[^()]*$", head)
            is_body = not in_body and not scope and ")" in head
            first = start_of_head + len(head) - len(head.lstrip())
            stack.append(("body" if is_body else "scope", first))
        elif match.group() == "}" and stack:
            kind, first = stack.pop()
            if kind == "body":
                line = code.count("\n", 0, first) + 1
                found.append((line, code.count("\n", first, position) + 1))
        if not any(kind == "body" for kind, _ in stack):
            start_of_head = position + 1
    return found


def row_of(path):
    for folder in sorted(ALLOWED, key=len, reverse=True):
        if path.startswith(folder + "/"):
            return folder
    return None


def check_includes(path, text):
    row = row_of(path)
    here = "handfast" if row == "include/handfast" else row.split("/")[-1] if row else ""
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if not match:
            continue
        quoted, target = match.group(1) == '"', match.group(2)
        top = target.split("/")[0] if "/" in target else ""
        if re.match(r"(rte_|dpdk/)", target) and not path.startswith(MAY_INCLUDE_DPDK):
            yield "dpdk", number, f"{target}: only {' and '.join(MAY_INCLUDE_DPDK)} include DPDK"
        if row == "include/handfast" and not (top == "handfast" or "/" not in target
                                              and "." not in target):
            yield "include", number, f"{target}: a public header has only handfast/ and std"
        elif row == "lib/tcp" and target in TCP_BANNED:
            yield "include", number, f"{target}: the protocol is free of I/O, clock and threads"
        elif quoted and top in OURS and ALLOWED.get(row) is not None:
            if top != here and top not in ALLOWED[row]:
                yield "include", number, f"{target}: {row} may not include {top}/"


def check_header(path, text):
    if not path.endswith(".hpp"):
        return
    if not text.startswith("//"):
        yield "header", 1, "a header begins with a paragraph saying what it is"
    if not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield "header", 1, "no #pragma once"


def check_text(path, text):
    lines = text.splitlines()
    if Path(path).stem.lower() in BANNED_NAMES:
        yield "name", 1, "says nothing about what is inside"
    if not re.fullmatch(r"[a-z0-9_]+\.[a-z]+", Path(path).name):
        yield "name", 1, "file names are snake_case"
    if len(lines) > FILE_LINES_MAX:
        yield "file-size", len(lines), f"{len(lines)} lines, at most {FILE_LINES_MAX}"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            yield "columns", number, f"{len(line)} columns, at most {COLUMNS_MAX}"
        if UNFINISHED.search(line):
            yield "unfinished", number, "finish it, or say in words what is not done and why"
        if "\t" in line or line != line.rstrip():
            yield "whitespace", number, "a tab or a blank at the end of the line"


def check_functions(_path, text):
    for line, length in functions(text):
        if length > FUNCTION_LINES_MAX:
            yield "function-size", line, f"{length} lines, at most {FUNCTION_LINES_MAX}"


CHECKS = [check_includes, check_header, check_text, check_functions]


def breaks(path, text):
    for check in CHECKS:
        yield from check(path, text)


def read_ratchet(file):
    allowed = {}
    for line in file.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            rule, path, limit = line.split()
            allowed[rule, path] = int(limit)
    return allowed


def check_tree(root, ratchet):
    """Messages for all breaks beyond the ratchet, and for ratchet entries that are too high."""
    found, count, checked = {}, {}, 0
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in SOURCE or not file.is_file():
                continue
            checked += 1
            path = file.relative_to(root).as_posix()
            for rule, line, message in breaks(path, file.read_text()):
                found.setdefault((rule, path), []).append(f"{path}:{line}: {rule}: {message}")
                count[rule, path] = count.get((rule, path), 0) + 1
    messages = []
    for key, lines in found.items():
        if count[key] > ratchet.get(key, 0):
            messages += lines
    for key, limit in ratchet.items():
        if count.get(key, 0) < limit:
            messages.append(f"ratchet: '{key[0]} {key[1]} {limit}' can go down to "
                            f"{count.get(key, 0)}")
    if checked == 0:
        messages.append(f"{root}: no sources found")
    return messages, checked


def main(arguments):
    root = Path(arguments[0]).resolve()
    messages, checked = check_tree(root, read_ratchet(Path(__file__).with_name("ratchet.txt")))
    print(*messages, sep="\n", end="\n" if messages else "")
    print(f"{checked} files, {len(messages)} breaks of the rules")
    return 1 if messages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
