"""What becomes of predictions: lines, JSON, tables, folders. Each is a sink that takes one image at a time."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from genus.cli.output import Kind, RowWriter, aligned, open_table, print_json, print_line
from genus.cli.prediction import Prediction, column, label_columns
from genus.cli.sorting import Sorter
from genus.cli.taxa import NOT_SURE, TAXON_COLUMNS

NOTHING = "(nothing)"  # said of an image without any label

_BAR = 24  # characters at 100%
_SHOWN_INLINE = 3  # guesses on a line
_WORTH_SHOWING = 0.01


class Sink(AbstractContextManager["Sink"], Protocol):
    """Takes predictions; as a context manager, it finishes its work at the end of the block."""

    def take(self, found: Prediction) -> None:
        """Take in one prediction."""


class _Plain:
    """A sink that has nothing to open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()

    def finish(self) -> None:
        """Print what can be said only at the end."""


class Lines(_Plain):
    """Prints each image as it is done: a line, or a little chart for one alone."""

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone

    def take(self, found: Prediction) -> None:
        """Print one."""
        if found.error is not None:
            return
        if found.unknown is not None:
            self._take_unknown(found, found.unknown)
            return
        if found.taxon is not None:
            print_line(f"{found.name}: {found.taxon.text}")
            return
        if found.labels is not None and not self._alone:
            named = "  ".join(f"{name} {found.labels[name]:.1%}" for name in found.names or ())
            print_line(f"{found.name}: {named or NOTHING}")
            return
        if found.names is not None and found.labels is None:
            print_line(f"{found.name}: {' or '.join(found.names)}")
            return
        if self._alone:
            print_line(found.name)
            chosen = found.names if found.labels is not None else ()
            rows = [
                (f"{p:.1%}", label, ("█" * round(_BAR * p)) + (" *" if label in (chosen or ()) else ""))
                for label, p in found.guesses
            ]
            print(*aligned(rows, right=[0]), sep="\n", flush=True)
            if found.labels is not None:
                print_line("  * named" if found.names else f"  {NOTHING}")
            return
        self._print_inline(found)

    def _take_unknown(self, found: Prediction, unknown: str) -> None:
        label, _ = found.guesses[0]
        print_line(f"{found.name}: {unknown} (of the classes most like {label})")

    def _print_inline(self, found: Prediction) -> None:
        worth = [guess for guess in found.guesses[:_SHOWN_INLINE] if guess[1] >= _WORTH_SHOWING]
        guesses = "  ".join(f"{label} {p:.1%}" for label, p in worth or found.guesses[:1])
        print_line(f"{found.name}: {guesses}")


class JsonSink(_Plain):
    """Prints one JSON object at the end."""

    def __init__(self, model: str, outputs: Sequence[str]) -> None:
        self._begun = time.perf_counter()
        self._about = {"model": model, "outputs": list(outputs)}
        self._images: list[dict[str, Any]] = []
        self._skipped: list[dict[str, Any]] = []

    def take(self, found: Prediction) -> None:
        """Remember one."""
        if found.error is None:
            self._images.append(found.to_dict())
        else:
            self._skipped.append({"source": found.name, "reason": found.error})

    def finish(self) -> None:
        """Print all."""
        seconds = round(time.perf_counter() - self._begun, 3)
        print_json({**self._about, "images": self._images, "skipped": self._skipped, "seconds": seconds})


class Summary(_Plain):
    """Prints how many images of which class there were, and where the results are."""

    def __init__(self, outputs: Sequence[str]) -> None:
        self._counts: Counter[str] = Counter()
        self._n = self._n_skipped = 0
        self._outputs = outputs

    def take(self, found: Prediction) -> None:
        """Count one."""
        if found.unknown is not None:
            self._counts[found.unknown] += 1
        elif found.labels is not None:
            self._counts.update(found.names or (NOTHING,))
        elif found.taxon is not None:
            self._counts[found.taxon.path or NOT_SURE] += 1
        elif found.error is None:
            self._counts[found.guesses[0][0]] += 1
        if found.error is None:
            self._n += 1
        else:
            self._n_skipped += 1

    def finish(self) -> None:
        """Print the counts."""
        rows = [(name, f"{n:,}") for name, n in self._counts.most_common()]
        print(*aligned([*rows, ("in all", f"{self._n:,}")], right=[1]), sep="\n")
        if self._n_skipped:
            print(f"{self._n_skipped:,} could not be read")
        for path in self._outputs:
            print_line(f"Written to {path}")


class Table:
    """Writes a table."""

    def __init__(
        self,
        path: Path,
        kind: Kind,
        n_guesses: int,
        *,
        with_sets: bool = False,
        labels: Sequence[str] | None = None,
        with_taxa: bool = False,
        with_novelty: bool = False,
    ) -> None:
        columns: dict[str, type] = {"path": str}
        if labels is not None:
            columns |= {"labels": str, **label_columns(dict.fromkeys(labels, float))}
            n_guesses = 0
        elif with_sets:
            columns["set"] = str
        elif with_taxa:
            columns |= TAXON_COLUMNS
        for i in range(1, n_guesses + 1):
            columns |= {column("label", i): str, column("confidence", i): float}
        if with_novelty:
            columns["novelty"] = float
        self._open = open_table(path, kind, {**columns, "error": str})
        self._writer: RowWriter | None = None

    def take(self, found: Prediction) -> None:
        """Write one row."""
        if self._writer is not None:
            self._writer.write(found.row())

    def __enter__(self) -> Self:
        self._writer = self._open.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)


class Sorted(_Plain):
    """Files images by class."""

    def __init__(self, sorter: Sorter) -> None:
        self._sorter = sorter

    def take(self, found: Prediction) -> None:
        """File one."""
        if found.unknown is not None:
            self._sorter.put(found.source, found.unknown, 1.0)
        elif found.taxon is not None:
            self._sorter.put(found.source, found.taxon.parts, 1.0)
        elif found.error is None:
            self._sorter.put(found.source, *found.guesses[0])
