"""Builds Handfast in three ways and runs every test; started by scripts/test.

Steps run in order, each under a heading. A step that cannot build counts as one failure and the
others go on. The last line sums up: "N passed, N failed", and ", N skipped" when some were.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.path.insert(0, str(ROOT / "tests" / "interop"))
from testbed import namespaces_of_run, remove_namespace  # noqa: E402

JOBS = "2"
STEP_SECONDS_MAX = 20 * 60
# Tests that need the machine to themselves have steps of their own.
ALONE = ["--no-suite", "interop", "--no-suite", "load"]


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    broken: list[str] = field(default_factory=list)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.broken += other.broken


@dataclass
class Build:
    directory: str
    options: list[str]
    compiler: str = "g++"


# Compiles the files of a test's program as one, which takes half the time.
UNITY = ["--unity=on", "--unity-size=100"]
GCC = Build("build", ["--buildtype=release", "-Db_lto=true", *UNITY])
CLANG = Build("build-clang", ["--buildtype=release", "-Dbench=false", *UNITY], "clang++-19")
SANITIZED = Build(
    "build-asan",
    # What is tested is compiled with -O1 all the same (library_options). Not with -O2: the
    # instrumented code takes three times as long to compile for it.
    ["-Doptimization=0", "-Ddebug=true", "-Dcpp_args=-g1", "-Db_ndebug=false",
     "-Db_sanitize=address,undefined", "-Dbench=false", *UNITY],
)


def run(command, environment=None):
    """True when it ended well. Its whole process group ends with it when it takes too long."""
    print("+", " ".join(str(part) for part in command), flush=True)
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(environment or {})},
                               stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(timeout=STEP_SECONDS_MAX) == 0
    except subprocess.TimeoutExpired:
        print(f"took longer than {STEP_SECONDS_MAX} s", flush=True)
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def compile_in(build):
    if not (ROOT / build.directory / "build.ninja").exists():
        setup = ["meson", "setup", build.directory, *build.options]
        if not run(setup, {"CXX": build.compiler}):
            return False
    return run(["ninja", "-C", build.directory, "-j", JOBS])


def read_report(report):
    """The cases of one GoogleTest report."""
    summary = json.loads(report.read_text())
    cases = [case for suite in summary["testsuites"] for case in suite["testsuite"]]
    skipped = sum(case["result"] in ("SKIPPED", "SUPPRESSED") for case in cases)
    failed = summary["failures"]
    return Count(passed=len(cases) - failed - skipped, failed=failed, skipped=skipped)


def cases_of(program, entries, reports):
    """All runs of one program. GoogleTest's count once a case, anything else once a run."""
    broken = [entry["name"] for entry in entries
              if entry["result"] not in ("OK", "EXPECTEDFAIL", "SKIP")]
    count = Count()
    for report in reports.glob("*.json"):
        if re.fullmatch(re.escape(program) + r"(_\d+)?\.json", report.name):
            count.add(read_report(report))
    if count == Count():
        count.skipped = sum(entry["result"] == "SKIP" for entry in entries)
        count.passed = len(entries) - count.skipped - len(broken)
    # One that crashed, or failed after its last case, has a report of no failure or none.
    count.failed = max(count.failed, len(broken))
    count.broken = broken
    return count


def meson_test(build, *arguments, environment=None):
    log = ROOT / build.directory / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    reports = Path(tempfile.mkdtemp(prefix="handfast-reports-"))
    try:
        ended_well = run(
            ["meson", "test", "-C", build.directory, "--no-rebuild", "--print-errorlogs",
             "--num-processes", JOBS, *arguments],
            {"GTEST_OUTPUT": f"json:{reports}/", **(environment or {})})
        count = Count()
        runs = {}
        for line in log.read_text().splitlines() if log.exists() else []:
            entry = json.loads(line)
            runs.setdefault(Path(entry["command"][0]).name, []).append(entry)
        for program, entries in runs.items():
            count.add(cases_of(program, entries, reports))
        if count == Count() or not ended_well and count.failed == 0:
            count.add(Count(failed=1, broken=[f"meson test in {build.directory}"]))
        return count
    finally:
        shutil.rmtree(reports)


def build_and_test(build, *arguments, environment=None):
    if not compile_in(build):
        return Count(failed=1, broken=[f"build in {build.directory}"])
    return meson_test(build, *arguments, environment=environment)


def step_gcc():
    return build_and_test(GCC, *ALONE)


def step_clang():
    return build_and_test(CLANG, *ALONE)


def step_sanitizers():
    return build_and_test(SANITIZED, *ALONE, "--timeout-multiplier", "5", environment={
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:abort_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    })


def step_load():
    return build_and_test(GCC, "--suite", "load")


def step_interop():
    if os.geteuid() != 0:
        print("not root: the tests against Linux need network namespaces and are skipped")
    return build_and_test(GCC, "--suite", "interop")


def step_fuzz():
    command = [str(ROOT / "scripts" / "fuzz"), "--seconds", "20", "--seed", "1"]
    if run(command):
        listed = subprocess.run([command[0], "--list"], capture_output=True, text=True, check=True)
        return Count(passed=len(listed.stdout.split()))
    return Count(failed=1, broken=["scripts/fuzz: see above how to replay"])


STEPS = {
    "gcc": ("GCC, release: build and all tests of one process", step_gcc),
    "clang": ("Clang 19, release: build and the same tests", step_clang),
    "sanitizers": ("GCC, ASan and UBSan: build and the same tests", step_sanitizers),
    "fuzz": ("Clang 19, ASan and UBSan: each fuzz target for 20 s", step_fuzz),
    "load": ("Short runs of the load generator, their books checked", step_load),
    "interop": ("Against Linux, in network namespaces", step_interop),
}


def huge_pages():
    path = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
    return path.read_text().strip() if path.exists() else "none"


def processes_of_run(run_id):
    """Processes that the tests started and that are still there: they inherited the mark."""
    mark = f"HANDFAST_TEST_RUN={run_id}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            marked = mark in (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended, or is another user's
            continue
        if marked and int(folder.name) != os.getpid():
            yield int(folder.name)


def leftovers(huge_pages_before):
    """What the tests should have removed; it is removed now, and counts as a failure."""
    count, run_id = Count(), os.environ["HANDFAST_TEST_RUN"]
    for pid in processes_of_run(run_id):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            count.broken.append(f"process {pid} was left behind")
    for namespace in namespaces_of_run(run_id):
        remove_namespace(namespace)
        count.broken.append(f"namespace {namespace} was left behind")
    if huge_pages() != huge_pages_before:
        count.broken.append(f"huge pages: {huge_pages_before} before, {huge_pages()} now")
    count.failed = len(count.broken)
    count.passed = int(not count.broken)
    return count


def stop(number, _frame):
    sys.exit(128 + number)  # an exception: every "finally" runs


def main(names):
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        print(f"scripts/test: no step '{unknown[0]}'; there are: {' '.join(STEPS)}",
              file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    # Marks the namespaces of this run; other runs on the machine are left alone.
    os.environ["HANDFAST_TEST_RUN"] = str(os.getpid())
    before = huge_pages()
    total, lines = Count(), []
    try:
        for name in names or STEPS:
            title, step = STEPS[name]
            print(f"\n=== {title}", flush=True)
            start = time.monotonic()
            count = step()
            total.add(count)
            lines.append(f"{name:<12} {count.passed:>5} passed {count.failed:>4} failed "
                         f"{count.skipped:>4} skipped {time.monotonic() - start:>6.0f} s")
    finally:
        total.add(leftovers(before))
    print("\n=== Summary", *lines, sep="\n")
    for broken in total.broken:
        print("failed:", broken)
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
