"""Where the tree of a taxonomy comes from: class names, folders, columns or a table of parents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from genus.data.columns import find_column
from genus.data.label_cells import label_name
from genus.data.tables import TableOptions, read_rows
from genus.errors import DataError, ParameterError
from genus.taxonomy import Taxonomy, are_paths

TaxonomySource = str | PathLike[str] | Mapping[str, str | None] | Sequence[str] | Taxonomy | None
"""What `ImageClassifier(taxonomy=...)` takes."""

_CHILD_COLUMNS = ("child", "name", "taxon", "class", "label")
_PARENT_COLUMNS = ("parent", "parent_name", "parent_taxon")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class TaxonomyWish:
    """What the caller wants of the taxonomy.

    Attributes
    ----------
    kind : {"auto", "none", "paths", "folders", "ranks", "parents", "tree"}
    ranks : tuple of str
        Columns, the highest level first.
    parents : mapping of str to (str or None)
        What each taxon belongs to.
    origin : str
        What messages call the parents.
    tree : Taxonomy or None
    """

    kind: str
    ranks: tuple[str, ...] = ()
    parents: Mapping[str, str | None] | None = None
    origin: str = "the taxonomy"
    tree: Taxonomy | None = None

    @classmethod
    def of(cls, source: TaxonomySource) -> "TaxonomyWish":
        """Understand what was given.

        Parameters
        ----------
        source : str, path, mapping, sequence of str, Taxonomy or None
            "auto": paths, if two class names share the part before a slash. "none" or None: no taxonomy. "paths":
            class names are paths. "folders": so are the folders within class folders. "kingdom,family,species" or a
            list of names: columns of the table, the highest level first. The name of a table: one with a column
            `child` and a column `parent`. A mapping: the parent of each taxon.

        Raises
        ------
        DataError
            The table cannot be read, or a taxon has two parents.
        ParameterError
            It is something else.
        """
        if source is None or source == "none":
            return cls("none")
        if isinstance(source, Taxonomy):
            return cls("tree", tree=source)
        if isinstance(source, Mapping):
            return cls("parents", parents=source)
        if isinstance(source, str) and source in ("auto", "paths", "folders"):
            return cls(source)
        if isinstance(source, (str, PathLike)):
            text = str(source)
            if "," in text and not Path(text).is_file():
                return cls._of_ranks(text.split(","))
            return cls("parents", parents=read_parents(Path(text)), origin=text)
        if isinstance(source, Sequence) and all(isinstance(name, str) for name in source):
            return cls._of_ranks(source)
        raise ParameterError(
            f"a taxonomy of the type {type(source).__name__}: expected a table's name, columns or a mapping."
        )

    @classmethod
    def _of_ranks(cls, names: Sequence[str]) -> "TaxonomyWish":
        ranks = tuple(name.strip() for name in names)
        if len(ranks) < 2 or not all(ranks) or len(set(ranks)) < len(ranks):
            raise ParameterError(
                f"taxonomy {','.join(names)!r}: expected two or more different columns, the highest level first, "
                "such as family,species."
            )
        return cls("ranks", ranks=ranks)

    @property
    def is_automatic(self) -> bool:
        """Whether nobody has asked for a taxonomy."""
        return self.kind in ("auto", "none")

    @property
    def reading(self) -> str:
        """How labels are read for it, as text that `of` understands; empty where they are read as they are."""
        return ",".join(self.ranks) if self.ranks else "folders" if self.kind == "folders" else ""

    def table_options(self, options: TableOptions | None = None) -> TableOptions:
        """Return how data is read so that its labels go with the taxonomy."""
        given = options or TableOptions()
        if self.kind == "folders":
            return replace(given, nested=True)
        return replace(given, ranks=self.ranks) if self.ranks else given

    def tree_of(self, classes: Sequence[str]) -> tuple[Taxonomy | None, tuple[str, ...]]:
        """Return the tree in which the classes stand, if there is one, and what to say about it.

        Raises
        ------
        DataError
            A tree was asked for, but the classes form none.
        """
        if self.kind == "none" or (self.kind == "auto" and not are_paths(classes)):
            return None, ()
        if self.kind == "auto":
            try:
                return Taxonomy.of_paths(classes), ()
            except DataError as error:
                return None, (f"class names with slashes are taken as they are: {error}",)
        tree, notes = self._asked_for(classes)
        if tree.n_levels < 2:
            raise DataError(
                f"{self.origin}: the classes form no tree, none belongs to another taxon. The classes are "
                f"{_listed(classes)}."
            )
        return tree, notes

    def _asked_for(self, classes: Sequence[str]) -> tuple[Taxonomy, tuple[str, ...]]:
        if self.tree is not None:
            places = [self.tree.find(name) for name in classes]
            known = [place for place in places if place is not None]
            if len(known) < len(places):
                raise DataError(f"the taxonomy lacks the class {classes[places.index(None)]!r}.")
            return replace(self.tree, classes=tuple(known)), ()
        if self.parents is None:
            return Taxonomy.of_paths(classes, self.ranks), ()
        tree = Taxonomy.of_parents(classes, self.parents)
        known_names = {*self.parents, *self.parents.values()}
        missing = [name for name in classes if name not in known_names]
        if len(missing) == len(classes):
            raise DataError(
                f"{self.origin}: none of the classes is in the taxonomy. The classes are {_listed(classes)}; "
                f"the taxonomy has {_listed(list(self.parents))}."
            )
        if missing:
            return tree, (f"classes that are not in the taxonomy stand by themselves: {_listed(missing)}",)
        return tree, ()


def read_parents(path: Path) -> dict[str, str | None]:
    """Read a table that says what each taxon belongs to.

    Parameters
    ----------
    path : Path
        CSV, TSV or JSON lines with the columns `child` (or `name`, `taxon`, `class`, `label`) and `parent`. An empty
        parent makes an uppermost taxon.

    Raises
    ------
    DataError
        There is no such file, a column is missing, or a taxon has two parents.
    """
    if not path.is_file():
        raise DataError(
            f"taxonomy {str(path)!r}: no such file. Give a table with the columns child and parent, columns of the "
            'data such as "family,species", or one of auto, paths, folders, none.'
        )
    rows = read_rows(path)
    if not rows:
        raise DataError(f"{path}: the table has no rows.")
    columns = list(rows[0])
    child = find_column(columns, None, _CHILD_COLUMNS, str(path), "child")
    parent = find_column(columns, None, _PARENT_COLUMNS, str(path), "parent")
    if child is None or parent is None:
        raise DataError(
            f"{path}: a taxonomy needs the columns 'child' and 'parent'; found {', '.join(columns)}."
        )
    return _parents_of(
        ((number, row.get(child), row.get(parent)) for number, row in enumerate(rows, 1)), path
    )


def _parents_of(rows: Any, path: Path) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for number, given, above in rows:
        name, parent = label_name(given), label_name(above)
        if name is None:
            raise DataError(f"{path}, row {number}: a taxon without a name.")
        if name in found and found[name] != parent:
            raise DataError(
                f"{path}, row {number}: {name!r} belongs to both {found[name] or 'nothing'} and "
                f"{parent or 'nothing'}. A taxon has one parent; give the two different names."
            )
        found[name] = parent
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
