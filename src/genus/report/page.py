"""Render a report as one self-contained HTML page."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from os import PathLike
from typing import TYPE_CHECKING, Any

from genus.files import write_text
from genus.report import words
from genus.report.calibration import calibration_view
from genus.report.charts import Scale, hundred_dots, reliability_plot, risk_plot
from genus.report.content import ReportContent
from genus.report.curve_chart import curve_plot
from genus.report.label_content import LabelReportContent
from genus.report.label_views import (
    curve_data,
    curves_view,
    found_dots,
    label_counts,
    label_pictures,
    label_scores,
    labels_view,
    together_view,
)
from genus.report.network import network_view
from genus.report.taxa import taxa_view
from genus.report.training_words import more_images
from genus.report.views import (
    MAX_SKIPPED,
    classes_view,
    confusion_view,
    counts_view,
    leaders,
    page_data,
    pictures_view,
    scores,
)
from genus.wording import count

if TYPE_CHECKING:
    from jinja2 import Environment

# What HTML forbids, and lone surrogates: undecodable bytes of file names, which UTF-8 cannot hold.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def render_report(content: ReportContent | LabelReportContent) -> str:
    """Render a report as one HTML page that holds all it shows and asks nothing of any network.

    Parameters
    ----------
    content : ReportContent or LabelReportContent
        What to show. Names of files and classes may hold anything; they are shown as text.

    Returns
    -------
    str

    Raises
    ------
    ParameterError
        A thumbnail is not a data URI.

    Examples
    --------
    >>> from genus.metrics.evaluate import evaluate
    >>> evaluation = evaluate([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], ["cat", "dog"])
    >>> page = render_report(ReportContent(title="pets", evaluation=evaluation))
    >>> page[:15], "Right on 2 of 3 test images." in page
    ('<!doctype html>', True)
    """
    if isinstance(content, LabelReportContent):
        return _render_labels(content)
    evaluation = content.evaluation
    figure = evaluation.accuracy
    calibration = calibration_view(content.calibration, several=False)
    pictures = pictures_view(content.predictions, evaluation.classes)
    values = {
        "content": content,
        "evaluation": evaluation,
        "sets_finding": words.enough_names(content.coverages),
        "surest_finding": words.surest(content.surest),
        "risk": None if content.surest is None else risk_plot(content.surest),
        "taxa": taxa_view(content.taxa),
        "more_finding": more_images(content.learning_curve),
        "curve": None if content.learning_curve is None else curve_plot(content.learning_curve),
        "headline": words.headline(evaluation),
        "dots": hundred_dots(figure.value, figure.low or 0.0, 1.0 if figure.high is None else figure.high)
        if evaluation.n
        else (),
        "scores": scores(evaluation),
        "leaders": leaders(content.leaderboard),
        "network": network_view(content.network),
        "confusion": confusion_view(evaluation),
        "pictures": pictures,
        "classes": classes_view(evaluation),
        "trust": words.trust(evaluation) if evaluation.n else "",
        "calibration": calibration,
        "reliability": reliability_plot(evaluation.reliability, before=calibration.before)
        if evaluation.n
        else None,
        "counts": counts_view(content),
        "notes": (*content.notes, *evaluation.notes),
        "skipped": content.skipped[:MAX_SKIPPED],
        "data": page_data(content, pictures),
        "unit": Scale(0.0, 1.0),
    }
    return render_page("classifier.html", values)


def _render_labels(content: LabelReportContent) -> str:
    evaluation = content.evaluation
    curves = curves_view(evaluation)
    calibration = calibration_view(content.calibration, several=True)
    values = {
        "content": content,
        "evaluation": evaluation,
        "headline": words.label_headline(evaluation),
        "dots": found_dots(evaluation),
        "scores": label_scores(evaluation),
        "leaders": leaders(content.leaderboard),
        "network": network_view(content.network),
        "labels": labels_view(evaluation),
        "curves": curves,
        "n_without_curve": len(evaluation.classes) - len(curves),
        "together": together_view(evaluation),
        "pictures": label_pictures(content),
        "trust": words.label_trust(evaluation),
        "calibration": calibration,
        "reliability": reliability_plot(evaluation.reliability, before=calibration.before),
        "sets_finding": words.enough_labels(content.coverages),
        "counts": label_counts(content),
        "notes": (*content.notes, *evaluation.notes),
        "skipped": content.skipped[:MAX_SKIPPED],
        "data": {"curves": curve_data(curves, evaluation)},
        "unit": Scale(0.0, 1.0),
    }
    return render_page("labels.html", values, scripts=("page.js", "labels.js"))


def write_report(content: ReportContent | LabelReportContent, path: str | PathLike[str]) -> None:
    """Render a report and write it, whole or not at all.

    Parameters
    ----------
    content : ReportContent
        See `render_report`.
    path : path
        The file; an older one is replaced.

    Raises
    ------
    OutputError
        It cannot be written.
    ParameterError
        A thumbnail is not a data URI.
    """
    write_text(path, render_report(content))


def render_page(template: str, values: Mapping[str, Any], *, scripts: Sequence[str] = ("page.js",)) -> str:
    """Render one of the templates; every page kind goes through here.

    Parameters
    ----------
    template : str
        Its file name; it extends `base.html`.
    values : mapping of str to object
        What the template names.
    scripts : sequence of str
        The scripts that the page runs, one after the other.

    Returns
    -------
    str
        HTML without characters that HTML or UTF-8 forbid.
    """
    from markupsafe import Markup

    environment = _environment()
    script = Markup("\n").join(_source(environment, name) for name in scripts)
    page = environment.get_template(template).render(
        style=_source(environment, "page.css"), script=script, script_hash=_hash(script), **values
    )
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", page)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("genus.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for filter_ in (words.percent, words.span, count, words.duration, words.rate):
        environment.filters[filter_.__name__] = filter_
    return environment


def _source(environment: "Environment", name: str) -> Any:
    """Return a style sheet or script of ours, which needs no escaping."""
    from markupsafe import Markup

    if environment.loader is None:
        return Markup("")
    return Markup(environment.loader.get_source(environment, name)[0].strip())


def _hash(script: str) -> str:
    """Return what a content security policy calls the script: only this one may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
