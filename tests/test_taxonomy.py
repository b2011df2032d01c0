"""Trees of classes: how they are read, what is probable in them, how far apart their taxa are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.errors import DataError
from genus.taxonomy import TOP, Taxonomy

PATHS = st.lists(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join),
    min_size=1,
    max_size=12,
    unique=True,
)
PETS = Taxonomy.of_paths(["animal/cat", "animal/dog", "plant/rose"])


@given(PATHS, st.integers(0, 2**32 - 1))
def test_no_taxon_is_less_probable_than_one_below_it(paths: list[str], seed: int) -> None:
    tree = Taxonomy.of_paths(paths)
    proba = np.random.default_rng(seed).dirichlet(np.ones(len(paths)), 5)
    found = tree.proba(proba)
    for node, parent in enumerate(tree.parents):
        if parent != TOP:
            assert np.all(found[:, parent] >= found[:, node] - 1e-12)
    assert found[:, list(tree.roots)].sum(axis=1) == pytest.approx(np.ones(5))


@given(PATHS)
def test_distance_is_symmetric_and_zero_only_for_the_same(paths: list[str]) -> None:
    costs = Taxonomy.of_paths(paths).costs()
    assert np.array_equal(costs, costs.T)
    assert np.array_equal(costs == 0, np.eye(len(paths), dtype=bool))


@given(PATHS)
def test_a_tree_survives_its_own_dictionary(paths: list[str]) -> None:
    tree = Taxonomy.of_paths(paths, ["first", "second"])
    assert Taxonomy.from_dict(tree.to_dict()).paths == tree.paths
    assert [tree.paths[place] for place in tree.classes] == paths


def test_parents_and_paths_give_the_same_tree() -> None:
    grown = Taxonomy.of_parents(
        ["cat", "dog", "rose"],
        {"cat": "animal", "dog": "animal", "rose": "plant", "animal": None, "oak": "plant"},
    )
    assert grown.paths == PETS.paths


def test_cousins_are_farther_apart_than_siblings() -> None:
    cat, dog, rose = PETS.classes
    assert [PETS.distance(cat, other) for other in (cat, dog, rose)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("parents", "said"),
    [({"cat": "pet", "pet": "cat"}, "goes round in a circle: "), ({"cat": "cat"}, "circle: cat -> cat")],
)
def test_a_circle_is_no_tree(parents: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Taxonomy.of_parents(["cat", "dog"], parents)


def test_a_path_with_an_empty_part_is_refused() -> None:
    with pytest.raises(DataError, match="a part of it is empty"):
        Taxonomy.of_paths(["animal//cat", "animal/dog"])


@pytest.mark.parametrize("known", [None, {}, {"names": ["a"], "parents": [0], "classes": [0]}])
def test_a_broken_dictionary_is_refused(known: object) -> None:
    with pytest.raises(DataError, match="taxonomy"):
        Taxonomy.from_dict(known)  # type: ignore[arg-type]  # that is the point
