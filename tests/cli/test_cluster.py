"""`genus cluster`: unlabelled images in, groups out."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from genus.estimators.clusterer import ImageClusterer
from genus.predictor import load

from .command import CHEAP, below, csv_rows, done, genus

QUICKLY = (*CHEAP, "--algorithms", "k-means,ward,birch")
FILES = {"clusters.csv", "clusters.html", "clusters.onnx", "groups.npz"}


@pytest.fixture(scope="session")
def pile(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """48 pictures of digits in one folder: nothing says which is which but the names. Nobody writes here."""
    folder = tmp_path_factory.mktemp("cluster") / "pile"
    folder.mkdir()
    for path in digits.rglob("*.png"):
        shutil.copy(path, folder / f"{path.parent.name}-{path.name}")
    return folder


@pytest.fixture(scope="session")
def four(tmp_path_factory: pytest.TempPathFactory, pile: Path) -> Path:
    """The pile in four groups. Nobody writes here."""
    out = tmp_path_factory.mktemp("cluster") / "four"
    done("cluster", pile, "-o", out, "--clusters", 4, *QUICKLY)
    return out


@pytest.fixture
def groups(four: Path, tmp_path: Path) -> Path:
    """A copy of the four groups that may be changed."""
    return Path(shutil.copytree(four, tmp_path / "groups"))


def cluster_of(out: Path) -> dict[str, int]:
    return {Path(row["image"]).name: int(row["cluster"]) for row in csv_rows(out / "clusters.csv")}


def write_table(path: Path, header: str, rows: list[tuple[object, ...]]) -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]))
    return path


class TestWhatIsWritten:
    def test_a_table_a_page_a_model_and_the_state(self, four: Path) -> None:
        assert below(four) == FILES

    def test_without_a_name_beside_where_one_stands(self, here: Path, pile: Path) -> None:
        before = below(pile)
        done("cluster", pile, "--clusters", 4, *QUICKLY)
        assert {path.name for path in here.iterdir()} == {"pile-groups"}
        assert below(pile) == before

    def test_the_table_has_every_image_with_its_group_distance_and_confidence(
        self, four: Path, pile: Path
    ) -> None:
        rows = csv_rows(four / "clusters.csv")
        assert list(rows[0]) == ["image", "cluster", "distance", "confidence"]
        assert {row["image"] for row in rows} == {str(path) for path in pile.iterdir()}
        assert {row["cluster"] for row in rows} == {"0", "1", "2", "3"}
        assert all(float(row["distance"]) >= 0 and 0 < float(row["confidence"]) <= 1 for row in rows)

    def test_groups_are_numbered_by_size(self, four: Path) -> None:
        sizes = np.bincount(list(cluster_of(four).values()))
        assert list(sizes) == sorted(sizes, reverse=True)

    def test_the_model_says_which_group_an_image_belongs_to(self, four: Path, pile: Path) -> None:
        model = load(four / "clusters.onnx")
        images = sorted(pile.iterdir())
        known = cluster_of(four)
        agree = np.mean(
            [
                int(label) == known[path.name]
                for path, label in zip(images, model.predict(images), strict=True)
            ]
        )
        assert agree > 0.9
        assert ImageClusterer.load(four / "clusters.onnx").n_clusters_ == 4

    def test_the_page_stands_alone_and_names_the_next_commands(self, four: Path) -> None:
        page = (four / "clusters.html").read_text("utf-8")
        assert "48 images in 4 groups" in page and f"genus name {four}" in page
        assert 'src="http' not in page and "<link" not in page

    def test_it_says_what_it_found_and_how_to_go_on(self, here: Path, pile: Path) -> None:
        outcome = done("cluster", pile, "-o", "out", "--clusters", 4, *QUICKLY)
        assert "48 images in 4 groups" in outcome.out
        assert "Ward" in outcome.out and "out/clusters.html" in outcome.out
        assert "genus name out 0=NAME 1=NAME ..." in outcome.out

    def test_json_has_all_of_it(self, here: Path, pile: Path) -> None:
        found = done("cluster", pile, "-o", "out", "--clusters", 4, *QUICKLY, "--json").json
        assert found["n_images"] == 48 and len(found["groups"]) == 4
        assert sum(group["size"] for group in found["groups"]) == 48
        assert found["page"] == "out/clusters.html" and found["comparison"]["rows"]

    def test_info_describes_the_model(self, four: Path) -> None:
        out = done("info", four / "clusters.onnx").out
        assert "groups 4" in out and "48 images" in out


class TestWhatIsRead:
    def test_folders_are_no_labels(self, here: Path, digits: Path) -> None:
        found = done("cluster", digits, "-o", "out", "--clusters", 4, *QUICKLY, "--json").json
        assert all(row["truth"] is None for row in found["comparison"]["rows"])

    def test_unless_they_are_said_to_be_the_truth(self, here: Path, digits: Path) -> None:
        alone = done("cluster", digits, "-o", "a", "--clusters", 4, *QUICKLY, "--json").json
        held = done("cluster", digits, "-o", "b", "--clusters", 4, *QUICKLY, "--truth", "--json").json
        assert held["comparison"]["rows"][0]["truth"]["adjusted_rand"] > 0.4
        assert [g["size"] for g in held["groups"]] == [g["size"] for g in alone["groups"]]
        assert "known labels" in done("cluster", digits, "-o", "c", "--clusters", 4, *QUICKLY, "--truth").out

    def test_several_labels_are_held_against_the_groups_as_one(self, here: Path, digits: Path) -> None:
        rows = [f"{path},all|{path.parent.name}" for path in sorted(digits.rglob("*.png"))]
        (here / "t.csv").write_text("\n".join(["image,labels", *rows]))
        held = done("cluster", "t.csv", "-o", "b", "--clusters", 4, *QUICKLY, "--truth", "--json").json
        assert held["comparison"]["rows"][0]["truth"]["adjusted_rand"] > 0.4

    def test_no_truth_in_the_data(self, here: Path, pile: Path) -> None:
        assert "no labels to hold the groups against" in genus("cluster", pile, "--truth", *QUICKLY).complaint

    def test_what_an_earlier_run_left_in_the_folder_is_not_read(self, tmp_path: Path, pile: Path) -> None:
        folder = Path(shutil.copytree(pile, tmp_path / "pile"))
        done("cluster", folder, "-o", folder / "out", "--clusters", 4, "--copy", *QUICKLY)
        (folder / "out" / "groups.npz").unlink()
        shutil.rmtree(folder / "out" / "sorted" / "3")
        command = ("cluster", folder, "-o", folder / "out", "--clusters", 4, "--force", *QUICKLY, "--json")
        assert done(*command).json["n_images"] == 48

    def test_images_in_cells_of_a_table_become_files(self, here: Path, pile: Path) -> None:
        pandas = pytest.importorskip("pandas", reason="needs the extra tables")
        pytest.importorskip("pyarrow", reason="needs the extra tables")
        cells = [{"bytes": path.read_bytes(), "path": None} for path in sorted(pile.iterdir())]
        pandas.DataFrame({"image": cells}).to_parquet("pile.parquet")
        found = done("cluster", "pile.parquet", "-o", "out", "--clusters", 4, *QUICKLY, "--json").json
        assert any("out/images" in note for note in found["comparison"]["notes"])
        rows = csv_rows("out/clusters.csv")
        assert len(rows) == 48 and all(Path(row["image"]).is_file() for row in rows)
        done("name", "out", "0=a", "1=b")
        assert done("train", "out/labels.csv", *CHEAP, "--heads", "prototype", "--json").json["counts"]


class TestHowManyGroups:
    def test_a_range_is_searched(self, here: Path, pile: Path) -> None:
        found = done("cluster", pile, "-o", "out", "--clusters", "3-6", *QUICKLY, "--json").json
        assert 3 <= found["n_groups"] <= 6
        assert {row["n_clusters"] for row in found["comparison"]["numbers"]} <= {3, 4, 5, 6}

    @pytest.mark.parametrize("wrong", ["0", "x", "3-", "-3", "2,5"])
    def test_what_is_no_number(self, here: Path, pile: Path, wrong: str) -> None:
        assert "expected a number" in genus("cluster", pile, f"--clusters={wrong}", *QUICKLY).complaint
        assert not list(here.iterdir())

    def test_more_groups_than_images(self, here: Path, pile: Path) -> None:
        assert "48 images cannot make 49 groups" in genus("cluster", pile, "--clusters", 49).complaint

    def test_a_range_that_cannot_be(self, here: Path, pile: Path) -> None:
        assert "range" in genus("cluster", pile, "--clusters", "8-3", *QUICKLY).complaint

    def test_one_image(self, here: Path, pile: Path) -> None:
        found = done("cluster", next(pile.iterdir()), "-o", "out", *QUICKLY, "--json").json
        assert found["n_images"] == found["n_groups"] == 1


class TestWishes:
    def test_seeds(self, here: Path, pile: Path) -> None:
        images = sorted(pile.glob("0-*"))[:2] + sorted(pile.glob("1-*"))[:2]
        seeds = write_table(here / "seeds.csv", "image,label", [(path, path.name[0]) for path in images])
        done("cluster", pile, "-o", "out", "--clusters", 4, "--seeds", seeds, *QUICKLY)
        groups = [cluster_of(here / "out")[path.name] for path in images]
        assert groups[0] == groups[1] != groups[2] == groups[3]

    def test_links(self, here: Path, pile: Path) -> None:
        images = sorted(pile.iterdir())
        must = write_table(here / "must.csv", "one,other", [(images[0], images[-1])])
        cannot = write_table(here / "cannot.csv", "one,other", [(images[0], images[1])])
        wishes = ("--must-link", must, "--cannot-link", cannot)
        done("cluster", pile, "-o", "out", "--clusters", 4, *wishes, *QUICKLY)
        group = cluster_of(here / "out")
        assert group[images[0].name] == group[images[-1].name] != group[images[1].name]

    def test_an_image_that_is_not_there(self, here: Path, pile: Path) -> None:
        must = write_table(here / "must.csv", "one,other", [("a.png", "b.png")])
        complaint = genus("cluster", pile, "--must-link", must, *QUICKLY).complaint
        assert "must.csv" in complaint and "a.png" in complaint

    def test_a_table_of_pairs_with_one_column(self, here: Path, pile: Path) -> None:
        table = write_table(here / "pairs.csv", "one", [("a.png",)])
        assert "two columns" in genus("cluster", pile, "--cannot-link", table, *QUICKLY).complaint

    def test_seeds_without_labels(self, here: Path, pile: Path) -> None:
        table = write_table(here / "seeds.csv", "image", [(path,) for path in pile.iterdir()])
        assert "no labels in it" in genus("cluster", pile, "--seeds", table, *QUICKLY).complaint


class TestOptions:
    def test_an_unknown_algorithm_is_found_before_the_work(self, here: Path, pile: Path) -> None:
        complaint = genus("cluster", pile, "--algorithms", "magic").complaint
        assert "magic" in complaint and "gaussian-mixture" in complaint and not list(here.iterdir())

    def test_an_unknown_metric(self, here: Path, pile: Path) -> None:
        assert "no metric named 'beauty'" in genus("cluster", pile, "--metric", "beauty", *CHEAP).complaint

    def test_the_truth_decides_only_where_there_is_one(self, here: Path, pile: Path, digits: Path) -> None:
        wanted = ("--metric", "adjusted_rand", "--clusters", 4, *QUICKLY)
        assert "--truth" in genus("cluster", pile, *wanted).complaint
        rows = done("cluster", digits, "-o", "out", *wanted, "--truth", "--json").json["comparison"]["rows"]
        found = [row["truth"]["adjusted_rand"] for row in rows]
        assert found == sorted(found, reverse=True)

    def test_a_dry_run_writes_nothing(self, here: Path, pile: Path) -> None:
        out = done("cluster", pile, *CHEAP, "--dry-run").out
        assert "48 images" in out and "Memory" in out and "Nothing was done." in out
        assert done("cluster", pile, *CHEAP, "--dry-run", "--json").json["memory_mb"] > 0
        assert not list(here.iterdir())

    def test_equal_seeds_find_equal_groups(self, here: Path, pile: Path, four: Path) -> None:
        done("cluster", pile, "-o", "again", "--clusters", 4, *QUICKLY)
        assert cluster_of(here / "again") == cluster_of(four)

    def test_what_is_there_is_kept_unless_told_otherwise(self, groups: Path, pile: Path) -> None:
        complaint = genus("cluster", pile, "-o", groups, *QUICKLY).complaint
        assert "exists already" in complaint and "--force" in complaint
        done("cluster", pile, "-o", groups, "--clusters", 3, "--force", *QUICKLY)
        assert set(cluster_of(groups).values()) == {0, 1, 2}

    def test_a_file_is_no_folder(self, here: Path, pile: Path) -> None:
        (here / "out").write_text("precious")
        assert "it is a file" in genus("cluster", pile, "-o", "out", *QUICKLY).complaint


class TestClassFolders:
    @pytest.mark.parametrize("how", ["--copy", "--link"])
    def test_one_folder_a_group(self, here: Path, pile: Path, how: str) -> None:
        done("cluster", pile, "-o", "out", "--clusters", 4, how, *QUICKLY)
        filed = {path.name: int(path.parent.name) for path in Path("out/sorted").glob("*/*")}
        assert filed == cluster_of(here / "out")
        assert all(path.is_symlink() == (how == "--link") for path in Path("out/sorted").glob("*/*"))

    def test_not_both(self, here: Path, pile: Path) -> None:
        assert "exclude each other" in genus("cluster", pile, "--copy", "--link").complaint

    def test_other_groups_are_not_mixed_in(self, groups: Path) -> None:
        (groups / "sorted" / "7").mkdir(parents=True)
        complaint = genus("cluster", groups, "--merge", "0,1", "--copy").complaint
        assert "perhaps with other groups" in complaint
        assert len(set(cluster_of(groups).values())) == 4


class TestSplitAndMerge:
    def test_a_split_leaves_the_other_groups_alone(self, groups: Path) -> None:
        before = cluster_of(groups)
        done("cluster", groups, "--split", 0, "--clusters", 2)
        after = cluster_of(groups)
        assert {after[name] for name, group in before.items() if group == 0} == {0, 4}
        assert all(after[name] == group for name, group in before.items() if group != 0)

    def test_a_merge_keeps_the_lower_number(self, groups: Path) -> None:
        before = cluster_of(groups)
        out = done("cluster", groups, "--merge", "3,1").out
        assert cluster_of(groups) == {name: 1 if group == 3 else group for name, group in before.items()}
        assert "merged by hand" in out

    def test_page_and_model_follow(self, groups: Path) -> None:
        done("cluster", groups, "--merge", "0,1")
        assert "48 images in 3 groups" in (groups / "clusters.html").read_text("utf-8")
        assert set(load(groups / "clusters.onnx").classes_) == {"0", "2", "3"}

    def test_labels_follow_too(self, groups: Path) -> None:
        done("name", groups, "0=a", "1=b")
        done("cluster", groups, "--merge", "0,2")
        labels = {Path(row["image"]).name: row["label"] for row in csv_rows(groups / "labels.csv")}
        assert labels == {n: "ab"[group] for n, group in cluster_of(groups).items() if group in (0, 1)}

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (("--split", 9), "no group 9"),
            (("--merge", "0,9"), "no group 9"),
            (("--merge", "1"), "name two"),
            (("--merge", "a,b"), "expected numbers"),
            (("--split", 0, "--merge", "1,2"), "not at once"),
            (("--split", 0, "--clusters", "2-4"), "not into a range"),
            (("--split", 0, "--clusters", 40), "too few"),
            (("--split", 0, "-o", "x"), "in place"),
        ],
    )
    def test_what_cannot_be(self, groups: Path, arguments: tuple[object, ...], complaint: str) -> None:
        before = (groups / "groups.npz").read_bytes()
        assert complaint in genus("cluster", groups, *arguments).complaint
        assert (groups / "groups.npz").read_bytes() == before

    def test_a_folder_without_groups(self, pile: Path) -> None:
        assert "genus cluster DATA" in genus("cluster", pile, "--split", 0).complaint


class TestBadInput:
    def test_what_cannot_be_read_is_left_out_and_reported(self, tmp_path: Path, pile: Path) -> None:
        folder = Path(shutil.copytree(pile, tmp_path / "pile"))
        (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        outcome = done("cluster", folder, "-o", tmp_path / "out", "--clusters", 4, *QUICKLY)
        assert "Left out, 1 in all" in outcome.out and "broken.png" in outcome.out
        assert "broken.png" not in cluster_of(tmp_path / "out")

    def test_no_images(self, here: Path, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert "no images" in genus("cluster", tmp_path / "empty").complaint

    def test_one_picture_many_times(self, here: Path, pile: Path) -> None:
        (here / "same").mkdir()
        for i in range(30):
            shutil.copy(next(pile.iterdir()), here / "same" / f"{i}.png")
        found = done("cluster", "same", "-o", "out", *QUICKLY, "--json").json
        assert found["n_groups"] == 1 and found["n_distinct"] == 1

    def test_damaged_groups(self, groups: Path) -> None:
        state = groups / "groups.npz"
        state.write_bytes(state.read_bytes()[:2000])
        assert "groups.npz: damaged" in genus("cluster", groups, "--split", 0).complaint
