"""`genus audit --fix`: what a person has accepted, applied to a new table of labels."""

import csv
import json as json_module
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genus.cli.options import data_name, read_named
from genus.cli.output import as_text, open_table, print_json, print_line
from genus.errors import DataError, ParameterError
from genus.files import check_writable
from genus.wording import count

if TYPE_CHECKING:
    from genus.data.dataset import Dataset
    from genus.estimators.label_fixes import Fixed

_BESIDE = "audit.json"


def fix_labels(review: str, asked: Mapping[str, Any], output: str | None, *, force: bool, json: bool) -> None:
    """Apply the accepted rows of a review to a new table; images and old labels stay as they are.

    Parameters
    ----------
    review : str
        The table in which somebody has accepted rows.
    asked : mapping
        How the data are named on the command line; without "data", the audit.json beside the review says it.
    output : str or None
        The new table.
    force : bool
        Whether it may replace one.
    json : bool
        Whether to print JSON.
    """
    if asked["data"] is None:
        asked = _asked_before(Path(review))
    data = os.path.join(asked.get("folder", ""), str(asked["data"]))  # where the audit was started
    if not os.path.exists(data):
        data = str(asked["data"])
    target = check_writable(output or f"{data_name(data)}-fixed.csv", force=force)
    if os.path.realpath(target) in (os.path.realpath(data), os.path.realpath(review)):
        raise ParameterError(
            f"{target}: the new table must not replace what it is made of; name another with -o."
        )

    from genus.estimators.label_fixes import accepted, fixed_labels

    wanted = accepted(_rows(review), review)
    dataset = read_named(
        data, asked["reader"], *asked["columns"], multilabel=asked["multilabel"], separator=asked["separator"]
    )
    fixed = fixed_labels(dataset, _by_name(wanted, dataset, asked.get("folder", "")), review)
    _write(fixed, dataset, target)
    if json:
        print_json(
            {
                "labels": target,
                "n_images": len(fixed.rows),
                "changed": [{"image": i, "old": old, "new": new} for i, old, new in fixed.changed],
                "left_out": list(fixed.left_out),
            }
        )
        return
    print_line(
        f"{count(len(fixed.changed), 'label')} changed, {count(len(fixed.left_out), 'image')} left out."
    )
    print_line(f"Labels  {target} ({count(len(fixed.rows), 'image')})")
    print_line()
    print_line(f"Next:  genus train {target}")


def _by_name(wanted: Mapping[str, str], dataset: "Dataset", folder: str) -> dict[str, str]:
    """Name images as the data do now: in another folder, the same files have other relative paths."""
    known = set(dataset.names)
    by_path = {os.path.abspath(source.path): source.name for source in dataset.sources if source.path}
    found = {}
    for image, suggestion in wanted.items():
        moved = by_path.get(os.path.abspath(os.path.join(folder, image)), image)
        found[image if image in known else moved] = suggestion
    return found


def _asked_before(review: Path) -> dict[str, Any]:
    """Read in the audit.json beside the review what the audit was made of."""
    summary = review.parent / _BESIDE
    try:
        asked = json_module.loads(summary.read_text("utf-8"))["asked"]
        return {
            name: asked[name] for name in ("data", "folder", "reader", "columns", "multilabel", "separator")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{review}: what was audited is not known, since {summary} is missing or damaged. Name the images, too: "
            f"genus audit DATA --fix {review}."
        ) from error


def _rows(review: str) -> list[dict[str, str]]:
    try:
        with open(review, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            head = file.readline()
            file.seek(0)
            # spreadsheets of some countries separate by semicolons
            table = csv.DictReader(file, delimiter=max(",;\t", key=head.count))
            rows, found = list(table), table.fieldnames or ()
    except OSError as error:
        raise DataError(f"{review}: cannot be read: {error.strerror or error}.") from error
    except csv.Error as error:
        raise DataError(f"{review}: not a table: {error}.") from error
    if "accept" not in found or "image" not in found:
        raise DataError(
            f"{review}: no column 'accept' or no column 'image'; found {', '.join(found) or 'nothing'}. Take the "
            "review.csv that genus audit writes."
        )
    return rows


def _write(fixed: "Fixed", dataset: "Dataset", target: Path) -> None:
    """Write each image with its label, and whatever else the data say of it."""
    more = {
        name: column for name in ("split", "group") if (column := getattr(dataset, f"{name}s")) is not None
    }
    columns = {
        "image": str,
        ("labels" if dataset.is_multilabel else "label"): str,
        **dict.fromkeys(more, str),
    }
    with open_table(target, "csv", columns) as table:
        for place, label in fixed.rows:
            row = {name: column[place] or "" for name, column in more.items()}
            label_column = list(columns)[1]
            table.write({"image": _path(dataset, place, target), label_column: label, **row})


def _path(dataset: "Dataset", place: int, target: Path) -> str:
    """Return how the new table names an image: from its own folder."""
    source = dataset.sources[place]
    if source.path is None:
        raise DataError(
            f"{source.name}: it is no file of its own, so no table can name it. Save the images as files first."
        )
    if as_text(str(source.path)) != str(source.path):
        raise DataError(
            f"{as_text(source.name)}: its name is no text, which a table cannot hold; rename the file."
        )
    try:
        return os.path.relpath(os.path.abspath(source.path), os.path.dirname(os.path.abspath(target)))
    except ValueError:  # on another drive
        return os.path.abspath(source.path)
