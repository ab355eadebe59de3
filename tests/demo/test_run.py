import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.embedded import Services, erase
from demo.run import HOST, _is_healthy, _values, run
from tests.servers import free_port


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_reported_before_anything_starts(
    taken_port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(taken_port, tmp_path, reset=True) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_second_demo_on_the_same_data_is_refused(
    port: int, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    data = services.mailbox.parent
    assert run(port, data, reset=False) == 1
    assert capsys.readouterr().err == f"The demo cannot run: {data} is in use by another process\n"


def test_the_environment_overrides_the_settings_of_the_demo_but_not_its_services(services: Services) -> None:
    values = _values(8000, services, "k", {"ORGANISATION_NAME": "Theirs", "SMTP_URL": "smtp://mail.demo.example"})
    assert values["ORGANISATION_NAME"] == "Theirs"
    assert values["SMTP_URL"] == services.smtp_url
    assert values["SECRET_KEY"] == "k"
    assert values["BASE_URL"] == "http://127.0.0.1:8000"


def test_the_demo_runs_until_it_is_stopped(port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    answers: dict[str, int] = {}
    ended = threading.Event()

    def visit_and_stop() -> None:
        while "Ctrl-C stops the demo" not in "".join(said):
            if ended.wait(0.1):
                return
            said.append(capsys.readouterr().out)
        with httpx.Client(follow_redirects=True) as client:
            for link in re.findall(r"http://\S+", "".join(said)):
                answers[link] = client.get(link).status_code
        os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=visit_and_stop)
    visitor.start()
    status = run(port, tmp_path, reset=False)
    ended.set()
    visitor.join()
    assert status == 0
    assert answers
    assert set(answers.values()) == {200}, answers
    assert all(link.startswith(f"http://{HOST}:{port}/") for link in answers)
    assert not _is_healthy(port)
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0
    assert "The demo has stopped" in capsys.readouterr().out
    erase(tmp_path)  # nothing uses it any more
    assert not (tmp_path / "postgres").exists()
