"""The tables that benches write into docs/performance.md: which rows are replaced.

    docs_page_test.py SOURCE_ROOT [unittest arguments]
"""

import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(sys.argv.pop(1)) / "bench"))
import docs_page  # noqa: E402

HEAD = "| row | median |\n|---|---:|"
PAGE = f"As it was measured:\n\n{HEAD}\n| a | 1 |\n| b | 2 |\n| d | 4 |\n\nA remark."


class SomeRows(unittest.TestCase):
    def put(self, *rows):
        return docs_page.with_rows(PAGE, "\n".join([HEAD, *rows]), ["a", "b", "c", "d"])

    def test_the_others_stay(self):
        self.assertEqual(self.put("| b | 9 |"), PAGE.replace("| b | 2 |", "| b | 9 |"))

    def test_a_new_one_goes_where_it_belongs(self):
        self.assertEqual(self.put("| c | 3 |"), PAGE.replace("| d |", "| c | 3 |\n| d |"))

    def test_all_of_them(self):
        self.assertEqual(self.put("| d | 7 |", "| a | 8 |"),
                         PAGE.replace("| a | 1 |", "| a | 8 |").replace("| d | 4 |", "| d | 7 |"))

    def test_one_that_is_no_longer_known_stays(self):
        kept = docs_page.with_rows(PAGE, f"{HEAD}\n| b | 9 |", ["b"])
        self.assertEqual(sorted(kept.splitlines()),
                         sorted(PAGE.replace("| b | 2 |", "| b | 9 |").splitlines()))

    def test_where_there_is_no_table_all_of_it_goes(self):
        table = f"{HEAD}\n| b | 9 |"
        self.assertEqual(docs_page.with_rows("", table, ["b"]), table)
        self.assertEqual(docs_page.with_rows("Not yet.", table, ["b"]), f"Not yet.\n\n{table}")


class Notes(unittest.TestCase):
    def test_a_row_is_told_of_by_its_last_one(self):
        text = docs_page.with_note(PAGE, "`--rounds 1`", ["a", "b"])
        text = docs_page.with_note(text, "`--rounds 2`", ["b", "d"])
        self.assertEqual(text, f"{PAGE}\n\n`--rounds 1`, at another time: a.\n\n"
                         "`--rounds 2`, at another time: b, d.")

    def test_one_with_no_row_left_goes(self):
        text = docs_page.with_note(PAGE, "`--rounds 1`", ["a"])
        text = docs_page.with_note(text, "`--rounds 2`", ["b", "a"])
        self.assertEqual(text, f"{PAGE}\n\n`--rounds 2`, at another time: b, a.")


if __name__ == "__main__":
    unittest.main()
