"""`genus name`: groups get names, and become labels."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from .command import CHEAP, QUICK, csv_rows, done, genus


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """Digits in four groups. Nobody writes here."""
    out = tmp_path_factory.mktemp("name") / "out"
    done("cluster", digits, "-o", out, "--clusters", 4, *CHEAP, "--algorithms", "k-means,ward,birch")
    return out


@pytest.fixture
def groups(made: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(made, tmp_path / "out"))


def sizes(groups: Path) -> Counter[str]:
    return Counter(row["cluster"] for row in csv_rows(groups / "clusters.csv"))


def labels(groups: Path) -> list[dict[str, str]]:
    return csv_rows(groups / "labels.csv")


def test_every_image_of_a_named_group_gets_its_label_and_how_sure_it_is(groups: Path) -> None:
    done("name", groups, "0=zero", "1=one")
    rows = labels(groups)
    assert list(rows[0]) == ["image", "label", "confidence", "cluster"]
    assert Counter(row["cluster"] for row in rows) == {n: sizes(groups)[n] for n in ("0", "1")}
    assert all(row["label"] == {"0": "zero", "1": "one"}[row["cluster"]] for row in rows)
    assert all(0 < float(row["confidence"]) <= 1 for row in rows)


def test_several_groups_may_share_a_name_and_a_dash_drops_one(groups: Path) -> None:
    done("name", groups, "0=round", "1=straight", "2=round", "3=-")
    found = Counter(row["label"] for row in labels(groups))
    assert found == {"round": sizes(groups)["0"] + sizes(groups)["2"], "straight": sizes(groups)["1"]}


def test_names_add_up_and_later_ones_replace(groups: Path) -> None:
    done("name", groups, "0=a", "1=b")
    out = done("name", groups, "1=c", "2=-").out
    assert {row["cluster"]: row["label"] for row in labels(groups)} == {"0": "a", "1": "c"}
    assert "Group 3" in out and "without a name yet" in out
    assert "Group 2" in out and "dropped" in out


def test_half_named_groups_train_as_they_stand(here: Path, groups: Path) -> None:
    out = done("name", groups, "0=a", "1=b").out
    assert f"Next: genus train {groups}/labels.csv" in out
    found = done("train", groups / "labels.csv", *QUICK, "--json").json
    assert set(found["counts"]) == {"a", "b"}
    assert any("a machine gave them" in note for note in found["notes"])


def test_without_names_it_shows_what_there_is(groups: Path) -> None:
    assert "No group has a name yet" in done("name", groups).out
    assert not (groups / "labels.csv").exists()
    done("name", groups, "0=a")
    assert " a  " in done("name", groups).out


def test_the_page_shows_the_names(groups: Path) -> None:
    done("name", groups, "0=zebra crossing")
    assert "zebra crossing" in (groups / "clusters.html").read_text("utf-8")


def test_doubtful_images_can_be_left_out(groups: Path) -> None:
    done("name", groups, "0=a", "1=b")
    confidence = sorted(float(row["confidence"]) for row in labels(groups))
    middle = confidence[len(confidence) // 2]
    done("name", groups, "--above", middle)
    assert min(float(row["confidence"]) for row in labels(groups)) >= middle - 1e-4
    assert len(labels(groups)) < len(confidence)


def test_suggestions_are_guesses_and_name_nothing(groups: Path) -> None:
    outcome = done("name", groups, "--suggest")
    assert "Guesses" in outcome.out and not (groups / "labels.csv").exists()
    found = done("name", groups, "--suggest", "--json").json["suggestions"]
    assert set(found) == {"0", "1", "2", "3"}
    assert all(0 <= guess["confidence"] <= 1 for guesses in found.values() for guess in guesses)


def test_class_folders_get_the_names(groups: Path) -> None:
    done("name", groups, "0=a", "1=a", "2=-", "--link")
    filed = list((groups / "sorted").glob("*/*"))
    assert {path.parent.name for path in filed} == {"a"}
    assert len(filed) == sizes(groups)["0"] + sizes(groups)["1"]


def test_json(groups: Path) -> None:
    found = done("name", groups, "0=a", "3=-", "--json").json
    assert found["names"] == {"0": "a", "3": "-"}
    assert found["counts"] == {"a": sizes(groups)["0"]}
    assert found["labels"] == str(groups / "labels.csv")


@pytest.mark.parametrize(
    ("pairs", "complaint"),
    [
        (["9=x"], "no group 9; there are: 0, 1, 2, 3"),
        (["0=a", "7=b"], "no group 7"),
        (["daisy"], "'daisy': expected a group's number and its name"),
        (["x=daisy"], "expected a group's number"),
        (["0="], "To drop the group: 0=-"),
        (["0=a", "0=b"], "group 0 gets two names"),
    ],
)
def test_what_is_no_name(groups: Path, pairs: list[str], complaint: str) -> None:
    before = (groups / "groups.npz").read_bytes()
    assert complaint in genus("name", groups, *pairs).complaint
    assert (groups / "groups.npz").read_bytes() == before and not (groups / "labels.csv").exists()


def test_a_name_may_hold_an_equals_sign_and_a_comma(groups: Path) -> None:
    done("name", groups, "0=a=b, c")
    assert {row["label"] for row in labels(groups)} == {"a=b, c"}


def test_a_folder_without_groups(here: Path) -> None:
    assert "genus cluster DATA -o FOLDER" in genus("name", here, "0=a").complaint


def test_images_that_were_moved_cannot_be_guessed(here: Path, digits: Path) -> None:
    shutil.copytree(digits, here / "gone")
    done("cluster", "gone", "-o", "out", "--clusters", 3, *CHEAP, "--algorithms", "k-means,ward,birch")
    shutil.rmtree(here / "gone")
    assert "cannot be read any more" in genus("name", "out", "--suggest").complaint
    done("name", "out", "0=a")
    assert "no picture" in (here / "out" / "clusters.html").read_text("utf-8")
