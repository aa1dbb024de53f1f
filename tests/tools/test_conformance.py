"""tools/conformance: tests in the style of Anaconda's suite, how they are prepared and judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.kickstart_suite import preparation
from tools.kickstart_suite.__main__ import main
from tools.kickstart_suite.applicable import (
    asked_of_the_machine,
    objection,
    objection_to_text,
)
from tools.kickstart_suite.definition import Definition, definitions
from tools.kickstart_suite.prepare import NotPreparedError, kickstart, platform_of
from tools.kickstart_suite.table import table
from tools.kickstart_suite.verdict import Verdict

TYPE = 'TESTTYPE="users coverage"\n. ${KSTESTDIR}/functions.sh\n'
FILES = {
    "functions.sh": 'kernel_args() {\n    echo $DEFAULT_BOOTOPTS\n}\nTESTTYPE=none\n',
    "devices.cfg": "PREFIX=enp\nexport KSTEST_NETDEV1=${PREFIX}1s0\n",
    "scripts/defaults.sh": "source ./devices.cfg\nexport KSTEST_URL='http://a/$releasever/'\n",
    "scripts/defaults-centos10.sh": "export KSTEST_URL='https://mirror.example/10/'\n",
    "fragments/shared/repos/default.ks": "url --url=shared\n",
    "fragments/platform/centos10/repos/default.ks": "url --url=@KSTEST_URL@\n",
    "fragments/shared/end.ks": "if [ ! -e /root/RESULT ]; then echo SUCCESS > /root/RESULT; fi\n",
    "library.sh": 'check() { grep -q "$1" "$2" || echo "*** no $1" >> /root/RESULT; }\n',
    "good.sh": TYPE,
    "good.ks.in": "%ksappend repos/default.ks\nnetwork --device=@KSTEST_NETDEV1@\n%post\n"
                  "  @KSINCLUDE@ library.sh\ncheck @KSTEST_OS_NAME@@KSTEST_OS_VERSION@ /etc/x\n"
                  "%ksappend end.ks\n%end\n",
}


def suite(folder: Path, more: dict[str, str] | None = None) -> Path:
    """Make a suite; shell files but functions.sh and libraries are tests."""
    for name, text in {**FILES, **(more or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name.endswith(".sh") and name not in (
            "functions.sh", "library.sh") else 0o644)
    return folder


def one(folder: Path, shell: str) -> Definition:
    return Definition(suite(folder, {"one.sh": shell}) / "one.sh")


def test_tests_are_the_files_that_may_be_run_and_have_a_type(tmp_path: Path) -> None:
    found = definitions(suite(tmp_path, {"plain.sh": "echo\n"}), [])
    assert [(each.name, each.types) for each in found] == [("good", ("users", "coverage"))]


def test_a_kickstart_has_fragments_of_the_platform_variables_and_inclusions(
    tmp_path: Path,
) -> None:
    test, = definitions(suite(tmp_path), ["good"])
    assert kickstart(test, platform_of("rehearsal-10")) == (
        "url --url=https://mirror.example/10/\n\nnetwork --device=enp1s0\n%post\n"
        f"{FILES['library.sh']}\ncheck centos10 /etc/x\n{FILES['fragments/shared/end.ks']}\n%end\n")


@pytest.mark.parametrize(("line", "says"), [
    ("%ksappend nothing.ks", "centos10 has no fragment nothing.ks"),
    ("@KSINCLUDE@ ../../../etc/passwd", "the suite has no ../../../etc/passwd"),
    ("%ksappend ../../../../../etc/passwd", "the suite has no"),
])
def test_what_can_not_be_prepared_is_said(tmp_path: Path, line: str, says: str) -> None:
    if "etc/passwd" in line:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/passwd").write_text("secret")
    test = Definition(suite(tmp_path / "a/b/c", {"one.sh": TYPE, "one.ks.in": line}) / "one.sh")
    with pytest.raises(NotPreparedError, match="no"):
        kickstart(test, "centos10")
    assert says


@pytest.mark.parametrize(("shell", "says"), [
    (TYPE, ""),
    ('TESTTYPE=${TESTTYPE:-"network knownfailure"}\n', "the suite expects it to fail"),
    ('TESTTYPE="a skip-on-centos-10"\n', "the suite leaves it out on centos10"),
    ('TESTTYPE="a skip-on-centos"\n', "the suite leaves it out on centos10"),
    ('TESTTYPE="a skip-on-fedora"\n', ""),
    # What brings the kickstart to the installer decides nothing.
    (TYPE + "kernel_args() {\n  echo ${DEFAULT_BOOTOPTS} ip=dhcp inst.ks=${ks_url}\n}\n", ""),
    (TYPE + "kernel_args() {\n  echo ${DEFAULT_BOOTOPTS} inst.keymap=fr\n}\n",
     "boot options of the installer (inst.keymap=fr)"),
    (TYPE + "prepare_updates() {\n  echo x\n}\n", "it changes the installer"),
    (TYPE + "validate() {\n  virt-cat $1 /root/RESULT\n}\n", ""),
    (TYPE + "validate() {\n  grep x ${1}/virt-install.log\n}\n",
     "its check is a program outside, of the installer's logs or disks"),
])
def test_which_shell_files_apply(tmp_path: Path, shell: str, says: str) -> None:
    assert objection(one(tmp_path, shell), "centos10") == says


def test_functions_of_other_tests_that_a_file_reads_in_are_its_own(tmp_path: Path) -> None:
    suite(tmp_path, {"other.sh": TYPE + "kernel_args() {\n  echo inst.text\n}\n"})
    test = one(tmp_path, TYPE + ". ${KSTESTDIR}/other.sh\n")
    assert objection(test, "centos10") == "boot options of the installer (inst.text)"


@pytest.mark.parametrize(("text", "says"), [
    ("part /\n%post\necho SUCCESS > /root/RESULT\n%end\n", ""),
    ("ostreesetup --url=x\n%post\necho SUCCESS\n%end\n",
     "OSTree or a bootable container (ostreesetup)"),
    ("%post\nnfs\necho SUCCESS\n%end\n", ""),  # a word of a script is no command
    ("url --url=ftp://a/\n%post\necho SUCCESS\n%end\n", "packages by FTP"),
    ("part /\n", "its kickstart reports no result"),
])
def test_which_kickstarts_apply(text: str, says: str) -> None:
    assert objection_to_text(text) == says


def test_what_scripts_ask_of_a_running_machine() -> None:
    text = "%post\n# nmcli\nx=$(blkid -o value /dev/vda1)\ngrep x /tmp/packaging.log\n%end\n"
    assert asked_of_the_machine(text) == ["block devices", "the installer"]


def test_words_are_put_in_and_empty_repositories_made(tmp_path: Path) -> None:
    body = """\
    local ks="$1"
    local httpd_url=""
    mkdir -p "${tmp_dir}/http/repo"
    createrepo_c -q "${tmp_dir}/http/repo"
    start_httpd "${tmp_dir}/http" "${tmp_dir}"
    sed -e "s|REPO_URL|${httpd_url}/repo|" -e 's#@IP@#10.0.0.1#g' "${ks}" > "${tmp_dir}/ks.cfg"
    echo "${tmp_dir}/ks.cfg"
"""
    assert preparation.apply("url --url=REPO_URL @IP@", body, tmp_path) == \
        f"url --url=file://{tmp_path}/repo 10.0.0.1"
    assert (tmp_path / "repo/repodata/repomd.xml").is_file()


@pytest.mark.parametrize("line", [
    'scripts/generate-repository.py "${tmp_dir}/http/a"', "url=$(cat ${tmpdir}/url)",
    'mkdir x; rm -rf /', 'sed -i "s|X|$(cat y)|" "${ks}"', "ks=`reboot`",
])
def test_preparations_of_other_kinds_are_not_run(tmp_path: Path, line: str) -> None:
    with pytest.raises(NotPreparedError, match="its preparation runs"):
        preparation.apply("", line + "\n", tmp_path)


def test_the_table_counts_by_type_and_gives_reasons() -> None:
    text = table([
        Verdict("a", ("skip-on-fedora", "users", "smoke"), "passed"),
        Verdict("b", ("users",), "failed", "x | y"),
        Verdict("c", ("lvm",), "not applicable", "why"),
    ])
    assert "| lvm |  |  |  |  |  |  | 1 |\n| users | 1 | 1 |  |  |  |  |  |\n" in text
    assert "| **all** | 1 | 1 |  |  |  |  | 1 |\n" in text
    assert "* `b`: x \\| y\n" in text and "* 1: why\n" in text


def test_a_folder_that_is_no_suite_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path)])
    assert ended.value.code == 2
    assert "name a checkout of kickstart-tests" in capsys.readouterr().err
