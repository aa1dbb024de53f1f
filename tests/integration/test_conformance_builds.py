"""tools/conformance on a few tests in the style of Anaconda's suite: the verdicts it prints."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from images import catalogue

CHECKOUT = Path(__file__).parents[2]
TYPE = 'TESTTYPE="{}"\n. ${{KSTESTDIR}}/functions.sh\n'
# The packages are those of an image that other tests build, too.
IMAGE = catalogue.kickstart_of(catalogue.image("generic-cloud")).read_text()
SUCCESS = "if [ ! -e /root/RESULT ]; then echo SUCCESS > /root/RESULT; fi\n"
TESTS = {
    "grub": ("bootloader", IMAGE + "%post\ngrep -q '^GRUB_CMDLINE_LINUX=\"' /etc/default/grub || "
             f"echo '*** no double quotes' > /root/RESULT\n{SUCCESS}%end\n"),
    "absent": ("payload", IMAGE + f"%post\n[ -e /absent ] || echo '*** absent' > /root/RESULT\n"
               f"{SUCCESS}%end\n"),
    "hibernation": ("storage", f"autopart --hibernation\n%post\n{SUCCESS}%end\n"),
    "ostree": ("payload", f"ostreesetup --osname=a --ref=b --url=c\n%post\n{SUCCESS}%end\n"),
}


def test_passed_failed_refused_and_not_applicable(tmp_path: Path) -> None:
    for name, (kind, text) in TESTS.items():
        (tmp_path / f"{name}.sh").write_text(TYPE.format(kind))
        (tmp_path / f"{name}.sh").chmod(0o755)
        (tmp_path / f"{name}.ks.in").write_text(text)
    kept = tmp_path / "verdicts.json"
    done = subprocess.run([CHECKOUT / "tools/conformance", tmp_path, "--json", kept],
                          capture_output=True, text=True, check=False)
    found = {each["name"]: (each["outcome"], each["why"]) for each in json.loads(kept.read_text())}
    assert done.returncode == 1, done.stderr
    assert found["grub"] == ("passed", "")
    assert found["absent"] == ("failed", "*** absent")
    assert found["hibernation"][0] == "refused" and "--hibernation" in found["hibernation"][1]
    assert found["ostree"] == ("not applicable", "OSTree or a bootable container (ostreesetup)")
    assert "| **all** | 1 | 1 |  | 1 |  |  | 1 |" in done.stdout
