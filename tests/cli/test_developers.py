import pytest
from typer.testing import CliRunner

from cli import main


@pytest.mark.parametrize("role", ["public", "mediator", "reviewer", "directory", "admin"])
def test_the_schema_of_each_role_is_printed_without_any_settings(role: str) -> None:
    printed = CliRunner().invoke(main, ["schema", "--as", role])
    assert printed.exit_code == 0
    assert ("): FeedbackOrigin" in printed.stdout) is (role == "admin")
    assert "feedbackSubject" in printed.stdout


def test_a_role_that_does_not_exist_is_reported() -> None:
    printed = CliRunner().invoke(main, ["schema", "--as", "party"])
    assert (printed.exit_code, printed.stdout) == (1, "")
    assert printed.stderr.startswith("--as is wrong: ")
