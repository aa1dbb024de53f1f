"""A small signed RPM repository, made by the real tools, for tests of what goes wrong with one."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

COMPS = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//CentOS//DTD Comps info//EN" "comps.dtd">
<comps><group><id>core</id><name>Core</name><default>true</default><uservisible>true</uservisible>
<packagelist><packagereq type="mandatory">alpha</packagereq></packagelist></group></comps>
"""


@dataclass(frozen=True)
class SmallRepository:
    """A repository folder, the public key that signs it, and the key's home."""

    folder: Path
    key: Path
    home: Path

    @property
    def url(self) -> str:
        return f"file://{self.folder}/"

    def gpg(self, *words: str) -> str:
        return subprocess.run(
            ["gpg", "--homedir", str(self.home), "--batch", "--yes", *words],
            check=True, capture_output=True, text=True,
        ).stdout

    def index(self) -> None:
        """Make the metadata anew and sign it."""
        subprocess.run(
            ["createrepo_c", "--quiet", "-g", str(self.folder.parent / "comps.xml"),
             str(self.folder)], check=True)
        self.gpg("--detach-sign", "--armor", str(self.folder / "repodata/repomd.xml"))

    def add(self, name: str, spec_lines: str = "", *, sign: bool = True) -> Path:
        """Build a package with one file, /usr/share/<name>/file; index() makes it known."""
        work = self.folder.parent / "rpmbuild"
        spec = self.folder.parent / f"{name}.spec"
        spec.write_text(
            f"Name: {name}\nVersion: 1\nRelease: 1\nSummary: {name}\nLicense: MIT\n"
            f"BuildArch: noarch\n{spec_lines}\n%description\n{name}\n%install\n"
            f"mkdir -p %{{buildroot}}/usr/share/{name}\n"
            f"echo {name} > %{{buildroot}}/usr/share/{name}/file\n%files\n/usr/share/{name}\n")
        subprocess.run(
            ["rpmbuild", "--quiet", "--define", f"_topdir {work}", "-bb", str(spec)],
            check=True, capture_output=True)
        made = next((work / "RPMS").rglob(f"{name}-1-1.*.rpm"))
        target = self.folder / made.name
        shutil.move(made, target)
        if sign:
            subprocess.run(
                ["rpmsign", "--define", f"_gpg_path {self.home}", "--define",
                 "_gpg_name small@example.invalid",
                 "--define", "__gpg /usr/bin/gpg", "--addsign", str(target)],
                check=True, capture_output=True)
        return target

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False)


def make(parent: Path) -> SmallRepository:
    """Make a repository with packages alpha (in group core) and beta (which needs alpha)."""
    folder, home = parent / "repository", parent / "gnupg"
    folder.mkdir(parents=True)
    home.mkdir(mode=0o700)
    repository = SmallRepository(folder, parent / "key.asc", home)
    (parent / "comps.xml").write_text(COMPS)
    repository.gpg("--passphrase", "", "--quick-generate-key", "small@example.invalid",
                   "rsa2048", "sign", "never")
    repository.key.write_text(repository.gpg("--armor", "--export"))
    repository.add("alpha")
    repository.add("beta", "Requires: alpha")
    repository.index()
    return repository
