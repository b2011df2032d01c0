"""Names for the parts one can choose: backbones, heads, readers, clusterers.

A registry holds `name -> "package.module:Attribute"`. Listing imports nothing; `get` imports on demand; other
packages add their own through entry points.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from genus.errors import ParameterError


class Registry:
    """Named parts of one kind.

    Parameters
    ----------
    kind : str
        What the parts are, for messages: "head".
    built_in : mapping of str to str
        Name to `"module:attribute"`.
    entry_point_group : str or None
        The entry-point group through which other packages add parts.

    Examples
    --------
    >>> heads = Registry("head", {"ordered": "collections:OrderedDict"})
    >>> "ordered" in heads, list(heads)
    (True, ['ordered'])
    >>> heads.get("ordered")
    <class 'collections.OrderedDict'>
    >>> heads.get("orderd")
    Traceback (most recent call last):
    genus.errors.ParameterError: no head named 'orderd'. Did you mean 'ordered'?
    """

    def __init__(self, kind: str, built_in: Mapping[str, str], entry_point_group: str | None = None) -> None:
        self.kind = kind
        self._targets: dict[str, str] = dict(built_in)
        self._group = entry_point_group
        self._discovered = entry_point_group is None

    def add(self, name: str, target: str) -> None:
        """Register `target`, a `"module:attribute"`, under a new name."""
        if name in self._all():
            raise ParameterError(f"a {self.kind} named {name!r} exists already.")
        self._targets[name] = target

    def get(self, name: str) -> Any:
        """Import and return the part called `name`.

        Raises
        ------
        ParameterError
            There is no such name; the message suggests near ones.
        """
        targets = self._all()
        if name not in targets:
            near = get_close_matches(name, targets, n=3)
            hint = (
                f"Did you mean {' or '.join(map(repr, near))}?"
                if near
                else f"There are: {', '.join(targets)}."
            )
            raise ParameterError(f"no {self.kind} named {name!r}. {hint}")
        module, _, attribute = targets[name].partition(":")
        return getattr(import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, str]:
        if not self._discovered and self._group is not None:
            for point in entry_points(group=self._group):
                self._targets.setdefault(point.name, point.value)
            self._discovered = True
        return self._targets
