"""The tree of a training run's classes."""

from genus.data.taxonomies import TaxonomyWish
from genus.errors import ParameterError
from genus.estimators.learned import Learned
from genus.taxonomy import Taxonomy


def find_tree(wish: TaxonomyWish, learned: Learned) -> tuple[Taxonomy | None, tuple[str, ...]]:
    """Return the tree in which the classes stand, if there is one, and what to say about it.

    Raises
    ------
    DataError
        A tree was asked for, but the classes form none.
    ParameterError
        A tree was asked for, but images may have several labels.
    """
    if learned.multilabel:
        if not wish.is_automatic:
            raise ParameterError("a taxonomy needs one class an image; these images may have several labels.")
        return None, ()
    tree, notes = wish.tree_of(learned.classes)
    if tree is None:
        return None, notes
    upper = [name for name, place in zip(learned.classes, tree.classes, strict=True) if tree.height[place]]
    if upper:
        shown = ", ".join(upper[:5]) + (" ..." if len(upper) > 5 else "")
        notes = (*notes, f"classes above others stand for what is not further determined: {shown}")
    return tree, notes
