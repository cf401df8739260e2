from pathlib import Path

from typer.testing import CliRunner

from deploy.commands.task import app


def test_a_name_that_can_never_enrol_gets_no_token(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["token", "St. Mary's", "--data-dir", str(tmp_path)])
    assert result.exit_code == 2
    assert "1 to 128 of" in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []
