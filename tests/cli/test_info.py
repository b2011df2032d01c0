"""`genus info`: what is inside a model file."""

from pathlib import Path

from genus.model_file import read_model_file

from .command import QUICK, done, figure


def test_all_that_matters_is_shown(model: Path) -> None:
    lines = done("info", model).out.splitlines()
    facts = dict(line.split("  ", 1) for line in lines[1:] if line[:1].isalpha() and "  " in line)
    assert str(model) in lines[0] and "KiB" in lines[0]
    for name, words in {
        "Classes (4)": "0, 1, 2, 3",
        "Features": "thumbnail@32",
        "Input": "32 x 32 pixels",
        "Classifier": "prototype",
        "Calibration": "% in cross-validation",
        "Trained on": "48 images, judged on 8",
        "Command": "genus train",
        "Seed": "0",
        "Made": "by Genus",
    }.items():
        assert words in facts[name]
    assert any("Accuracy" in line and "%" in line for line in lines)


def test_json_has_all_of_it(model: Path) -> None:
    found = done("info", model, "--json").json
    stored = read_model_file(model)
    assert found["classes"] == list(stored.classes)
    assert found["bytes"] == model.stat().st_size
    assert found["preprocess"]["width"] == 32
    assert figure(found["metrics"], "accuracy") == figure(dict(stored.details["metrics"]), "accuracy")
    assert found["provenance"]["n_images"] == 48
    assert found["provenance"]["split"] == {"kind": "held out", "n_train": 40, "n_test": 8}


def test_stored_examples_are_said(model: Path, other_model: Path) -> None:
    """Nearest neighbours keep what they have learned from: whoever hands the file on should know."""
    assert "Stored examples  48" in done("info", other_model).out
    assert "Stored examples" not in done("info", model).out


def test_class_names_cannot_play_tricks_on_the_terminal(digits: Path, here: Path) -> None:
    for i, folder in enumerate(sorted(digits.iterdir())):
        name = "trick \x1b[2J\nend" if i == 0 else f"klasse {i} ünï"
        (here / "data" / name).mkdir(parents=True)
        for path in folder.iterdir():
            (here / "data" / name / path.name).symlink_to(path)
    done("train", "data", *QUICK, "--no-report")
    out = done("info", "data.onnx").out
    assert r"trick \x1b[2J\nend" in out and "\x1b" not in out
    assert "klasse 1 ünï" in out
    assert done("info", "data.onnx", "--json").json["classes"][-1] == "trick \x1b[2J\nend"
