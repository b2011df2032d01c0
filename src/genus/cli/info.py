"""`genus info`: what is inside a model file."""

import json as jsonlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genus.cli.options import Json
from genus.cli.output import aligned, print_json, print_line, size_text
from genus.wording import count

if TYPE_CHECKING:
    from genus.model_file import ModelFile

_MAX_CLASSES = 30


def info(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An .onnx file that genus train wrote.")],
    json: Json = False,
) -> None:
    """Show what is inside a model file.

    Classes, how an image is prepared, what is computed from it, the honest figures, and where it comes from: data,
    seed, versions, command. Nothing in the file is run.

    Examples:
      genus info flowers.onnx
      genus info flowers.onnx --json
    """
    from genus.model_file import read_model_file

    found = read_model_file(model)
    if json:
        print_json(found.to_dict())
        return
    print_line(f"{model} ({size_text(len(found.data))})")
    print(*aligned(_facts(found), indent=""), sep="\n")
    _print_figures(found)


def _facts(found: "ModelFile") -> list[tuple[str, str]]:
    from genus.features.feature_set import FeatureSet

    details = found.details
    features = FeatureSet.from_dict(dict(found.features))
    known: Mapping[str, Any] = details.get("provenance", {})
    head: Mapping[str, Any] = details.get("head", {})
    split: Mapping[str, Any] = known.get("split", {})
    facts: list[tuple[str, object]] = [
        (f"{'Labels' if found.multilabel else 'Classes'} ({len(found.classes):,})", _listed(found.classes)),
        ("Features", f"{features.name}, {features.precision}"),
        ("Input", _input(found)),
        ("Classifier", _classifier(head)),
        ("Network", _network(details)),
        ("Calibration", _calibration(found)),
        ("Named from", _thresholds(found)),
        ("Stored examples", head.get("n_stored_examples") or None),
        ("Weights", known.get("weights")),
        ("Trained on", _trained_on(known, split)),
        ("Data hash", known.get("data_hash")),
        ("Command", known.get("command")),
        ("Seed", known.get("random_state")),
        ("Made", _made(known)),
    ]
    return [(label, str(value)) for label, value in facts if value not in (None, "")]


def _listed(classes: tuple[str, ...]) -> str:
    shown = ", ".join(classes[:_MAX_CLASSES])
    return shown if len(classes) <= _MAX_CLASSES else f"{shown} ... (--json lists all)"


def _thresholds(found: "ModelFile") -> str:
    """Say from which probability on each label is named, where there may be several."""
    if not found.multilabel:
        return ""
    from genus.metrics.thresholds import Thresholds

    tuned = Thresholds.from_dict(found.details["thresholds"], found.classes)
    pairs = list(zip(tuned.names, tuned.values, strict=True))[:_MAX_CLASSES]
    shown = ", ".join(f"{name} {value:.0%}" for name, value in pairs)
    return f"{shown}{' ...' if len(tuned.names) > _MAX_CLASSES else ''} (tuned for {tuned.aim})"


def _calibration(found: "ModelFile") -> str:
    """Say how scores become probabilities, and what that changed in cross-validation."""
    from genus.report.words import CALIBRATIONS, percent

    known: Mapping[str, Any] = found.details.get("calibration", {})
    way = CALIBRATIONS.get(str(known.get("method")), "").format(kind="label" if found.multilabel else "class")
    before, after = known.get("ece_before"), known.get("ece_after")
    if not way or before is None or after is None:
        return way
    return f"{way}: error {percent(after, 1)} in cross-validation, {percent(before, 1)} without"


def _input(found: "ModelFile") -> str:
    values = jsonlib.loads(found.preprocess.to_json())
    return f"{values['width']} x {values['height']} pixels, RGB, {values['fit']}"


def _classifier(head: Mapping[str, Any]) -> str:
    name, known = str(head.get("name", "")), head.get("params", {})
    if "network" in known:
        from genus.report.candidate_words import candidate_name

        return candidate_name(name, known)
    params = ", ".join(f"{key} {value}" for key, value in known.items())
    return f"{name} ({params})" if params else name


def _network(details: Mapping[str, Any]) -> str:
    """Say what became of a network, where one was trained: what it is, and whether it was worth it."""
    if "network" not in details:
        return ""
    from genus.estimators.network_result import NetworkResult
    from genus.report.candidate_words import network_title
    from genus.report.network import network_finding

    result = NetworkResult.from_dict(details["network"])
    return f"{network_title(result.name, result.size)}, {result.how}. {network_finding(result)}"


def _trained_on(known: Mapping[str, Any], split: Mapping[str, Any]) -> str:
    if "data" not in known:
        return ""
    judged = f", judged on {split['n_test']:,} ({split['kind']})" if "n_test" in split else ""
    refit = ", then refitted on all" if known.get("refit_on_all") else ""
    return f"{known['data']}: {count(known.get('n_images', 0), 'image')}{judged}{refit}"


def _made(known: Mapping[str, Any]) -> str:
    return f"{known['created']} by Genus {known.get('genus', '?')}" if "created" in known else ""


def _print_figures(found: "ModelFile") -> None:
    if "metrics" not in found.details:
        return
    from genus.cli.training import print_headline
    from genus.metrics.evaluation import Evaluation
    from genus.metrics.label_evaluation import LabelEvaluation

    print_line()
    kind = LabelEvaluation if found.multilabel else Evaluation
    print_headline(kind.from_dict(found.details["metrics"]))
