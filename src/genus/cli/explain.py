"""`genus explain`: show where in images the evidence for a class is."""

import csv as csvlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genus.cli.console import Console
from genus.cli.images import find_images
from genus.cli.options import MAX_PIXELS, Engine, EngineName, Force, Json, MaxPixels, Quiet, make_runtime
from genus.cli.output import aligned, print_json, print_line
from genus.cli.output_folder import empty_folder, make_folder, write_file
from genus.errors import DataError, ImageError, ParameterError
from genus.files import atomic_write
from genus.wording import count

if TYPE_CHECKING:
    from genus.explain.examples import Example
    from genus.explain.explainer import Explainer
    from genus.explain.explanation import Explanation
    from genus.images.source import ImageSource
    from genus.report.evidence import ShownImage

_LEAST, _MOST = 320, 1024  # pixels of a written picture's longer side: boxes and numbers need room
_COLUMNS = ("image", "label", "probability", "method", "left", "top", "right", "bottom", "score", "picture")
_WAYS = {
    "hidden": "by hidden pieces and random masks",
    "combined": "by several views, hidden pieces and random masks",
    "views": "by several views of each image, the whole and closer",
    "places": "by leaving out one place after the other of what the network saw",
    "linear": "by linearising the classifier at each image",
    "occlusion": "by hiding one piece of the picture after the other",
    "grad-cam": "by gradients of {} maps (Grad-CAM)",
    "layer-cam": "by gradients at each place of {} maps (Layer-CAM)",
}


def explain(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGES...", help="Images, folders, patterns, tables; - for stdin.")
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="FILE", help="The model. [default: built in, 1000 classes]"),
    ] = None,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="DIR", help="The folder for pictures, tables and the page."),
    ] = "evidence",
    classes: Annotated[
        str | None,
        typer.Option("--classes", metavar="A,B", help="The classes to explain. [default: the most probable]"),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", "-k", metavar="K", min=1, help="How many of the most probable classes.")
    ] = 1,
    examples: Annotated[
        str | None,
        typer.Option(
            "--examples", metavar="DATA", help="Labelled images: show which of them are most like each image."
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME",
            help="auto, views or places (quick), linear, occlusion; with PyTorch grad-cam, layer-cam.",
        ),
    ] = "auto",
    layers: Annotated[
        str | None,
        typer.Option(
            "--layers",
            metavar="N,N",
            help="With grad-cam and layer-cam: which layers, as cnn show counts them.",
        ),
    ] = None,
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

    Writes each image with the evidence in colour and boxes round it, boxes.csv, and evidence.html with all of it. A
    box says where a classifier finds what speaks for the class; it is no detector, which would learn from boxes that
    people have drawn. Images that cannot be read are listed on stderr and the others done all the same.

    Examples:
      genus explain cat.jpg
      genus explain -m flowers.onnx new/ -o evidence/
      genus explain -m flowers.onnx photo.jpg --examples flowers/
      genus explain -m flowers.onnx new/ --top 2 --arrays --method views
      genus explain -m flowers.onnx new/ --classes daisy --json
    """
    console = Console(quiet)
    folder = empty_folder(output, force=force)
    sources = find_images(images)

    from genus.data.read import read_dataset
    from genus.explain.explainer import Explainer
    from genus.predictor import built_in, load

    runtime = make_runtime(engine=engine, max_pixels=max_pixels)
    predictor = built_in(runtime) if model is None else load(model, runtime)
    explainer = Explainer(
        predictor.model, method=method, layers=_numbers(layers), runtime=runtime, n_images=len(sources)
    )
    wanted = None if classes is None else list(dict.fromkeys(name.strip() for name in classes.split(",")))
    explainer.check_classes(wanted)
    data = None if examples is None else read_dataset(examples)
    near = None if data is None else explainer.examples(sources, data, progress=console)
    is_new = not folder.exists()
    make_folder(folder)
    work = _Work(explainer, folder, model or "built in", arrays, data.origin if data else "")
    with console.task("explaining", total=len(sources), unit="images") as task:
        for number, source in enumerate(sources):
            try:
                found = explainer.explain(source, classes=wanted, top=top)
                work.keep(found, source, number, () if near is None else near[number])
            except ImageError as error:
                work.skipped.append(error)
                if len(sources) > 1:
                    console.say(f"Skipped {error}")
            task.advance()
    if not work.rows:
        if is_new:
            folder.rmdir()  # nothing was written
        first = work.skipped[0]
        raise first if len(work.skipped) == 1 else DataError(f"none of the images can be read: {first}")
    work.finish()
    _tell(work, json=json)


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ParameterError(f"--layers {text}: give numbers with commas between, such as 62,64.") from error


class _Work:
    """What was explained so far, and what was written of it."""

    def __init__(
        self, explainer: "Explainer", folder: Path, model: str, arrays: bool, examples_of: str
    ) -> None:
        self.explainer, self.folder, self.model, self.arrays = explainer, folder, model, arrays
        self.examples_of = examples_of
        self.rows: list[dict[str, Any]] = []
        self.skipped: list[ImageError] = []
        self.page = folder / "evidence.html"
        self._shown: list[ShownImage] = []
        self._n_images = 0

    def keep(
        self,
        found: "tuple[Explanation, ...]",
        source: "ImageSource",
        number: int,
        near: "tuple[Example, ...]",
    ) -> None:
        """Write what was found in one image."""
        import cv2
        import numpy as np

        from genus.images.decode import decode
        from genus.report.evidence import MAX_IMAGES, shown_image

        picture = decode(source, None, self.explainer.runtime.limits).pixels
        side = max(picture.shape[:2])
        scale = min(_MOST, max(_LEAST, side)) / side
        size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        shown = np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
        for one, stem in zip(found, self._stems(found, source, number), strict=True):
            drawn = one.overlay(shown, with_boxes=True)
            write_file(self.folder / f"{stem}.png", cv2.imencode(".png", drawn[:, :, ::-1])[1].tobytes())
            if self.arrays:
                with atomic_write(self.folder / f"{stem}.npy") as file:
                    np.save(file, one.evidence, allow_pickle=False)
            row = {**one.to_dict(), "picture": str(self.folder / f"{stem}.png")}
            if self.examples_of:
                row["examples"] = [example.to_dict() for example in near]
            self.rows.append(row)
        self._n_images += 1
        if len(self._shown) < MAX_IMAGES:
            self._shown.append(shown_image(found, shown, near))

    def finish(self) -> None:
        """Write the table and the page."""
        from genus.report.evidence import write_evidence

        _write_table(self.folder / "boxes.csv", self.rows)
        write_evidence(
            self.page,
            self._shown,
            model=self.model,
            way=f"The evidence was found {_way(self.explainer)}.",
            n_more=self._n_images - len(self._shown),
            n_skipped=len(self.skipped),
            examples_of=self.examples_of,
        )

    def _stems(self, found: "tuple[Explanation, ...]", source: "ImageSource", number: int) -> Iterator[str]:
        from genus.cli.sorting import folder_name

        for one in found:
            yield f"{number:04d}-{folder_name(Path(source.name).stem)}-{folder_name(one.label)}"


def _way(explainer: "Explainer") -> str:
    """Say how the evidence was found."""
    layers = explainer.layers_
    whose = "the last layer's" if layers is None else f"layer {' and '.join(map(str, layers))}'s"
    hides_only = explainer.method_ == "combined" and not explainer.looks_
    return _WAYS["hidden" if hides_only else explainer.method_].format(whose)


def _write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    from io import StringIO

    text = StringIO()
    table = csvlib.DictWriter(text, _COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    for row in rows:
        about = {key: value for key, value in row.items() if key in _COLUMNS}
        table.writerows({**about, **box} for box in row["boxes"] or [{}])
    write_file(path, text.getvalue().encode("utf-8", "surrogateescape"))


def _tell(work: _Work, *, json: bool) -> None:
    if json:
        left_out = [{"source": error.source, "reason": error.reason} for error in work.skipped]
        found = {"model": work.model, "output": str(work.folder), "page": str(work.page)}
        print_json({**found, "explained": work.rows, "skipped": left_out})
        return
    for row in work.rows:
        inside = count(len(row["boxes"]), "box", "boxes") if row["boxes"] else "no place speaks for it"
        print_line(f"{row['image']}: {row['label']} {row['probability']:.1%}, {inside}")
        for example in row.get("examples", ()):
            print_line(f"  like {example['image']}: {example['label']}, distance {example['distance']:.2f}")
    facts = [
        ("Found", _way(work.explainer)),
        ("Written to", str(work.folder)),
        ("Page", str(work.page)),
    ]
    print(*aligned(facts, indent=""), sep="\n")
    sys.stdout.flush()
