"""Read annotations in the format of COCO: a label for every category of which an image has an object.

The format: https://cocodataset.org/#format-data. Boxes, masks and keypoints are not looked at. Where a file says for
each image which categories it was searched for (`neg_category_ids`, as LVIS does), all others are unknown.
"""

import json
import re
from collections.abc import Iterator, Mapping
from os.path import isfile
from pathlib import Path
from typing import Any

from genus.data.annotations import AnnotatedImage, annotated_dataset
from genus.data.dataset import Dataset
from genus.data.label_cells import Cell
from genus.data.tables import TableOptions
from genus.errors import DataError
from genus.wording import count

_LISTS = ("images", "annotations", "categories")
_LOOK_AT = 1 << 20  # characters: the head of a large file says what it is
_LIKE_COCO = re.compile(r'"(?:info|licenses|images|annotations|categories)"\s*:\s*[\[{]')


def is_coco(path: Path) -> bool:
    """Tell whether a JSON file is an object with images, annotations and categories, and not a table."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            head = file.read(_LOOK_AT).lstrip()
    except (OSError, UnicodeDecodeError):
        return False
    if not head.startswith("{"):
        return False
    try:
        first, _ = json.JSONDecoder().raw_decode(head)
    except (ValueError, RecursionError):  # cut short: one large object
        return bool(_LIKE_COCO.search(head))
    return sum(isinstance(first.get(key), list) for key in _LISTS) >= 2


def read_coco(path: Path, options: TableOptions) -> Dataset:
    """Read a COCO file; each image has the categories of its annotations.

    Parameters
    ----------
    path : Path
    options : TableOptions
        `root` names the folder with the images. Otherwise they are looked for beside the file, in `images/`, in
        `../images/`, and in folders beside the file's own that are called like the file, with or without
        `instances_`.

    Raises
    ------
    DataError
        It is no such file, an annotation has a category that does not exist, or no image can be found.
    """
    content = _load(path)
    names = _categories(content, path)
    known = {_value(image, "id", f"images[{place}]", path) for place, image in enumerate(content["images"])}
    labels: dict[Any, dict[str, None]] = {}
    n_lost = 0
    for place, annotation in enumerate(content["annotations"]):
        category = _value(annotation, "category_id", f"annotations[{place}]", path)
        image = _value(annotation, "image_id", f"annotations[{place}]", path)
        if category not in names:
            raise DataError(
                f"{path}: annotations[{place}] has category {category!r}, which the file does not list."
            )
        if image in known:
            labels.setdefault(image, {})[names[category]] = None
        else:
            n_lost += 1
    notes = [f"{count(n_lost, 'annotation')} of images that the file does not list"] if n_lost else []
    images = _images(content, path, options, {image: tuple(found) for image, found in labels.items()}, names)
    vocabulary = tuple(dict.fromkeys(names.values()))
    return annotated_dataset(images, f"{path} (COCO annotations)", names=vocabulary, notes=notes)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: cannot read the annotations: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {error}.") from error
    for key in _LISTS:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(
                f"{path}: no COCO annotations: the list {key!r} is missing; it needs {', '.join(_LISTS)}."
            )
        if not all(isinstance(entry, dict) for entry in content[key]):
            raise DataError(f"{path}: no COCO annotations: {key!r} must be a list of objects.")
    return dict(content)


def _categories(content: Mapping[str, Any], path: Path) -> dict[Any, str]:
    return {
        _value(category, "id", f"categories[{place}]", path): str(
            _value(category, "name", f"categories[{place}]", path)
        ).strip()
        for place, category in enumerate(content["categories"])
    }


def _images(
    content: Mapping[str, Any],
    path: Path,
    options: TableOptions,
    labels: Mapping[Any, tuple[str, ...]],
    names: Mapping[Any, str],
) -> Iterator[AnnotatedImage]:
    folders = [Path(options.root)] if options.root else _folders(path)
    for place, image in enumerate(content["images"]):
        file = str(_value(image, "file_name", f"images[{place}]", path))
        has = labels.get(_value(image, "id", f"images[{place}]", path), ())
        cell = Cell(has)
        if isinstance(image.get("neg_category_ids"), list):
            absent = {names[category] for category in image["neg_category_ids"] if category in names}
            cell = Cell(has, tuple(name for name in names.values() if name not in absent))
        folder = next((folder for folder in folders if isfile(folder / file)), None)
        if folder is not None and folder != folders[0]:
            folders.remove(folder)
            folders.insert(0, folder)  # the others will be there too
        yield AnnotatedImage(file, None if folder is None else folder / file, cell)


def _folders(path: Path) -> list[Path]:
    here, above = path.parent, path.parent.parent
    stems = dict.fromkeys((path.stem, path.stem.removeprefix("instances_")))
    beside = [folder / stem for folder in (above, here) for stem in stems]
    nested = [above / "images" / stem for stem in stems]
    return [here, here / "images", above / "images", *beside, *nested]


def _value(entry: Mapping[str, Any], key: str, place: str, path: Path) -> Any:
    value = entry.get(key)
    if value is None or isinstance(value, dict | list):
        raise DataError(f"{path}: {place} has no {key!r}.")
    return value
