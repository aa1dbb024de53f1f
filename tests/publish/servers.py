"""Real servers for tests of the release tree: nginx, a cache of it, rsync's daemon."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NGINX = """
daemon off; master_process off; worker_processes 1; pid {place}/pid;
error_log {place}/errors warn;
events {{ worker_connections 64; }}
http {{
    types {{ application/json json; text/plain CHECKSUM SHA256SUM; }}
    default_type application/octet-stream;
    access_log off;
    client_body_temp_path {place}/t1; proxy_temp_path {place}/t2; fastcgi_temp_path {place}/t3;
    uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5;
    {cache}
    server {{
        listen 127.0.0.1:{port}{tls};
        {body}
    }}
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(words: list[str | Path], port: int) -> Iterator[None]:
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def nginx(root: Path, place: Path, port: int | None = None) -> Iterator[str]:
    """Serve a tree with nginx; place: a folder for its own files. Yield the URL of the root."""
    with _nginx(f"root {root};", "", place, port or free_port()) as url:
        yield url


@contextmanager
def nginx_tls(root: Path, place: Path, certificate: Path, key: Path) -> Iterator[str]:
    """Serve a tree by HTTPS, with TLS 1.3, which LXD's client demands and nginx 1.22 must be told.
    """
    body = (f"root {root}; ssl_certificate {certificate}; ssl_certificate_key {key}; "
            "ssl_protocols TLSv1.2 TLSv1.3;")
    port = free_port()
    with _nginx(body, "", place, port, " ssl"):
        yield f"https://localhost:{port}"


@contextmanager
def caching_proxy(origin: str, place: Path) -> Iterator[str]:
    """Put a cache before a server that asks it anew each time whether what it has is still right.
    """
    cache = f"proxy_cache_path {place}/cache keys_zone=c:1m inactive=1h;"
    body = (f"location / {{ proxy_pass {origin}; proxy_cache c; proxy_cache_valid 200 1s; "
            "proxy_cache_revalidate on; }")
    with _nginx(body, cache, place, free_port()) as url:
        yield url


@contextmanager
def _nginx(
    body: str, cache: str, place: Path, port: int, tls: str = "",
) -> Iterator[str]:
    place.mkdir(parents=True, exist_ok=True)
    settings = place / "nginx.conf"
    settings.write_text("user root;" + _NGINX.format(place=place, port=port, body=body,
                                                     cache=cache, tls=tls))
    with _running(["nginx", "-c", settings, "-e", place / "errors"], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def rsync_daemon(root: Path, place: Path) -> Iterator[str]:
    """Serve a tree with rsync's daemon; yield the URL of the root."""
    place.mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings = place / "rsyncd.conf"
    settings.write_text(f"use chroot = no\naddress = 127.0.0.1\npid file = {place}/pid\n"
                        f"[tree]\npath = {root}\nread only = yes\n")
    with _running(["rsync", "--daemon", "--no-detach", f"--port={port}", f"--config={settings}",
                   f"--log-file={place}/log"], port):
        yield f"rsync://127.0.0.1:{port}/tree/"
