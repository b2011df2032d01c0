"""`genus doctor` says what works here."""

import json

import pytest
from typer.testing import CliRunner

from genus.cli import doctor
from genus.cli.doctor import Finding
from genus.cli.main import app


def test_a_healthy_installation_is_said_to_be_well() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    assert "All is well." in result.stdout
    for name in ("genus", "python", "cores", "preset balanced", "onnxruntime", "cache"):
        assert name in result.stdout


def test_the_speed_of_each_engine_is_measured_unless_it_is_not_wanted() -> None:
    assert "images/s" in CliRunner().invoke(app, ["doctor"]).stdout
    assert "images/s" not in CliRunner().invoke(app, ["doctor", "--no-speed"]).stdout


def test_json_is_one_object() -> None:
    record = json.loads(CliRunner().invoke(app, ["doctor", "--no-speed", "--json"]).stdout)
    assert record["ok"] is True
    assert {"system", "processor", "weights", "engine", "extra", "cache"} == {
        finding["part"] for finding in record["findings"]
    }


def test_what_does_not_work_is_named_and_the_exit_code_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_cache", lambda: [Finding("cache", "cache", False, "the disk is full")])
    result = CliRunner().invoke(app, ["doctor", "--no-speed"])
    assert result.exit_code == 1
    assert "MISSING  cache" in result.stdout and "Not well: cache." in result.stdout


def test_an_extra_that_is_not_installed_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor._EXTRAS, "dicom", ("no_such_module", "no-such-package", "DICOM images"))
    result = CliRunner().invoke(app, ["doctor", "--no-speed"])
    assert result.exit_code == 0
    assert 'pip install "genus[dicom]"' in result.stdout
