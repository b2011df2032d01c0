"""Read annotations in the format of Pascal VOC: a label for every class of which an image has an object.

The format: Everingham et al., The Pascal Visual Object Classes Challenge 2012 (VOC2012) Development Kit. A folder with
`Annotations/*.xml`, the images in `JPEGImages/`, and what belongs to which part in `ImageSets/Main/`. Boxes are not
looked at. As in the challenge, an object marked difficult counts neither way: if an image has no other of its class,
it is unknown whether it has the class.
"""

from os.path import isfile
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

from genus.data.annotations import AnnotatedImage, annotated_dataset
from genus.data.dataset import Dataset, SkippedImage
from genus.data.folders import looks_like_image
from genus.data.label_cells import Cell
from genus.data.order import natural_key
from genus.data.tables import TableOptions
from genus.errors import DataError
from genus.wording import count

_MAX_BYTES = 8 << 20  # an annotation has a few kilobytes
_IMAGE_FOLDERS = ("JPEGImages", "images", "Images", ".", "Annotations")
_PARTS = (("trainval", "train"), ("train", "train"), ("val", "val"), ("test", "test"))  # the later one counts


class _WithoutDoctype(ElementTree.TreeBuilder):
    """Refuses documents that define entities, which can grow without end, before any is expanded."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        """Stop."""
        raise ValueError("a document type is declared, which annotations have no use for")


def is_voc(path: Path) -> bool:
    """Tell whether a folder holds annotations in this format."""
    return next((path / "Annotations").glob("*.xml"), None) is not None


def read_voc(path: Path, options: TableOptions) -> Dataset:
    """Read a folder with `Annotations/`; each image has the classes of its objects.

    Parameters
    ----------
    path : Path
    options : TableOptions
        `root` names the folder with the images; otherwise they are looked for in `JPEGImages/`, in `images/`, in the
        folder itself and beside the annotations.

    Raises
    ------
    DataError
        There are no annotations, or none of an image that can be found.
    """
    files = sorted((path / "Annotations").glob("*.xml"), key=lambda file: natural_key(file.name))
    if not files:
        raise DataError(f"{path}: no Pascal VOC annotations: no XML files in the folder Annotations.")
    folders = [Path(options.root)] if options.root else [path / name for name in _IMAGE_FOLDERS]
    by_stem = _by_stem(folders)
    splits = _splits(path / "ImageSets" / "Main")
    images: list[AnnotatedImage] = []
    damaged: list[SkippedImage] = []
    for file in files:
        try:
            root = _parse(file)
        except (OSError, ValueError, ElementTree.ParseError) as error:
            damaged.append(SkippedImage(str(file), f"annotation cannot be read: {error}"))
            continue
        name = (root.findtext("filename") or "").strip() or file.stem
        named = (folder / name for folder in folders)
        image = next((place for place in named if isfile(place)), by_stem.get(file.stem))
        images.append(AnnotatedImage(name, image, _cell(root), splits.get(file.stem)))
    notes = [f"{count(len(damaged), 'annotation file')} cannot be read"] if damaged else []
    return annotated_dataset(images, f"{path} (Pascal VOC annotations)", skipped=damaged, notes=notes)


def _parse(file: Path) -> ElementTree.Element:
    with file.open("rb") as opened:
        data = opened.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError(f"larger than {_MAX_BYTES >> 20} MiB")
    parser = ElementTree.XMLParser(target=_WithoutDoctype())
    parser.feed(data)
    root = parser.close()
    if not isinstance(root, ElementTree.Element) or root.tag != "annotation":
        raise ValueError("no <annotation>")
    return root


def _cell(root: ElementTree.Element) -> Cell:
    has: dict[str, None] = {}
    unsure: dict[str, None] = {}
    for found in root.iterfind("object"):
        if name := (found.findtext("name") or "").strip():
            difficult = (found.findtext("difficult") or "").strip() == "1"
            (unsure if difficult else has)[name] = None
    return Cell(tuple(has), tuple(unsure))


def _by_stem(folders: list[Path]) -> dict[str, Path]:
    """Return the images by their names without the ending: many annotations name a file that is called otherwise."""
    found: dict[str, Path] = {}
    for folder in folders:
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        for file in files:
            if looks_like_image(file) and file.is_file():
                found.setdefault(file.stem, file)
    return found


def _splits(folder: Path) -> dict[str, str]:
    """Return the part of each image, by its name without the ending."""
    found: dict[str, str] = {}
    for name, split in _PARTS:
        file = folder / f"{name}.txt"
        if file.is_file():
            lines = file.read_text("utf-8", errors="replace").splitlines()
            found |= {words[0]: split for line in lines if (words := line.split())}
    return found
