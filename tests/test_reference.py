"""The command reference is what the commands say of themselves."""

from pathlib import Path

from genus.cli.docs import reference

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"


def test_the_command_reference_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == reference(), "run: python -m genus.cli.docs > docs/cli.md"
