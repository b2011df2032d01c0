"""The section about a network: whether it was worth it, in one sentence, and how it learned, in curves."""

import re
from dataclasses import replace
from typing import Any

import pytest

from genus.cnn.augmentation import PRESETS
from genus.cnn.history import Epoch, History
from genus.cnn.recipe import Recipe
from genus.estimators.network_result import Contestant, NetworkResult
from genus.report.candidate_words import candidate_name
from genus.report.network import elsewhere, network_facts, network_finding, network_view
from genus.report.network_chart import EpochPlot, loss_plot, score_plot
from genus.report.page import render_report

from .content import HOSTILE, make_content
from .test_page import Page


def rows(n: int = 12, *, validated: bool = True) -> list[dict[str, Any]]:
    """Epochs of a training that goes well."""
    recipe = Recipe(epochs=n)
    epochs = tuple(
        Epoch(
            number,
            2.0 / number,
            recipe.rate(number / n),
            float(number),
            1.5 / number if validated else None,
            1 - 0.5 / number if validated else None,
        )
        for number in range(1, n + 1)
    )
    return History(epochs, "finished", n, 10, "cpu", 1.0).to_dict()["epochs"]


def result(n_epochs: int = 12, **changes: Any) -> NetworkResult:
    ways = (
        Contestant("frozen features", 0.931, 0.21),
        Contestant("network", 0.94, 0.19),
        Contestant("both", 0.955, 0.15, (0.35, 0.65)),
    )
    recipe = Recipe(epochs=n_epochs, augmentation=PRESETS["standard"])
    history = History((), "finished", n_epochs, 2_672_802, "cpu, float32", 40.0).to_dict()
    known: dict[str, Any] = {
        "name": "efficientnet-lite0",
        "how": "fine-tuned, its last blocks",
        "size": 224,
        "metric": "accuracy",
        "head": "rbf",
        "n_train": 1324,
        "n_validation": 331,
        "contestants": ways,
        "chosen": "both",
        "history": {**history, "epochs": rows(n_epochs)},
        "recipe": recipe.to_dict(),
        "n_views": 4,
        "seconds": 93.4,
        "images_per_second": 151.0,
    }
    return NetworkResult(**{**known, **changes})


def with_scores(*scores: float, losses: tuple[float, ...] = (0.3, 0.2, 0.1)) -> tuple[Contestant, ...]:
    names = ("frozen features", "network", "both")
    return tuple(Contestant(*each) for each in zip(names, scores, losses, strict=False))


class TestFinding:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            (
                {},
                "Of 331 images that neither had learned from, frozen features get 93.1% right, the network 94.0%, "
                "both together 95.5%; both together were taken.",
            ),
            (
                {"contestants": with_scores(0.97, 0.94), "chosen": "frozen features"},
                "Of 331 images that neither had learned from, frozen features get 97.0% right, the network 94.0%; "
                "the network was not worth it.",
            ),
            (
                {"contestants": with_scores(0.94, 0.943), "chosen": "frozen features", "n_validation": 1},
                "Of 1 image that neither had learned from, frozen features get 94.0% right, the network 94.3%; "
                "too close to tell apart, and the network was not worth it.",
            ),
            (
                {"metric": "macro_f1", "contestants": with_scores(0.7, 0.8), "chosen": "network"},
                "On 331 images that neither had learned from, the macro F1 of frozen features is 70.0%, that of the "
                "network 80.0%; the network was taken.",
            ),
            (
                {"metric": "log_loss", "contestants": with_scores(0.31, 0.2), "chosen": "network"},
                "On 331 images that neither had learned from, the log-loss of frozen features is 0.310, that of the "
                "network 0.200; the network was taken.",
            ),
        ],
        ids=["won", "lost", "close", "another metric", "a loss"],
    )
    def test_one_sentence_says_whether_it_was_worth_it(self, changes: dict[str, Any], said: str) -> None:
        assert network_finding(result(**changes)) == said

    def test_a_row_of_the_leaderboard_says_what_its_score_stands_on(self) -> None:
        assert elsewhere(result()) == "on 331 validation images, on which the frozen features have 93.1%"

    def test_rows_have_readable_names(self) -> None:
        params = {"network": "efficientnet-lite0", "size": 224}
        both = "network and frozen features together (efficientnet-lite0 at 224 pixels)"
        assert candidate_name("network and features", params) == both


class TestFacts:
    def test_they_say_what_was_trained_how_where_and_how_long(self) -> None:
        facts = {fact.label: fact.value for fact in network_facts(result())}
        assert facts == {
            "Network": "efficientnet-lite0 at 224 pixels",
            "How": "fine-tuned, its last blocks",
            "Learned from": "1,324 images, 4 views of each",
            "Numbers learned": "2,672,802",
            "Epochs": "12",
            "Batch": "64 images, AdamW",
            "Learning rate": "up to 0.001, one-cycle",
            "Device": "cpu, float32",
            "Time": "1 min 33 s",
            "Images/s": "150 by the finished network",
        }

    def test_pictures_that_grew_are_told_of(self) -> None:
        grown = result(recipe=Recipe(first_side=0.5).to_dict())
        facts = {fact.label: fact.value for fact in network_facts(grown)}
        assert facts["How"].endswith(", with pictures that grew from 50% of their sides")

    @pytest.mark.parametrize(
        ("stopped", "said"),
        [("time", "the time was over"), ("no better for a while", "no better"), ("not finite", "no number")],
    )
    def test_a_training_that_ended_early_says_why(self, stopped: str, said: str) -> None:
        early = result(5, recipe=Recipe(epochs=30).to_dict())
        history = {**early.history, "stopped": stopped}
        facts = {fact.label: fact.value for fact in network_facts(replace(early, history=history))}
        assert facts["Epochs"].startswith("5 of 30: ") and said in facts["Epochs"]


def points(plot: EpochPlot) -> list[tuple[float, float]]:
    found = [pair for line in plot.lines for pair in line.line.split()] + plot.rate.split()
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found)]


class TestCurves:
    @pytest.mark.parametrize("n", [1, 2, 12, 40, 41, 1000])
    def test_all_lies_within_the_frame(self, n: int) -> None:
        for plot in (loss_plot(rows(n), n), score_plot(rows(n), n, 0.9)):
            assert plot is not None
            assert all(0 <= x <= plot.width and 0 <= y <= plot.height for x, y in points(plot))
            assert all(0 <= tick.at <= plot.width for tick in plot.x_ticks)
            assert all(0 <= tick.at <= plot.height + 0.1 for tick in plot.y_ticks)
            assert 0 <= plot.taken <= plot.width
            assert 1 <= len(plot.x_ticks) <= 9 and len(points(plot)) <= 3 * 202

    def test_dots_say_their_numbers_where_there_is_room_for_them(self) -> None:
        training, validation = loss_plot(rows(3), 3).lines
        assert [dot.text for dot in training.dots][0] == "epoch 1: training loss 2.000"
        assert [dot.text for dot in validation.dots][-1] == "epoch 3: validation loss 0.500"
        assert not loss_plot(rows(41), 41).lines[0].dots

    def test_the_last_epoch_is_always_shown(self) -> None:
        line = loss_plot(rows(1001), 1001).lines[0].line.split()
        assert line[-1].startswith("320.0,") and len(line) <= 200

    def test_without_validation_images_there_is_one_curve(self) -> None:
        plot = loss_plot(rows(5, validated=False), 5)
        assert plot.lines[1].line == "" and plot.lines[0].line
        assert score_plot(rows(5, validated=False), 5, 0.9) is None

    def test_a_large_first_loss_is_no_obstacle(self) -> None:
        some = rows(4)
        some[0]["loss"] = 1e4
        plot = loss_plot(some, 4)
        assert all(0 <= y <= plot.height for _, y in points(plot)) and len(plot.y_ticks) < 110


class TestPage:
    @pytest.mark.parametrize("n_epochs", [1, 12, 300])
    def test_the_section_is_well_formed_and_complete(self, n_epochs: int) -> None:
        content = replace(make_content(), network=result(n_epochs))
        page = Page(render_report(content))
        assert {"id": "network", "aria-labelledby": "network-title"} in page.all("section")
        assert {"href": "#network"} in page.all("a")
        for said in ("both together were taken", "35% frozen features, 65% the network", "Crop", "chosen"):
            assert said in page.words
        text = render_report(content)
        assert len(re.findall(r'<g class="(?:training|validation)">', text)) == 3

    def test_the_epoch_that_was_taken_is_marked(self) -> None:
        taken = result(12)
        earlier = {**taken.history, "best": 7}
        text = render_report(replace(make_content(), network=replace(taken, history=earlier)))
        assert "epoch 7, whose weights were taken" in text
        assert text.count('class="taken"') == 2

    def test_where_the_loss_decides_there_is_no_second_chart(self) -> None:
        losing = result(metric="log_loss", contestants=with_scores(0.3, 0.2), chosen="network")
        view = network_view(losing)
        assert view is not None and view.scores is None
        assert render_report(replace(make_content(), network=losing)).count('class="taken"') == 1

    def test_where_nothing_was_done_to_the_images_the_page_says_so(self) -> None:
        plain = Recipe(augmentation=PRESETS["none"]).to_dict()
        text = render_report(replace(make_content(), network=result(recipe=plain)))
        assert "It saw the images as they are" in text

    def test_without_a_network_there_is_no_section(self) -> None:
        assert network_view(None) is None
        assert 'id="network"' not in render_report(make_content())

    def test_hostile_names_are_text(self) -> None:
        text = render_report(replace(make_content(), network=result(name=HOSTILE[0], head=HOSTILE[1])))
        assert len(Page(text).all("script")) == 2

    def test_a_score_on_other_images_is_marked(self) -> None:
        content = make_content()
        first = replace(content.leaderboard[0], elsewhere=True, note="on 331 validation images")
        text = render_report(replace(content, leaderboard=(first, *content.leaderboard[1:])))
        assert text.count("<sup>†</sup>") == 1 and "† on 331 validation images" in text


def test_what_a_file_says_of_a_network_is_read_back() -> None:
    import json

    assert NetworkResult.from_dict(json.loads(json.dumps(result().to_dict()))) == result()
