"""Wishes of `genus search` that do not go together: refused before the work."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from genus.errors import ParameterError
from genus.files import check_writable


@dataclass(frozen=True, slots=True)
class SearchWishes:
    """What a command line asks for, as far as it could contradict itself."""

    queries: Sequence[str]
    of_class: str | None
    box: str | None
    unlike: Sequence[str]
    where: Sequence[str]
    diversity: float
    copies: bool
    identify: float | None
    html: str | None

    @property
    def wants_hits(self) -> bool:
        """Whether anything is looked for."""
        return bool(self.queries) or self.of_class is not None

    def check(self) -> None:
        """Raise ParameterError for what cannot be."""
        if self.identify is not None:
            self._check_identify()
        elif not self.wants_hits:
            self._check_description()
        if self.box is not None and len(self.queries) != 1:
            raise ParameterError("--box is a part of one image: name one.")

    def _given(self) -> list[str]:
        """Return the options that are given and say what is looked for."""
        given = {
            "--box": self.box is not None,
            "--not": bool(self.unlike),
            "--class": self.of_class is not None,
            "--where": bool(self.where),
            "--diversity": self.diversity > 0,
            "--copies": self.copies,
        }
        return [name for name, is_given in given.items() if is_given]

    def _check_identify(self) -> None:
        if not self.queries:
            raise ParameterError("--identify says who is in an image: name one.")
        if self.html is not None:
            raise ParameterError("--identify answers with a name; there is no page for it. Leave out --html.")
        if given := self._given():
            raise ParameterError(
                f"--identify takes whole images and looks at all that have a label. Leave out {', '.join(given)}."
            )

    def _check_description(self) -> None:
        if self.html is not None:
            raise ParameterError("--html shows what was found: name an image to look for, or --class.")
        if given := self._given():
            raise ParameterError(
                f"{', '.join(given)}: nothing is looked for. Name an image to look for, or --class."
            )


def check_targets(html: str | None, export: str | None, save: str | None, *, force: bool) -> None:
    """Find out before the work whether its results can be written.

    Raises
    ------
    ParameterError
        Two of them would be the same file.
    MissingExtraError, OutputError
        One cannot be written.
    """
    taken: dict[str, str] = {}
    for option, path in (("--html", html), ("--export", export), ("--save", save)):
        if path is not None and (other := taken.setdefault(os.path.realpath(path), option)) != option:
            raise ParameterError(f"{other} and {option} name the same file, {path}: give each its own.")
    for path in (html, export):
        if path is not None:
            check_writable(path, force=force)
    if export is not None:
        from genus.estimators.index_export import check_export

        check_export()
    if save is not None:
        from genus.estimators.index_file import check_target

        check_target(save, force=force)
