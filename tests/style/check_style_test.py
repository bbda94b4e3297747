"""Each rule of check_style.py finds a break planted for it, and passes what is right."""

import tempfile
import unittest
from pathlib import Path

import check_style

HEADER = "// What it is.\n#pragma once\n"


def rules(path, text):
    return [rule for rule, _line, _message in check_style.breaks(path, text)]


class Includes(unittest.TestCase):
    def test_downward_is_allowed(self):
        text = HEADER + '#include <vector>\n#include "base/seq.hpp"\n#include "wire/tcp.hpp"\n'
        self.assertEqual(rules("lib/stack/stack.hpp", text), [])

    def test_upward_and_sideways_are_not(self):
        self.assertEqual(rules("lib/base/a.cpp", '#include "tcp/tcb.hpp"\n'), ["include"])
        self.assertEqual(rules("lib/tcp/a.cpp", '#include "wire/tcp.hpp"\n'), ["include"])
        self.assertEqual(rules("apps/load/a.cpp", '#include "stack/stack.hpp"\n'), ["include"])

    def test_dpdk_has_two_places(self):
        text = "#include <rte_mbuf.h>\n"
        self.assertEqual(rules("drivers/ethdev/port.cpp", text), [])
        self.assertEqual(rules("lib/runtime/eal.cpp", text), [])
        self.assertEqual(rules("lib/stack/stack.cpp", text), ["dpdk"])

    def test_public_headers_stand_alone(self):
        text = HEADER + "#include <fmt/core.h>\n"
        self.assertEqual(rules("include/handfast/a.hpp", text), ["include"])

    def test_protocol_has_no_clock(self):
        self.assertEqual(rules("lib/tcp/a.cpp", "#include <thread>\n"), ["include"])


class Text(unittest.TestCase):
    def test_names(self):
        self.assertEqual(rules("lib/base/utils.cpp", ""), ["name"])
        self.assertEqual(rules("lib/base/FlowKey.cpp", ""), ["name"])
        self.assertEqual(rules("lib/base/flow_key.cpp", ""), [])

    def test_headers(self):
        self.assertEqual(rules("lib/base/a.hpp", "#pragma once\n"), ["header"])
        self.assertEqual(rules("lib/base/a.hpp", "// What.\n"), ["header"])

    def test_sizes(self):
        self.assertEqual(rules("lib/base/a.cpp", "\n" * 501), ["file-size"])
        self.assertEqual(rules("lib/base/a.cpp", "/" * 101), ["columns"])
        self.assertEqual(rules("lib/base/a.cpp", "int a; \n"), ["whitespace"])

    def test_unfinished(self):
        self.assertEqual(rules("lib/base/a.cpp", "// TO" + "DO: later\n"), ["unfinished"])


class Functions(unittest.TestCase):
    def test_length_counts_head_to_closing_brace(self):
        body = "int f(int a,\n      int b) {\n  if (a) {\n    return b;\n  }\n  return 65'536;\n}\n"
        self.assertEqual(check_style.functions("namespace n {\n" + body + "}\n"), [(2, 7)])

    def test_members_and_initialisers(self):
        text = "class A {\n public:\n  A() : a_{1} {\n    f();\n  }\n  int b() { return 1; }\n};\n"
        self.assertEqual(check_style.functions(text), [(3, 3), (6, 1)])

    def test_braces_in_literals_do_not_count(self):
        text = "void f() {\n  g('{', \"}\", '\\'');  // {\n}\nvoid h() {}\n"
        self.assertEqual(check_style.functions(text), [(1, 3), (4, 1)])

    def test_too_long(self):
        text = "void f() {\n" + "  g();\n" * 69 + "}\n"
        self.assertEqual(rules("lib/base/a.cpp", text), ["function-size"])
        self.assertEqual(rules("lib/base/a.cpp", text.replace("  g();\n", "", 1)), [])


class Ratchet(unittest.TestCase):
    def check(self, text, ratchet):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "lib" / "base").mkdir(parents=True)
            (Path(folder) / "lib" / "base" / "a.cpp").write_text(text)
            return check_style.check_tree(Path(folder), ratchet)[0]

    def test_holds_the_line(self):
        key = ("columns", "lib/base/a.cpp")
        long_line = "/" * 101 + "\n"
        self.assertEqual(self.check(long_line, {key: 1}), [])
        self.assertEqual(len(self.check(long_line * 2, {key: 1})), 2)
        self.assertEqual(len(self.check("", {key: 1})), 1)


if __name__ == "__main__":
    unittest.main()
