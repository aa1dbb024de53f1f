"""Writes the raw disk that a container holds: streams with zeros as holes, others by QEMU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

from host import block
from host.errors import HostError, InputError, ProgramError
from host.jail import bounded, need
from host.run import run

_PIECE_BYTES = 1 << 20
_DATA_BYTES_MAX = 32 << 30
"""What may be written of a disk; zeros are holes, and cost nothing."""
_CONVERT_S = 900
_MEMORY_BYTES = 4 << 30
_LIMITED = ["prlimit", f"--as={_MEMORY_BYTES}", f"--fsize={1 << 42}", "qemu-img"]
_SECTOR_BYTES = 512
_SLACK_BYTES = 64 << 20
_TOO_MUCH = 77
_WATCHED = f"""raw=$1 most=$2; shift 2
"$@" & program=$!
while kill -0 "$program" 2>/dev/null; do
    if [ "$(stat -c %b "$raw" 2>/dev/null || echo 0)" -gt "$most" ]; then
        kill -9 "$program"; exit {_TOO_MUCH}
    fi
    sleep 0.05
done
wait "$program"
"""
"""Ends a program ($3 …) when the file ($1) that it writes takes more than so many sectors ($2)."""
_MAP_BYTES_MAX = 64 << 20
_VMDK_MAGIC = b"KDMV"


def written(stream: BinaryIO, raw: Path) -> int:
    """Write a stream to a file, zeros as holes; return its length."""
    size = data = 0
    with raw.open("wb") as target:
        while piece := stream.read(_PIECE_BYTES):
            if piece.count(0) != len(piece):
                data += len(piece)
                if data > _DATA_BYTES_MAX:
                    raise InputError(f"holds more than {_DATA_BYTES_MAX >> 30} GiB of data")
                target.seek(size)
                target.write(piece)
            size += len(piece)
        target.truncate(size)
    return size


def convert(path: Path, driver: block.Driver, raw: Path) -> None:
    """Make the raw disk of an image that names no other file; its driver is said.

    Raises InputError for what QEMU does not read, or what is beyond bounds of time, memory, data.
    """
    need("qemu-img", "prlimit")
    image = block.name(path, driver)
    most = _DATA_BYTES_MAX
    try:
        if driver == "vhdx":  # QEMU tells of all as data; but it lies in the file as it is
            most = min(most, path.stat().st_size + _SLACK_BYTES)
        else:
            measured = _told("measure", ["-O", "qcow2", image], 1 << 16)
            if int(measured["required"]) > most:  # all may be one and the same block
                raise InputError(f"holds more than {most >> 30} GiB of data")
        if driver in ("vdi", "vmdk"):  # of these alone QEMU reads what is cut off as zeros
            ends = max((one["offset"] + one["length"] for one in _told("map", [image],
                        _MAP_BYTES_MAX) if one["data"] and "offset" in one), default=0)
            if ends > path.stat().st_size:
                raise InputError(f"is cut off: its data end at byte {ends}")
        run(bounded(["bash", "-c", _WATCHED, "convert", str(raw), str(most // 512), *_LIMITED,
                     "convert", "-O", "raw", "-S", "64k", image, str(raw)], 1 << 16),
            timeout_s=_CONVERT_S, log_stdout=False)
    except ProgramError as error:
        if error.status == _TOO_MUCH:
            raise InputError(f"holds more than {most} bytes of data, so blocks lie in it twice") \
                from error
        raise InputError(f"is no {driver} image that QEMU reads", why=str(error)[-300:]) from error
    except HostError as error:
        if "did not end" in error.what:
            raise InputError(f"was not read within {_CONVERT_S} s", why=error.why) from error
        raise


def _told(verb: str, words: list[str], most_bytes: int) -> Any:
    """Return what qemu-img says of an image as JSON; raises as run() and bounded() do."""
    argv = bounded([*_LIMITED, verb, "--output=json", *words], most_bytes)
    return json.loads(run(argv, timeout_s=_CONVERT_S, log_stdout=False).stdout)


def need_one_file(stream: BinaryIO) -> None:
    """Refuse a VMDK that is a descriptor of other files: QEMU would open whatever it names."""
    stream.seek(0)
    head = stream.read(_SECTOR_BYTES)
    if head[:4] != _VMDK_MAGIC or int.from_bytes(head[12:20], "little") == 0:
        raise InputError("is a VMDK that names other files, so it is not opened")
