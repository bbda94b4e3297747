"""Plants small faults in lib/, one at a time, and reports which the tests catch.

tests/mutation/mutants.toml lists the faults: a fragment of a file and what it becomes; `near` is a
line before it, where the fragment itself stands in the file more than once. All of them are compiled
at once, into a copy of the tree: each fragment turns into a choice between itself and
its fault, and the environment variable HANDFAST_MUTANT says which fault is on. So one build serves
all, and a fault costs only the tests that it takes to catch it: those of the fault's own folder
first, until one fails, crashes or does not end.

A fault with a reason in `survives` changes nothing that a test could see; it is run as well, and
named when a test catches it after all, but does not count.
"""

import argparse
import concurrent.futures
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tests" / "mutation" / "mutants.toml"
WORK = ROOT / "build-mutants"
SOURCE = WORK / "source"
BUILD = WORK / "build"
CAUGHT_MIN = 0.95
# What the copy is made of; everything else is not needed to build the tests.
PARTS = ("meson.build", "meson_options.txt", "include", "lib", "drivers", "apps", "tests", "bench",
         "docs", "scripts", "README.md")
# Programs, in the order of how much they catch for their time; others follow.
FIRST = {
    "lib/tcp/congestion": ["congestion_test", "tcp_test"],
    "lib/tcp": ["tcp_test", "stack_test"],
    "lib/stack": ["stack_test"],
    "lib/table": ["table_test"],
    "lib/timer": ["timer_test"],
    "lib/wire": ["wire_test"],
    "lib/net": ["net_test"],
    "lib/base": ["base_test"],
}
THEN = ["tcp_test", "stack_test", "stack_buffer_test", "stack_regression_test", "script_test",
        "traces_test", "impaired_transfer_test"]
# They need the machine, or tell nothing of lib/ that others do not.
LEFT_OUT = ("load", "interop", "style", "mutation", "fuzz")
FOLDERS_LEFT_OUT = ("apps",)
SECONDS_MIN = 20  # a test is given ten times what it takes, and this at least
TICK_SECONDS = 0.1
# Which test caught a fault the last time: it is asked first.
REMEMBERED = WORK / "caught_by.json"


@dataclass(frozen=True)
class Mutant:
    number: int
    name: str
    file: str
    old: str
    new: str
    near: str
    survives: str


@dataclass(frozen=True)
class Check:
    name: str
    command: tuple[str, ...]
    folder: str
    environment: tuple[tuple[str, str], ...]

    @property
    def program(self):
        return Path(self.command[0]).name


def fail(message):
    sys.exit(f"mutate: {message}")


def read_list():
    mutants = []
    for number, entry in enumerate(tomllib.loads(LIST.read_text())["mutant"], start=1):
        unknown = set(entry) - {"name", "file", "old", "new", "near", "survives"}
        if unknown or not {"name", "file", "old", "new"} <= set(entry):
            fail(f"entry {number} of {LIST.name} needs name, file, old and new, and may have near "
                 f"and survives; it has {', '.join(sorted(entry))}")
        mutants.append(Mutant(number, entry["name"], entry["file"], entry["old"], entry["new"],
                              entry.get("near", ""), entry.get("survives", "")))
    names = [mutant.name for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            fail(f"two entries of {LIST.name} are called {name}")
    return mutants


def choice(mutant):
    """The fragment and its fault, as C++ that asks which is on."""
    ask = f"::handfast_mutation::is({mutant.number})"
    if mutant.old.endswith(";"):
        return f"{{ if ({ask}) {{ {mutant.new} }} else {{ {mutant.old} }} }}"
    return f"({ask} ? ({mutant.new}) : ({mutant.old}))"


def place_of(mutant, text):
    """Where the fragment begins, or None: it must be the only one, or follow the only `near`."""
    if not mutant.near:
        return text.index(mutant.old) if text.count(mutant.old) == 1 else None
    if text.count(mutant.near) != 1:
        return None
    place = text.find(mutant.old, text.index(mutant.near))
    return place if place >= 0 else None


def is_whole(fragment):
    """Whether every bracket in it is closed in it: choice() puts it between others."""
    opened = []
    for letter in fragment:
        if letter in "([{":
            opened.append(letter)
        elif letter in ")]}" and (not opened or opened.pop() + letter not in ("()", "[]", "{}")):
            return False
    return not opened


def plant(mutants, read):
    """The files with all faults in them; `read` gives a file's text."""
    places, wrong = {}, []
    for mutant in mutants:
        place = place_of(mutant, read(mutant.file))
        if place is None:
            wrong.append(f"{mutant.name}: {mutant.file} does not have it, or not only once: "
                         f"{mutant.near or mutant.old}")
            continue
        if not is_whole(mutant.old) or not is_whole(mutant.new):
            wrong.append(f"{mutant.name}: cut through a bracket")
            continue
        places.setdefault(mutant.file, []).append((place, mutant))
    texts = {}
    for name, planted in places.items():
        text, end = read(name), sys.maxsize
        for place, mutant in sorted(planted, key=lambda pair: pair[0], reverse=True):
            if place + len(mutant.old) > end:
                wrong.append(f"{mutant.name}: lies within another fault of {name}")
            text = text[:place] + choice(mutant) + text[place + len(mutant.old):]
            end = place
        texts[name] = text
    if wrong:
        fail("faults that cannot be planted:\n  " + "\n  ".join(wrong))
    return texts


def write_if_changed(path, data):
    """So that ninja builds only what changed since the last time."""
    if path.exists() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def files_of(tree):
    for part in PARTS:
        path = tree / part
        if path.is_file():
            yield path.relative_to(tree)
        for found in sorted(path.rglob("*")) if path.is_dir() else []:
            if found.is_file() and "__pycache__" not in found.parts:
                yield found.relative_to(tree)


def copy_tree(texts):
    wanted = set(files_of(ROOT))
    for gone in set(files_of(SOURCE)) - wanted if SOURCE.exists() else ():
        (SOURCE / gone).unlink()
    for name in wanted:
        text = texts.get(str(name))
        data = text.encode() if text is not None else (ROOT / name).read_bytes()
        write_if_changed(SOURCE / name, data)
        shutil.copymode(ROOT / name, SOURCE / name)


def build():
    if not (BUILD / "build.ninja").exists():
        header = SOURCE / "tests" / "mutation" / "mutant.hpp"
        subprocess.run(
            ["meson", "setup", BUILD, SOURCE, "-Dbuildtype=debug", "-Ddebug=false",
             "-Doptimization=0", "-Dbench=false", "-Dwerror=false", "-Dwarning_level=0",
             f"-Dcpp_args=-std=c++23 -include {header}"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, "--quiet", *programs_of(read_checks())], check=True)


def programs_of(checks):
    """As ninja calls them."""
    parts = {Path(part) for check in checks for part in check.command}
    return sorted(str(part.relative_to(BUILD)) for part in parts if part.is_relative_to(BUILD))


def read_checks():
    listed = subprocess.run(["meson", "introspect", "--tests", BUILD], check=True,
                            capture_output=True, text=True).stdout
    checks = []
    for test in json.loads(listed):
        suites = {part for suite in test["suite"] for part in suite.split(":")}
        program = Path(test["cmd"][0])
        if (suites & set(LEFT_OUT) or program.parent.name in FOLDERS_LEFT_OUT or
                program.name.startswith("python")):
            continue
        checks.append(Check(test["name"], tuple(test["cmd"]), test["workdir"] or str(BUILD),
                            tuple(sorted(test["env"].items()))))
    return checks


def remembered():
    return json.loads(REMEMBERED.read_text()) if REMEMBERED.exists() else {}


def remember(results):
    found = {result["name"]: result["by"] for result in results if result["caught"]}
    REMEMBERED.write_text(json.dumps(remembered() | found, indent=2) + "\n")


def order_for(mutant, checks, last):
    folder = str(Path(mutant.file).parent)
    while folder and folder not in FIRST:
        folder = str(Path(folder).parent) if "/" in folder else ""
    ranks = [*FIRST.get(folder, []), *THEN]
    return sorted(checks, key=lambda check: -1 if check.name == last
                  else ranks.index(check.program) if check.program in ranks else len(ranks))


def wait_for(process, seconds):
    """Its exit code, or None when it takes longer. Ticks are counted and not the time, and the test
    is of our process group: who stops the group does not make it late."""
    for _ in range(round(seconds / TICK_SECONDS)):
        try:
            return process.wait(timeout=TICK_SECONDS)
        except subprocess.TimeoutExpired:
            pass
    process.kill()
    process.wait()
    return None


def run_check(check, number, seconds):
    """None when it passed, else how it did not."""
    environment = {**os.environ, **dict(check.environment), "HANDFAST_MUTANT": str(number)}
    environment.pop("GTEST_OUTPUT", None)
    command = [*check.command]
    if number:
        environment["GTEST_FAIL_FAST"] = "1"
    process = subprocess.Popen(command, cwd=check.folder, env=environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    code = wait_for(process, seconds)
    if code is None:
        return "does not end"
    if code == 0 or code == 77:  # 77: meson's sign of a skipped test
        return None
    return "crashes" if code < 0 else "fails"


def seconds_of(check):
    started = time.monotonic()
    result = run_check(check, 0, 600)
    if result is not None:
        fail(f"without any fault the test '{check.name}' {result}")
    return time.monotonic() - started


def time_checks(checks, pool):
    """How long each may take; all of them pass without a fault, or nothing can be told."""
    seconds = pool.map(seconds_of, checks)
    return {check.name: max(SECONDS_MIN, 10 * each) for check, each in zip(checks, seconds)}


def try_mutant(mutant, checks, limits, last):
    started = time.monotonic()
    for check in order_for(mutant, checks, last):
        result = run_check(check, mutant.number, limits[check.name])
        if result is not None:
            return {"name": mutant.name, "file": mutant.file, "caught": True,
                    "by": check.name, "how": result, "survives": mutant.survives,
                    "seconds": round(time.monotonic() - started, 1)}
    return {"name": mutant.name, "file": mutant.file, "caught": False, "by": None, "how": None,
            "survives": mutant.survives, "seconds": round(time.monotonic() - started, 1)}


def show(result, done, total, lock):
    with lock:
        verdict = f"{result['by']} {result['how']}" if result["caught"] else "NOT CAUGHT"
        if not result["caught"] and result["survives"]:
            verdict = f"cannot be seen: {result['survives']}"
        print(f"{done:4}/{total}  {result['name']:44} {verdict}", flush=True)


def summarize(results):
    counted = [result for result in results if not result["survives"]]
    caught = sum(result["caught"] for result in counted)
    missed = [result["name"] for result in counted if not result["caught"]]
    wrong = [result["name"] for result in results if result["survives"] and result["caught"]]
    return {"mutants": len(counted), "caught": caught,
            "share": round(caught / len(counted), 4) if counted else 1.0,
            "cannot_be_seen": len(results) - len(counted), "missed": missed,
            "seen_after_all": wrong, "results": results}


def read_arguments():
    parser = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__.split("\n")[0])
    parser.add_argument("--sample", type=int, metavar="N", help="only so many, drawn at random")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default: 1)")
    parser.add_argument("--only", action="append", metavar="NAME", help="this fault; repeatable")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N",
                        help="faults tried at a time (default: one a CPU)")
    parser.add_argument("--json", metavar="FILE", help="write the result there")
    parser.add_argument("--check", action="store_true",
                        help="only see that every fault has its place in the source, and is whole")
    return parser.parse_args()


def choose(mutants, arguments):
    if arguments.only:
        unknown = set(arguments.only) - {mutant.name for mutant in mutants}
        if unknown:
            fail(f"no fault is called {', '.join(sorted(unknown))}; see {LIST.relative_to(ROOT)}")
        return [mutant for mutant in mutants if mutant.name in arguments.only]
    if arguments.sample is None:
        return mutants
    if not 1 <= arguments.sample <= len(mutants):
        fail(f"--sample {arguments.sample}: use 1 to {len(mutants)}")
    return random.Random(arguments.seed).sample(mutants, arguments.sample)


def main():
    arguments = read_arguments()
    mutants = read_list()
    texts = plant(mutants, lambda name: (ROOT / name).read_text())
    if arguments.check:
        print(f"{len(mutants)} faults, each whole and in its place")
        return 0
    chosen = choose(mutants, arguments)
    copy_tree(texts)
    build()
    checks = read_checks()
    results, lock, last = [], threading.Lock(), remembered()
    with concurrent.futures.ThreadPoolExecutor(max(1, arguments.jobs)) as pool:
        limits = time_checks(checks, pool)
        print(f"{len(chosen)} faults, {len(checks)} tests", flush=True)
        running = [pool.submit(try_mutant, mutant, checks, limits, last.get(mutant.name))
                   for mutant in chosen]
        for done in concurrent.futures.as_completed(running):
            results.append(done.result())
            show(results[-1], len(results), len(chosen), lock)
    remember(results)
    summary = summarize(sorted(results, key=lambda result: result["name"]))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(summary, indent=2) + "\n")
    for name in summary["missed"]:
        print(f"not caught: {name}")
    for name in summary["seen_after_all"]:
        print(f"said to be invisible, but caught: {name}")
    print(f"{summary['caught']} of {summary['mutants']} faults caught "
          f"({100 * summary['share']:.1f} %), {summary['cannot_be_seen']} cannot be seen")
    return 0 if summary["share"] >= CAUGHT_MIN and not summary["seen_after_all"] else 1


if __name__ == "__main__":
    sys.exit(main())
