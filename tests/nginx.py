"""nginx with the settings of `deploy/nginx.conf`, on the loopback and without certificates."""

import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from demo.processes import Command, Processes

PROGRAM = "/usr/sbin/nginx"
SAMPLE = Path(__file__).parents[1] / "deploy" / "nginx.conf"

# Like Debian's own settings, which include the sample: requests that the sample doesn't log are logged here.
AROUND = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/logbook.conf;
}}
"""


def needed() -> None:
    """Skip a test if there's no nginx; fail it if REQUIRE_NGINX=1 says that there has to be one."""
    if not Path(PROGRAM).exists():
        told = f"no nginx in {PROGRAM} (Debian: apt-get install nginx-light)"
        if os.environ.get("REQUIRE_NGINX") == "1":
            pytest.fail(told, pytrace=False)
        pytest.skip(told)


def listens(port: int) -> bool:
    """Whether something listens on a port of the loopback."""
    with closing(socket.socket()) as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def sample(folder: Path, port: int, plain: int, upstreams: tuple[int, ...]) -> str:
    """Return the sample with these ports: the HTTPS server listens on `port`, and the one on port 80 on `plain`."""
    text = SAMPLE.read_text(encoding="utf-8")
    servers = "".join(f"    server 127.0.0.1:{one} max_fails=1 fail_timeout=1s;\n" for one in upstreams)
    for pattern, instead in (
        (r"upstream logbook \{\n(?:.*\n)*?\}", f"upstream logbook {{\n{servers}}}"),
        (r"listen 443 ssl\b", f"listen 127.0.0.1:{port}"),
        (r"listen 80\b", f"listen 127.0.0.1:{plain}"),
        (r" *ssl_certificate.*\n *ssl_certificate_key.*\n", ""),
        (r"/var/log/nginx/", f"{folder}/"),
    ):
        text, found = re.subn(pattern, instead, text)
        assert found, pattern
    return text


@contextmanager
def nginx(processes: Processes, port: int, plain: int, *upstreams: int) -> Iterator[Path]:
    """Run nginx in front of web servers; yields the folder of its logs."""
    folder = Path(tempfile.mkdtemp(prefix="logbook-nginx-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        (folder / "logbook.conf").write_text(sample(folder, port, plain, upstreams), encoding="utf-8")
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder), encoding="utf-8")
        command: Command = [PROGRAM, "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "error.log"]
        processes.start("nginx", command, folder / "out.log", env={})
        processes.wait_for("nginx", lambda: listens(port))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
