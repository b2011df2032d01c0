"""`genus explain`: show where in images the evidence for a class is."""

import csv as csvlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genus.cli.console import Console
from genus.cli.images import find_images
from genus.cli.options import MAX_PIXELS, Engine, EngineName, Force, Json, MaxPixels, Quiet, make_runtime
from genus.cli.output import aligned, print_json, print_line
from genus.errors import DataError, ImageError, OutputError
from genus.files import atomic_write, output_error

if TYPE_CHECKING:
    from genus.explain.explainer import Explainer
    from genus.explain.explanation import Explanation
    from genus.images.source import ImageSource

_SIDE = 1024  # of a picture that is written, in pixels, at most
_COLUMNS = ("image", "label", "probability", "method", "left", "top", "right", "bottom", "score", "picture")


def explain(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGES...", help="Images, folders, patterns, tables; - for stdin.")
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="FILE", help="The model. [default: built in, 1000 classes]"),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="The folder for pictures and tables.")
    ] = "evidence",
    classes: Annotated[
        str | None,
        typer.Option("--classes", metavar="A,B", help="The classes to explain. [default: the most probable]"),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", "-k", metavar="K", min=1, help="How many of the most probable classes.")
    ] = 1,
    method: Annotated[
        str,
        typer.Option("--method", metavar="NAME", help="auto, places, linear or occlusion (slow, any model)."),
    ] = "auto",
    arrays: Annotated[
        bool, typer.Option("--arrays", help="Write the evidence of each place as .npy, too.")
    ] = False,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    engine: Engine = EngineName.auto,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Show where in images the evidence for a class is.

    Writes each image with the evidence in colour and boxes round it, and boxes.csv. A box says where a classifier
    finds what speaks for the class; it is no detector, which would learn from boxes that people have drawn. Images
    that cannot be read are listed on stderr and the others done all the same.

    Examples:
      genus explain cat.jpg
      genus explain -m flowers.onnx new/ -o evidence/
      genus explain -m flowers.onnx new/ --top 2 --arrays
      genus explain -m flowers.onnx new/ --classes daisy --json
    """
    console = Console(quiet)
    folder = _folder(output, force=force)
    sources = find_images(images)

    from genus.explain.explainer import Explainer
    from genus.predictor import built_in, load

    runtime = make_runtime(engine=engine, max_pixels=max_pixels)
    predictor = built_in(runtime) if model is None else load(model, runtime)
    explainer = Explainer(predictor.model, method=method, runtime=runtime)
    wanted = None if classes is None else [name.strip() for name in classes.split(",")]
    explainer.check_classes(wanted)
    _make(folder)
    rows: list[dict[str, Any]] = []
    skipped: list[ImageError] = []
    with console.task("explaining", total=len(sources), unit="images") as task:
        for number, source in enumerate(sources):
            try:
                found = explainer.explain(source, classes=wanted, top=top)
                rows += _written(found, explainer, source, folder, number, arrays=arrays)
            except ImageError as error:
                skipped.append(error)
                console.say(f"Skipped {error}")
            task.advance()
    if not rows:
        raise skipped[0] if len(skipped) == 1 else DataError(f"none of the images can be read: {skipped[0]}")
    _write_table(folder / "boxes.csv", rows)
    _tell(rows, folder, model or "built in", skipped, json=json)


def _folder(output: str, *, force: bool) -> Path:
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: it is a file; name a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise OutputError(f"{folder}: the folder is not empty; name another one with -o, or take --force.")
    return folder


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error


def _written(
    found: "tuple[Explanation, ...]",
    explainer: "Explainer",
    source: "ImageSource",
    folder: Path,
    number: int,
    *,
    arrays: bool,
) -> list[dict[str, Any]]:
    """Write what was found in one image; returns it as plain values."""
    import cv2
    import numpy as np

    from genus.cli.sorting import folder_name
    from genus.images.decode import decode

    picture = decode(source, None, explainer.runtime.limits).pixels
    scale = min(1.0, _SIDE / max(picture.shape[:2]))
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    rows = []
    for one in found:
        stem = f"{number:04d}-{folder_name(Path(source.name).stem)}-{folder_name(one.label)}"
        drawn = one.overlay(small, with_boxes=True)
        _write(folder / f"{stem}.png", cv2.imencode(".png", drawn[:, :, ::-1])[1].tobytes())
        if arrays:
            with atomic_write(folder / f"{stem}.npy") as file:
                np.save(file, one.evidence, allow_pickle=False)
        rows.append({**one.to_dict(), "picture": str(folder / f"{stem}.png")})
    return rows


def _write(path: Path, data: bytes) -> None:
    with atomic_write(path) as file:
        file.write(data)


def _write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    from io import StringIO

    text = StringIO()
    table = csvlib.DictWriter(text, _COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    for row in rows:
        about = {key: value for key, value in row.items() if key != "boxes"}
        table.writerows({**about, **box} for box in row["boxes"] or [{}])
    _write(path, text.getvalue().encode("utf-8", "surrogateescape"))


def _tell(
    rows: list[dict[str, Any]], folder: Path, model: str, skipped: list[ImageError], *, json: bool
) -> None:
    if json:
        left_out = [{"source": error.source, "reason": error.reason} for error in skipped]
        print_json({"model": model, "output": str(folder), "explained": rows, "skipped": left_out})
        return
    for row in rows:
        kind = "box" if len(row["boxes"]) == 1 else "boxes"
        inside = f"{len(row['boxes'])} {kind}" if row["boxes"] else "no place speaks for it"
        print_line(f"{row['image']}: {row['label']} {row['probability']:.1%}, {inside}")
    ways = {
        "places": "by leaving out one place after the other of what the network saw",
        "linear": "by linearising the classifier at each image",
        "occlusion": "by hiding one piece of the picture after the other",
    }
    print(*aligned([("Found", ways[rows[0]["method"]]), ("Written to", str(folder))], indent=""), sep="\n")
    sys.stdout.flush()
