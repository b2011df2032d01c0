"""Where the tree comes from: class names, folders, columns, a table of parents; and what is wrong with some."""

from pathlib import Path

import pytest

from genus.data.ranks import rank_labels
from genus.data.taxonomies import TaxonomyWish, read_parents
from genus.errors import DataError, ParameterError


def test_paths_among_class_names_are_found() -> None:
    tree, notes = TaxonomyWish.of("auto").tree_of(["a/b", "a/c", "d"])
    assert tree is not None and tree.paths == ("a", "a/b", "a/c", "d") and not notes


def test_a_slash_alone_makes_no_tree() -> None:
    assert TaxonomyWish.of("auto").tree_of(["yes", "no", "n/a"]) == (None, ())


def test_nobody_asked() -> None:
    assert TaxonomyWish.of(None).tree_of(["a/b", "a/c"]) == (None, ())


def test_columns_are_levels() -> None:
    wish = TaxonomyWish.of("family, species")
    assert wish.ranks == ("family", "species") == TaxonomyWish.of(wish.reading).ranks


def test_a_table_of_parents(tmp_path: Path) -> None:
    (tmp_path / "tree.csv").write_text("child,parent\ncat,pet\ndog,pet\npet,\n", "utf-8")
    tree, notes = TaxonomyWish.of(tmp_path / "tree.csv").tree_of(["cat", "dog", "oak"])
    assert tree is not None and tree.paths == ("pet", "pet/cat", "pet/dog", "oak")
    assert notes == ("classes that are not in the taxonomy stand by themselves: oak",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("child,parent\ncat,pet\ncat,beast\n", "row 2: 'cat' belongs to both pet and beast"),
        ("child,above\ncat,pet\n", "needs the columns 'child' and 'parent'"),
        ("child,parent\n,pet\n", "row 1: a taxon without a name"),
        ("child,parent\n", "no rows"),
    ],
)
def test_tables_that_are_no_trees(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "tree.csv").write_text(text, "utf-8")
    with pytest.raises(DataError, match=said):
        read_parents(tmp_path / "tree.csv")


def test_a_table_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of the classes is in the taxonomy"):
        TaxonomyWish.of({"oak": "tree"}).tree_of(["cat", "dog"])
    with pytest.raises(DataError, match="no such file"):
        TaxonomyWish.of("gone.csv")


def test_classes_that_form_no_tree_though_one_was_asked_for() -> None:
    with pytest.raises(DataError, match="the classes form no tree"):
        TaxonomyWish.of("paths").tree_of(["cat", "dog"])


@pytest.mark.parametrize("source", [3, "a,", "a,a", [1, 2]])
def test_what_is_no_taxonomy(source: object) -> None:
    with pytest.raises(ParameterError, match="taxonomy"):
        TaxonomyWish.of(source)  # type: ignore[arg-type]  # that is the point


def test_a_level_may_be_unknown_but_not_one_above_a_known_one() -> None:
    rows = [{"family": "cats", "species": "lynx"}, {"family": "cats", "species": ""}]
    assert rank_labels(rows, ["family", "species"], "t").labels == ("cats/lynx", "cats")
    with pytest.raises(DataError, match="row 1: 'species' is filled in, but 'family' above it is empty"):
        rank_labels([{"family": "", "species": "lynx"}], ["family", "species"], "t")
    with pytest.raises(DataError, match="column 'order' is missing"):
        rank_labels(rows, ["order", "species"], "t")
    with pytest.raises(DataError, match="holds a slash"):
        rank_labels([{"family": "a/b"}], ["family"], "t")


def test_homonyms_are_told() -> None:
    rows = [{"f": "cats", "s": "major"}, {"f": "birds", "s": "major"}]
    assert "birds/major and cats/major" in rank_labels(rows, ["f", "s"], "t").notes[0]
