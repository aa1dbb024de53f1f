"""The process that fetches from repositories, by librepo, dnf's own library.

It runs by itself (`python -m builder.packages.transfer_worker`) in a sandbox with the network,
where it can write one folder, because librepo, libcurl and libxml2 read what any mirror sends. A
question comes in as JSON (builder.packages.transfer.ask), JSON lines go out.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from builder.packages.indexes import indexes, metadata
from builder.packages.targets import Target, emit, fetch
from host.patience import Patience


def main() -> None:
    """Do what the question on standard input asks for and print one result."""
    question = json.load(sys.stdin)
    patience = Patience(**question["patience"])
    if question["mode"] == "indexes":
        emit("result", found=[indexes(source, patience) for source in question["sources"]])
        return
    lies: list[str] = []
    if question["mode"] == "metadata":
        targets = [target for repository in question["repositories"]
                   for target in metadata(repository, lies)]
    else:
        targets = [Target(**one) for one in question["targets"]]
    done = 0

    def on_done(target: Target) -> None:
        nonlocal done
        done += 1
        emit("progress", done=done, total=len(targets), note=target.name)

    fetch(targets, patience, on_done)
    emit("result", total=len(targets), lies=lies,
         failed={target.name: [asdict(cause) for cause in target.causes]
                 for target in targets if not target.is_there})


if __name__ == "__main__":
    main()
