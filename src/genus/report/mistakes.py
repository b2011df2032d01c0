"""Where the evidence for wrong names was: pictures that stand beside the surest mistakes of a report."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from genus.errors import ImageError
from genus.explain.evidence import by_leaving_out, goes_by_map, log_odds
from genus.explain.explanation import Explanation
from genus.explain.head_graph import head_function, output_names
from genus.explain.hiding import by_pieces
from genus.features.runtime import Runtime
from genus.images.decode import decode
from genus.images.preprocess import resize
from genus.images.source import ImageSource, as_source
from genus.images.thumbnail import data_uri
from genus.judgement import EvaluationResult
from genus.model_file import ModelFile
from genus.report.content import ReportContent
from genus.report.label_content import LabelReportContent
from genus.report.views import FIRST_MISTAKES

Rows = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Scores = Callable[[Rows], Rows]

_SIZE = 136  # of a picture, in pixels, as the thumbnail beside it
_QUALITY = 72


def with_evidence(
    content: ReportContent | LabelReportContent,
    model: ModelFile,
    result: EvaluationResult,
    *,
    scores: Scores | None = None,
    sources: Mapping[str, ImageSource] | None = None,
    runtime: Runtime | None = None,
) -> ReportContent | LabelReportContent:
    """Return the same page with the evidence beside the mistakes that are shown first.

    Parameters
    ----------
    content : ReportContent or LabelReportContent
        Of an image that may have several labels, the evidence is that for the label it was surest about and wrong.
    model : ModelFile
        Whose network saw the images.
    result : EvaluationResult
        What was judged.
    scores : callable or None
        From features (n, d) to the scores (n, c) of the classifier that was judged, where that is not the file's.
    sources : mapping of str to ImageSource, or None
        The images by name; None takes names for paths.
    runtime : Runtime or None

    Notes
    -----
    The quickest way (`genus.explain.evidence.by_leaving_out`): one run of the network for each of at most ten images.
    Where the classifier does not go by the feature map, pieces of the pictures are hidden instead: 37 runs for each.
    """
    if "feature_map" not in output_names(model):
        return content
    score = scores or head_function(model)
    if score is None:
        return content
    wrong = sorted((row for row in content.predictions if not row.is_right), key=lambda row: -row.confidence)
    wanted = {row.name: result.classes.index(row.explained) for row in wrong[:FIRST_MISTAKES]}
    found = _pictures(model, wanted, score, sources, runtime or Runtime())
    rows = (replace(row, evidence=found.get(row.name)) for row in content.predictions)
    return replace(content, predictions=tuple(rows))


def _pictures(
    model: ModelFile,
    wanted: Mapping[str, int],
    score: Scores,
    sources: Mapping[str, ImageSource] | None,
    runtime: Runtime,
) -> dict[str, str]:
    """Return the evidence for a class in each image, by the image's name, as data URIs."""
    seen: dict[str, tuple[Pixels, tuple[int, int]]] = {}
    for name in wanted:
        try:
            source = sources[name] if sources is not None else as_source(name)
            whole = decode(source, model.preprocess.at_least, runtime.limits)
            seen[name] = whole.pixels, (whole.info.height, whole.info.width)
        except (ImageError, KeyError):
            continue  # the page then shows the name alone
    if not seen:
        return {}
    pixels = np.stack([model.preprocess.apply(picture) for picture, _ in seen.values()])
    run = model.open(engine=runtime.engine, outputs=("embedding", "feature_map"))
    found = run(pixels)
    embedding, feature_map = found["embedding"], found["feature_map"]
    looks = goes_by_map(score, embedding, feature_map)

    def log_odds_of(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return log_odds(score(rows), several=model.multilabel)

    pictures = {}
    for i, (name, (picture, size)) in enumerate(seen.items()):
        codes = np.array([wanted[name]])
        if looks:
            way, (evidence,) = "places", by_leaving_out(log_odds_of, embedding[i], feature_map[i], codes)
        else:
            way = "occlusion"
            (evidence,) = by_pieces(lambda parts: log_odds_of(run(parts)["embedding"]), pixels[i], codes)
        about = Explanation(
            name, model.classes[codes[0]], 0.0, evidence, way, size, model.preprocess.region(*size)
        )
        pictures[name] = _data_uri(about.overlay(_small(picture)))
    return pictures


def _small(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    scale = min(1.0, _SIZE / max(height, width))
    return resize(picture, max(1, round(height * scale)), max(1, round(width * scale)))


def _data_uri(picture: Pixels) -> str:
    quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    return data_uri(cv2.imencode(".jpg", picture[:, :, ::-1], quality)[1].tobytes())
