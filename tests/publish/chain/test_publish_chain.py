"""The chain of trust: from one offline root to each file; python-tuf's own client is the judge."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest
from tuf.api.exceptions import RepositoryError
from tuf.ngclient import Updater, UpdaterConfig

from host.errors import CcisError, CheckFailedError, InputError
from host.progress import Silent
from publish.chain.ceremony import following, read_proposal, sign, write_proposal
from publish.chain.keys import new_key, read_public, signers
from publish.chain.store import Store
from publish.model import moment
from publish.policies import load_policy
from publish.sign import Signer
from publish.tree import Options, publish
from publish.verify import Wish, verify
from tests.publish.chain.conftest import NEW, OLD, Sig, now, problems
from tests.publish.conftest import IMAGES, MakeBuild
from tests.publish.servers import nginx


def test_a_tree_is_verified_from_the_root_alone(sig: Sig) -> None:
    report = sig.verify()
    assert report.findings == []
    assert report.trust == "pinned"
    assert report.chain and report.chain["root"] == 1
    assert report.fingerprints == [sig.signer.fingerprint]


def test_a_stranger_verifies_it_over_http_from_the_public_half_of_one_root_key(
    sig: Sig, served: str,
) -> None:
    report = verify(served, wish=Wish(root_key=sig.place / "root-1.pub"))
    assert report.findings == []
    assert report.bytes_hashed > 3 * 4000
    other = new_key(sig.place / "stranger.pem")
    report = verify(served, wish=Wish(root_key=sig.place / "stranger.pub"))
    assert other.keyid[:16] in problems(report)["tuf/1.root.json"]


def test_python_tuf_s_own_client_gets_a_target(sig: Sig, served: str, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "t").mkdir()
    client = Updater(str(tmp_path / "m"), f"{served}/tuf/", str(tmp_path / "t"), f"{served}/",
                     config=UpdaterConfig(prefix_targets_with_hash=False),
                     bootstrap=sig.first_root.read_bytes())
    target = client.get_targetinfo(f"{IMAGES}/{NEW}.qcow2")
    assert target is not None and target.custom["channel"] == "production"
    path = Path(client.download_target(target))
    assert path.read_bytes() == (sig.root / IMAGES / f"{NEW}.qcow2").read_bytes()
    assert client.get_targetinfo(f"{IMAGES}/nothing") is None


def test_a_change_without_the_online_keys_is_refused_and_changes_nothing(
    sig: Sig, make_build: MakeBuild,
) -> None:
    before = {path: path.read_bytes() for path in sig.root.rglob("*") if path.is_file()}
    build = make_build("20261122.0")
    options = Options(load_policy("rehearsal"))
    with pytest.raises(InputError, match="--trust-keys"):
        publish([build], sig.root, sig.signer, Silent(), options)
    (sig.place / "online/snapshot.pem").unlink()
    with pytest.raises(InputError, match="role snapshot can't be signed"):
        publish([build], sig.root, sig.signer, Silent(), options, chain=sig.online)
    assert {path: path.read_bytes() for path in sig.root.rglob("*") if path.is_file()} == before


def test_one_of_two_root_keys_is_not_enough(sig: Sig) -> None:
    proposal = following(Store(sig.root).trusted_root(), [], [], now())
    with pytest.raises(CheckFailedError, match="too few of its own root keys"):
        sig.accept(proposal, sig.place / "root-3.pem")


def test_an_online_key_is_revoked(sig: Sig, tmp_path: Path) -> None:
    """Whoever stole it can sign nothing any more that readers take."""
    stolen = signers([sig.place / "online/timestamp.pem"])
    keyid = next(iter(stolen))
    new = sig.key("online/timestamp-2")
    proposal = following(Store(sig.root).trusted_root(),
                         [("timestamp", read_public(new.with_suffix(".pub")))], [keyid[:12]], now())
    write_proposal(proposal, tmp_path / "root.json")  # goes from hand to hand as a file
    for holder in ("root-2", "root-3"):
        carried = read_proposal(tmp_path / "root.json")
        sign(carried, signers([sig.place / f"{holder}.pem"]))
        write_proposal(carried, tmp_path / "root.json")
    sig.accept(read_proposal(tmp_path / "root.json"))
    assert sig.verify().findings == []
    (sig.place / "online/timestamp.pem").unlink()
    sig.put("20261122.0")
    assert sig.verify().findings == []
    forged = Store(sig.root).timestamp()
    assert forged is not None
    forged.signed.version += 1
    forged.signatures.clear()
    forged.sign(stolen[keyid])
    (sig.root / "tuf/timestamp.json").write_bytes(forged.to_bytes())
    assert "tuf/timestamp.json" in problems(sig.verify())


def test_a_holder_of_a_root_key_is_replaced_and_the_first_root_still_leads_there(
    sig: Sig,
) -> None:
    old, new = read_public(sig.place / "root-1.pub"), sig.key("root-4")
    proposal = following(Store(sig.root).trusted_root(),
                         [("root", read_public(new.with_suffix(".pub")))], [old.keyid], now())
    with pytest.raises(CheckFailedError, match="the tree's present root keys"):
        sig.accept(proposal, new, sig.place / "root-2.pem")  # enough for the new root only
    sig.accept(proposal, sig.place / "root-3.pem")
    report = sig.verify()
    assert report.findings == [] and report.chain and report.chain["root"] == 2


def test_renewing_gives_the_same_state_more_time(sig: Sig) -> None:
    before = sig.verify().chain
    sig.renew()
    after = sig.verify().chain
    assert before and after
    assert after["timestamp"] == int(before["timestamp"]) + 1


def test_a_publisher_that_was_killed_before_the_timestamp_is_a_note_and_is_mended(
    sig: Sig, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The folder is new and signed, the chain a step behind: both are true to their readers."""
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("publish.change.publish_timestamp", killed)
        with pytest.raises(KeyboardInterrupt):
            sig.put("20261122.0")
    report = sig.verify()
    assert report.findings == []
    assert any("not yet in the chain" in note for note in report.notes)
    sig.put("20261123.0")
    report = sig.verify()
    assert report.findings == [] and report.notes == []


def test_a_folder_that_somebody_put_into_the_tree_is_not_vouched_for(
    sig: Sig, other_signer: Signer, make_build: MakeBuild, tmp_path: Path,
) -> None:
    publish([make_build("20261120.0", arch="aarch64")], tmp_path / "evil", other_signer, Silent(),
            Options(load_policy("rehearsal")))
    shutil.copytree(tmp_path / "evil/centos/10-stream/aarch64",
                    sig.root / "centos/10-stream/aarch64")
    shutil.copy(tmp_path / f"evil/keys/{other_signer.fingerprint}.asc", sig.root / "keys")
    found = problems(sig.verify())
    assert "knows no such folder" in found["centos/10-stream/aarch64/images"]
    with pytest.raises(CcisError, match="signed by another key"):
        sig.put("20261122.0")


def test_a_tree_that_nobody_renewed_expires(sig: Sig, tmp_path: Path) -> None:
    """Freezing: an old state, all of it signed, is refused once its timestamp has run out."""
    ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=4)
    sig.renew(moment(ago.timestamp()))
    [finding, *_] = sig.verify(state=tmp_path / "s").findings
    assert finding.file == "tuf/timestamp.json" and "expired" in finding.problem


def test_over_http_an_attacker_s_change_is_found_as_well(
    sig: Sig, served: str,
) -> None:
    name = f"{IMAGES}/{NEW}.qcow2"
    content = bytearray((sig.root / name).read_bytes())
    content[7] ^= 1
    (sig.root / name).write_bytes(content)
    found = problems(sig.verify(served))
    assert "its content has changed" in found[name]
    assert sig.verify(served, payload=False).findings == []
    (sig.root / IMAGES / f"{OLD}.qcow2").unlink()
    assert problems(sig.verify(served, payload=False))[f"{IMAGES}/{OLD}.qcow2"] == "it is missing"


def test_one_artefact_is_verified_and_nothing_else_is_read(
    sig: Sig, served: str,
) -> None:
    latest = NEW.replace("20261121.0", "latest")
    for tree in (sig.root, served):
        for name in (f"{NEW}.qcow2", f"{latest}.qcow2", f"{IMAGES}/{OLD}.qcow2"):
            report = sig.verify(tree, artefact=name)
            assert (report.findings, report.files, report.bytes_hashed) == (
                [], 1, 5004 if OLD in name else 4000)
        with pytest.raises(InputError, match="knows 0 files"):
            sig.verify(tree, artefact="other.qcow2")
    (sig.root / IMAGES / f"{OLD}.qcow2").write_bytes(b"x" * 6000)
    assert sig.verify(served, artefact=f"{latest}.qcow2").ok
    for tree in (sig.root, served):
        found = problems(sig.verify(tree, artefact=f"{OLD}.qcow2"))
        assert "6000 or more bytes, not 5004" in found[f"{IMAGES}/{OLD}.qcow2"]


def test_a_tree_without_a_chain_can_t_be_verified_from_afar(
    tmp_path: Path, make_build: MakeBuild, root: Path, signer: Signer,
) -> None:
    publish([make_build()], root, signer, Silent(), Options(load_policy("rehearsal")))
    with nginx(root, tmp_path / "n") as url, pytest.raises(InputError, match="no chain of trust"):
        verify(url)


def test_keys_are_for_their_owner_and_are_never_overwritten(tmp_path: Path) -> None:
    new_key(tmp_path / "a.pem", b"correct horse")
    assert (tmp_path / "a.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="something already"):
        new_key(tmp_path / "a.pem")
    with pytest.raises(InputError, match="passphrase"):
        signers([tmp_path])
    assert len(signers([tmp_path], b"correct horse")) == 1
    public = tmp_path / "a.pub"
    public.write_text(public.read_text().replace('"keyid": "', '"keyid": "0'))
    with pytest.raises(InputError, match="not a public key"):
        read_public(public)


def test_what_the_library_says_of_a_bad_signature_is_an_error_of_its_own() -> None:
    """The client must know them all: else a bad tree would look like a fault of ours."""
    from tuf.api.exceptions import BadVersionNumberError, UnsignedMetadataError
    assert issubclass(UnsignedMetadataError, RepositoryError)
    assert issubclass(BadVersionNumberError, RepositoryError)
