"""Checks docs/conformance.md: every requirement of RFC 9293 has a row, and every row its test. So
does every attack of docs/hostile_peers.md.

A row of a table there is `| requirement | level | what | answer | tests |`. The answer begins with
one of ANSWERS. What is done, or done otherwise, names at least one test: a GoogleTest case as
`Suite.Name`, or a file below tests/ as its path. A test that is named must exist.
"""

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "conformance.md"
HOSTILE_PAGE = ROOT / "docs" / "hostile_peers.md"
REQUIREMENTS = Path(__file__).with_name("rfc9293.tsv")
ANSWERS = ("done", "deviates", "not applicable", "not done")
TESTED = ("done", "deviates")
LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")
CASE = re.compile(r"^(?:TEST|TEST_F|TEST_P|TYPED_TEST)\(\s*(\w+),\s*(\w+)", re.MULTILINE)


def rows_of(text):
    """(line number, section, cells) of each row of a table with five columns."""
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("## "):
            section = line[3:].strip()
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        is_row = line.startswith("|") and len(cells) == 5
        if is_row and cells[0] != "requirement" and not set(cells[0]) <= set("-: "):
            yield number, section, cells


def cases_in(root):
    """Suite.Name of every GoogleTest case below tests/."""
    return {f"{suite}.{name}" for path in sorted((root / "tests").rglob("*.cpp"))
            for suite, name in CASE.findall(path.read_text())}


def faults_of(cells, cases, root):
    """What is wrong with one row, a sentence each."""
    requirement, level, _, answer, tests = cells
    if level not in LEVELS:
        yield f"{requirement}: the level '{level}' is none of {', '.join(LEVELS)}"
    kind = next((kind for kind in sorted(ANSWERS, key=len, reverse=True)
                 if answer.startswith(kind)), None)
    if kind is None:
        yield f"{requirement}: the answer '{answer}' begins with none of {', '.join(ANSWERS)}"
    elif kind != "done" and len(answer) < len(kind) + 4:
        yield f"{requirement}: '{kind}' needs its reason"
    named = re.findall(r"`([^`]+)`", tests)
    if kind in TESTED and not named:
        yield f"{requirement}: '{kind}' needs a test"
    for test in named:
        if test.startswith("tests/"):
            if not (root / test).is_file():
                yield f"{requirement}: there is no {test}"
        elif test not in cases:
            yield f"{requirement}: there is no test case {test}"


class Faults(unittest.TestCase):
    """The checks themselves."""

    cases = {"Window.Shrinks"}

    def faults(self, *cells):
        return list(faults_of(cells, self.cases, ROOT))

    def test_a_good_row_has_none(self):
        self.assertEqual(self.faults("MUST-1", "MUST", "x", "done", "`Window.Shrinks`"), [])
        self.assertEqual(self.faults("MUST-1", "MAY", "x", "not applicable: no routes", ""), [])

    def test_a_missing_test_is_found(self):
        self.assertEqual(len(self.faults("MUST-1", "MUST", "x", "done", "")), 1)
        self.assertEqual(len(self.faults("MUST-1", "MUST", "x", "done", "`Window.Grows`")), 1)
        self.assertEqual(len(self.faults("MUST-1", "MUST", "x", "done", "`tests/none.py`")), 1)

    def test_a_wrong_answer_or_level_is_found(self):
        self.assertEqual(len(self.faults("MUST-1", "MUST", "x", "perhaps", "")), 1)
        self.assertEqual(len(self.faults("MUST-1", "OUGHT", "x", "not done: y z", "")), 1)
        self.assertEqual(len(self.faults("MUST-1", "MUST", "x", "not done", "")), 1)


class Page(unittest.TestCase):
    def setUp(self):
        self.rows = list(rows_of(PAGE.read_text()))

    def test_every_row_is_in_order(self):
        cases = cases_in(ROOT)
        faults = [f"line {number}: {fault}" for number, _, cells in self.rows
                  for fault in faults_of(cells, cases, ROOT)]
        self.assertEqual(faults, [], "\n" + "\n".join(faults))

    def test_every_requirement_of_rfc_9293_has_its_row(self):
        wanted = [tuple(line.split("\t")) for line in REQUIREMENTS.read_text().splitlines()]
        present = {(cells[0], cells[1], cells[2]) for _, section, cells in self.rows
                   if section.startswith("RFC 9293")}
        missing = [" ".join(row) for row in wanted if row not in present]
        self.assertEqual(missing, [], "\n" + "\n".join(missing))


class HostilePage(unittest.TestCase):
    """docs/hostile_peers.md: | attack | bound | tests |."""

    def test_every_attack_names_tests_that_exist(self):
        cases = cases_in(ROOT)
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")]
                for line in HOSTILE_PAGE.read_text().splitlines() if line.startswith("|")]
        attacks = [cells for cells in rows[2:] if len(cells) == 3]
        self.assertEqual(len(attacks), len(rows) - 2)
        for attack, _, tests in attacks:
            named = re.findall(r"`([^`]+)`", tests)
            self.assertTrue(named, attack)
            for test in named:
                exists = (ROOT / test).is_file() if test.startswith("tests/") else test in cases
                self.assertTrue(exists, f"{attack}: there is no {test}")


if __name__ == "__main__":
    sys.exit(unittest.main())
