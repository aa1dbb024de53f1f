"""A small signed RPM repository, made by the real tools, for tests of what goes wrong with one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from builder.kickstart.read import read
from builder.packages.repositories import Source, snapshots, trusted_key
from builder.packages.selection import Selection
from builder.store.store import Store
from images.release import Release, Repository, SigningKey

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

    @property
    def fingerprint(self) -> str:
        lines = self.gpg("--with-colons", "--list-keys").splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))

    def gpg(self, *words: str) -> str:
        return subprocess.run(
            ["gpg", "--homedir", str(self.home), "--batch", "--yes", *words],
            check=True, capture_output=True, text=True,
        ).stdout

    def index(self, modules: str = "") -> None:
        """Make the metadata anew and sign it. modules: a stream of modulemd documents."""
        subprocess.run(
            ["createrepo_c", "--quiet", "-g", str(self.folder.parent / "comps.xml"),
             str(self.folder)], check=True)
        if modules:
            file = self.folder.parent / "modules.yaml"
            file.write_text(modules)
            subprocess.run(["modifyrepo_c", "--mdtype=modules", str(file),
                            str(self.folder / "repodata")], check=True, capture_output=True)
        self.gpg("--detach-sign", "--armor", str(self.folder / "repodata/repomd.xml"))

    def add(
        self, name: str, spec_lines: str = "", *, sign: bool = True, version: str = "1",
        more: Mapping[str, str] = MappingProxyType({}),
        programs: Mapping[str, Path] = MappingProxyType({}), scriptlets: str = "",
    ) -> Path:
        """Build a package with one file, /usr/share/<name>/file; index() makes it known.

        more: other files by path, each with the attribute that it has in %files. programs: files
        of the host's by their paths in the package. scriptlets: sections of the spec.
        """
        work = self.folder.parent / "rpmbuild"
        spec = self.folder.parent / f"{name}.spec"
        spec.write_text(
            f"Name: {name}\nVersion: {version}\nRelease: 1\nSummary: {name}\nLicense: MIT\n"
            f"BuildArch: noarch\n{spec_lines}\n%description\n{name}\n%install\n"
            f"mkdir -p %{{buildroot}}/usr/share/{name}\n"
            f"echo {name} > %{{buildroot}}/usr/share/{name}/file\n"
            + "".join(f"mkdir -p %{{buildroot}}{Path(path).parent}\n"
                      f"echo {path} > %{{buildroot}}{path}\n" for path in more)
            + "".join(f"install -D -m 755 {source} %{{buildroot}}{path}\n"
                      for path, source in programs.items())
            + f"{scriptlets}\n"
            + f"%files\n%dir /usr/share/{name}\n/usr/share/{name}/file\n"
            + "".join(f"{attribute} {path}\n" for path, attribute in more.items())
            + "".join(f"{path}\n" for path in programs))
        subprocess.run(
            ["rpmbuild", "--quiet", "--define", f"_topdir {work}", "-bb", str(spec)],
            check=True, capture_output=True)
        made = next((work / "RPMS").rglob(f"{name}-{version}-1.*.rpm"))
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


def selection(repository: SmallRepository, store: Store, package: str) -> Selection:
    """Return what dnf is asked for by a kickstart that wants one package of the repository."""
    path = store.root.parent / "test.ks"
    path.write_text(f"%packages --nocore\n{package}\n%end\n")
    release = Release(
        name="small", title="Small", distribution="Small", version="10", dialect="RHEL10",
        public_path="small", rpm_database="/usr/lib/sysimage/rpm",
        architectures=["x86_64"],  # type: ignore[arg-type]
        key=SigningKey(url=f"file://{repository.key}", fingerprint=repository.fingerprint),
        repositories=[Repository(id="small", mirrors=[repository.url])],
    )
    return Selection(read(path, "RHEL10"), release, "x86_64",
                   snapshots([Source("small", (repository.url,))]),
                   trusted_key(release, {}, store.root / "keys"))


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


def group(name: str, packages: str) -> str:
    """Return a comps group; packages: `hammer`, `saw/default`, `file/optional`, with spaces."""
    rows = "".join(
        f'<packagereq type="{kind or "mandatory"}">{package}</packagereq>'
        for package, _, kind in (word.partition("/") for word in packages.split()))
    return (f"<group><id>{name}</id><name>{name}</name><default>false</default>"
            f"<uservisible>true</uservisible><packagelist>{rows}</packagelist></group>\n")


def environment(name: str, groups: str) -> str:
    """Return a comps environment of groups, which are separated by spaces."""
    rows = "".join(f"<groupid>{one}</groupid>" for one in groups.split())
    return (f"<environment><id>{name}</id><name>{name}</name><display_order>1</display_order>"
            f"<grouplist>{rows}</grouplist><optionlist/></environment>\n")


def comps(*parts: str) -> str:
    """Return a comps.xml of groups and environments."""
    head, _, _ = COMPS.partition("<comps>")
    return f"{head}<comps>{''.join(parts)}</comps>\n"


def module_stream(name: str, stream: str, package: str) -> str:
    """Return a modulemd document: one stream that holds one noarch package."""
    return f"""---
document: modulemd
version: 2
data:
  name: {name}
  stream: "{stream}"
  version: 1
  context: c0ffee
  arch: noarch
  summary: {name}
  description: {name}
  license: {{module: [MIT]}}
  profiles: {{default: {{rpms: [{package.rsplit("-", 2)[0]}]}}}}
  api: {{rpms: [{package.rsplit("-", 2)[0]}]}}
  artifacts: {{rpms: ["{package.replace("-", "-0:", 1)}.noarch"]}}
...
"""
