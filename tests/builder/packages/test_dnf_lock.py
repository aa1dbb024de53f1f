"""Several dnf workers share the metadata, each in a process namespace of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# dnf's own lock fails here: in each namespace the worker is process 2, so that it takes another's
# lock for its own, and finds it gone when it wants to let go of it.
WORKER = """
import sys, time
import dnf.lock
from builder.packages.dnf_lock import use_kernel_locks
use_kernel_locks()
for _ in range(20):
    with dnf.lock.build_metadata_lock(sys.argv[1], exit_on_lock=False):
        inside = open(sys.argv[1] + "/inside", "x")
        time.sleep(0.005)
        import os; os.unlink(sys.argv[1] + "/inside")
"""


def test_workers_in_other_namespaces_keep_out_of_each_other_s_way(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            ["bwrap", "--bind", "/", "/", "--unshare-pid", "--proc", "/proc", "--die-with-parent",
             "--", sys.executable, "-c", WORKER, tmp_path],
            cwd=Path(__file__).parents[3], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ended = [(worker.communicate(timeout=60)[1], worker.returncode) for worker in workers]
    assert ended == [("", 0)] * 3
    assert not list(tmp_path.iterdir())
