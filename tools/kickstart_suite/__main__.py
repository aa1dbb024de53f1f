"""tools/conformance: builds what of the suite an image builder can build, and prints the table."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import rehearsal
from builder.store.store import open_store
from host.mounts import private_mounts
from host.progress import Silent
from images import catalogue
from tools.kickstart_suite.definition import definitions
from tools.kickstart_suite.prepare import platform_of
from tools.kickstart_suite.table import table
from tools.kickstart_suite.verdict import Bench, Verdict, judge


def main(words: list[str]) -> int:
    """Run the tests; 0 when none failed, was refused or broke, else 1."""
    parser = argparse.ArgumentParser(prog="tools/conformance", description=__doc__)
    parser.add_argument("suite", type=Path, help="a checkout of rhinstaller/kickstart-tests")
    parser.add_argument("tests", nargs="*", help="names of tests  [default: all]")
    parser.add_argument("--release", default="rehearsal-10", help="[default: rehearsal-10]")
    parser.add_argument("--platform",
                        help="the suite's name of the release  [default: of --release]")
    parser.add_argument("--json", type=Path, metavar="FILE",
                        help="keep verdicts there; those that it has are not built again")
    options = parser.parse_args(words)
    tests = definitions(options.suite, options.tests)
    if not tests:
        parser.error(f"{options.suite} has no such tests: name a checkout of kickstart-tests")
    release = catalogue.release(options.release)
    known = _read(options.json)
    private_mounts()
    with tempfile.TemporaryDirectory(prefix="ccis-suite-") as scratch:
        bench = Bench(
            release, options.platform or platform_of(release.name), "x86_64",
            rehearsal.create(release.name, Silent()) if release.rehearsal else None,
            open_store(), Path(scratch))
        for test in tests:
            if test.name in known:
                continue
            known[test.name] = found = judge(test, bench)
            print(f"{found.outcome:<15} {found.name} ({found.seconds:.0f} s) {found.why}"[:300],
                  file=sys.stderr, flush=True)
            if options.json:
                options.json.write_text(json.dumps(
                    [asdict(each) for each in known.values()], indent=1) + "\n")
    chosen = [known[test.name] for test in tests]
    print(table(chosen), end="")
    return int(any(one.outcome in ("failed", "refused", "broken") for one in chosen))


def _read(path: Path | None) -> dict[str, Verdict]:
    if path is None or not path.exists():
        return {}
    return {one["name"]: Verdict(**{**one, "types": tuple(one["types"])})
            for one in json.loads(path.read_text())}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
