"""The pictures of docs/recovery.md are what sim_weather draws: each line, in that order.

pictures_test.py SIM_WEATHER
"""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recovery.md"
SECTION = "## Four pictures"
NAMES = {"lost-segment", "lost-tail", "reordering", "spurious-timeout"}


def pictures():
    """{name: its lines}; a name in backquotes opens the paragraph that a picture belongs to."""
    found, name = {}, None
    for line in PAGE.read_text().partition(SECTION)[2].partition("\n## ")[0].splitlines():
        opens = re.match(r"\*\*.*\*\* \(`([a-z-]+)`\)", line)
        if opens:
            name = opens.group(1)
        elif line.startswith("    ") and line.strip() != "...":
            found.setdefault(name, []).append(line.split())
    return found


def drawn(program, name):
    ran = subprocess.run([program, "--trace", name, "--picture", "1000"], check=True,
                         capture_output=True, text=True)
    return iter([line.split() for line in ran.stdout.splitlines()])


def main(program):
    shown = pictures()
    wrong = [f"no picture of {name}" for name in sorted(NAMES - set(shown))]
    for name, lines in shown.items():
        rest = drawn(program, name)
        missing = next((line for line in lines if line not in rest), None)
        if missing:
            wrong.append(f"{name}: not drawn, or not there: {' '.join(missing)}")
    print("\n".join(wrong) or "OK")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
