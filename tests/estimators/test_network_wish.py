"""What is wanted of a network, and what cannot be had: said before any feature is computed."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from estimators.networks import beside, pictures, small
from genus.errors import EngineError, MissingExtraError, OutputError, ParameterError
from genus.estimators import learned
from genus.estimators.classifier import ImageClassifier
from genus.estimators.network_options import NetworkOptions
from genus.estimators.network_plan import (
    Material,
    NetworkPlan,
    check_network,
    deeper_recipe,
    plan_network,
    recipe_to_go_on,
)

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="PyTorch, the extra cnn, is not installed")


@pytest.fixture
def no_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever computes features is too late."""

    def extract(*arguments: object, **options: object) -> None:
        raise AssertionError("features were computed first")

    monkeypatch.setattr(learned, "extract", extract)


@pytest.mark.usefixtures("no_features")
class TestRefusals:
    def test_without_pytorch_the_extra_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else find(name, *rest)
        )
        with pytest.raises(MissingExtraError, match=r'needs the extra \'cnn\': pip install "genus\[cnn\]"'):
            beside({}, small()).fit(*pictures())

    @needs_torch
    @pytest.mark.parametrize(
        ("wish", "words"),
        [
            (NetworkOptions("resnet19"), "no network named 'resnet19'. Did you mean 'resnet1"),
            (NetworkOptions("finetun"), "Did you mean 'finetune'"),
            (NetworkOptions("vgg16"), "no network named 'vgg16'. There are: finetune, scratch, textbook"),
            (NetworkOptions("conv8-pol-gap"), "'pol' .word 2. is no layer"),
            (
                NetworkOptions("-".join(["conv4-pool"] * 6) + "-gap", size=16),
                "the map is 1 wide where 'pool' .layer 10. shrinks it to nothing. Take larger pictures",
            ),
            (NetworkOptions("scratch", size=8), "pictures of 8 pixels cannot be used; it takes 16 to 1024"),
            (
                NetworkOptions("finetune", size=16),
                "pictures of 16 pixels cannot be used; it takes 32 to 1024",
            ),
            (NetworkOptions(size=0), "pictures of 0 pixels cannot be used"),
            (NetworkOptions("resnet10", depth="last"), "only of EfficientNet-Lite the last blocks"),
            (NetworkOptions("resnet10", epochs=0), "epochs must be from 1 to 10000, not 0"),
            (NetworkOptions("resnet10", learning_rate=0.0), "the learning rate must be above 0"),
            (NetworkOptions("speedrun", batch_size=-5), "batch_size must be from 1 to 65536, not -5"),
            (
                NetworkOptions("textbook", recipe={"first_side": 0.5}),
                "textbook does not take pictures of 16 pixels, which it was to see on the way to 32",
            ),
            (
                NetworkOptions(recipe={"first_side": 0.5}, device="cpu"),
                "efficientnet-lite2: its pictures cannot grow",
            ),
            (
                NetworkOptions("resnet10", recipe={"first_side": 0}),
                "first_side must be from 0.25 to 1, not 0",
            ),
            (NetworkOptions("resnet10", augment="standart"), "no augmentation is called 'standart'"),
            (NetworkOptions("resnet10", device="tpu"), "device must be one of auto, cpu, cuda, mps"),
            (NetworkOptions("resnet10", precision="fp8"), "precision must be auto, float32 or bf16"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_cannot_work_is_said_at_once(self, wish: NetworkOptions, words: str) -> None:
        with pytest.raises(ParameterError, match=words):
            beside({}, wish).fit(*pictures())

    @needs_torch
    def test_a_device_that_is_not_here(self) -> None:
        torch = pytest.importorskip("torch")
        if torch.cuda.device_count() > 7:
            pytest.skip("there are that many cards")
        with pytest.raises(EngineError, match=r"PyTorch finds|there is no cuda:7"):
            beside({}, small(device="cuda:7")).fit(*pictures())

    @needs_torch
    def test_a_checkpoint_that_cannot_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match=r"no-such-folder.*cannot write: its folder does not exist"):
            beside({}, small(checkpoint=tmp_path / "no-such-folder" / "x")).fit(*pictures())

    @pytest.mark.parametrize("wish", [5, ["resnet18"], {"network": "resnet18"}])
    def test_something_else_than_a_network(self, wish: Any) -> None:
        with pytest.raises(ParameterError, match="expected the name of a network, NetworkOptions"):
            ImageClassifier("fast", cnn=wish).fit(*pictures())

    @pytest.mark.parametrize(
        "wrong", [{"size": "32"}, {"epochs": 2.5}, {"batch_size": True}, {"patience": "x"}, {"recipe": [1]}]
    )
    def test_a_value_of_the_wrong_kind(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ParameterError, match=f"{next(iter(wrong))} must be a"):
            NetworkOptions(**wrong)

    def test_an_unknown_depth(self) -> None:
        with pytest.raises(ParameterError, match="depth must be one of auto, last, all"):
            NetworkOptions(depth="deep")


def planned(
    wish: NetworkOptions, n_images: int = 1000, side: float = 300.0, frozen_side: int = 260, **where: bool
) -> NetworkPlan:
    material = Material(n_images, 10, side, frozen_side)
    return plan_network(wish, material, **{"on_processor": True, **where})


@needs_torch
class TestPlan:
    """What is left open follows from the images."""

    @pytest.mark.parametrize(
        ("side", "n_images", "network", "size"),
        [
            (28, 60_000, "speedrun", 32),
            (28, 500, "textbook:conv32-norm-pool-conv64-norm-pool-flatten-drop0.3-dense128", 32),
            (64, 500, "resnet10", 64),
            (375, 500, "resnet10", 128),
        ],
    )
    def test_from_nothing_small_pictures_need_small_networks(
        self, side: float, n_images: int, network: str, size: int
    ) -> None:
        plan = planned(NetworkOptions("scratch"), n_images, side)
        assert (plan.network, plan.size, plan.how) == (network, size, "trained from scratch")

    def test_few_images_are_learned_in_small_batches(self) -> None:
        sizes = [planned(NetworkOptions("resnet10"), n).recipe.batch_size for n in (100, 1000, 10_000)]
        assert sizes[0] <= sizes[1] < sizes[2] == 64

    @pytest.mark.parametrize(
        ("n_images", "on_processor", "batch_size", "epochs"),
        [(50_000, True, 256, 24), (50_000, False, 1024, 20), (5_000, True, 64, 44), (5_000, False, 64, 30)],
    )
    def test_the_speed_run_has_larger_batches_on_a_card(
        self, n_images: int, on_processor: bool, batch_size: int, epochs: int
    ) -> None:
        recipe = planned(NetworkOptions("speedrun"), n_images, 32.0, on_processor=on_processor).recipe
        assert (recipe.batch_size, recipe.epochs) == (batch_size, epochs)
        assert recipe.learning_rate == pytest.approx(1.5 * batch_size / 1024)
        assert recipe.first_side == (0.625 if on_processor else 1.0)

    @pytest.mark.parametrize("wish", [NetworkOptions("speedrun", 16), NetworkOptions("speedrun:8-16-16-16")])
    def test_pictures_do_not_begin_smaller_than_the_network_takes_them(self, wish: NetworkOptions) -> None:
        assert planned(wish, 50_000, 32.0).recipe.first_side == 1.0

    def test_what_goes_on_sees_whole_pictures(self) -> None:
        recipe = planned(NetworkOptions("speedrun"), 50_000, 32.0).recipe
        assert recipe_to_go_on(recipe, 10).first_side == deeper_recipe(recipe).first_side == 1.0
        assert recipe_to_go_on(recipe, 10).epochs == 2, "as much work as three epochs of pictures that grow"

    @needs_torch
    def test_a_network_that_is_still_to_be_chosen_may_grow(self) -> None:
        check_network(NetworkOptions("scratch", recipe={"first_side": 0.5}), 10)

    def test_the_learning_rate_of_the_speed_run_suits_the_batches_that_are_wanted(self) -> None:
        for wish in ({"batch_size": 128}, {"recipe": {"batch_size": 128}}):
            recipe = planned(NetworkOptions("speedrun", **wish), 50_000, on_processor=False).recipe
            assert (recipe.batch_size, recipe.learning_rate) == (128, pytest.approx(1.5 / 8))
        wish = NetworkOptions("speedrun", batch_size=4096)
        assert planned(wish, 50_000, on_processor=False).recipe.learning_rate == 1.5

    @pytest.mark.parametrize(
        ("depth", "on_processor", "last"),
        [("auto", True, True), ("auto", False, False), ("last", False, True), ("all", True, True)],
    )
    def test_how_deep_a_network_is_fine_tuned(self, depth: str, on_processor: bool, last: bool) -> None:
        plan = planned(NetworkOptions(depth=depth), on_processor=on_processor)
        assert (plan.network, plan.size) == ("efficientnet-lite2", 260)
        assert (plan.n_blocks is not None) == (plan.n_views > 0) == last
        assert plan.how == ("fine-tuned, its last blocks" if last else "fine-tuned")

    @pytest.mark.parametrize(
        ("frozen_side", "network", "size"),
        [(320, "lite2", 260), (260, "lite2", 260), (224, "lite0", 224), (32, "lite0", 224)],
    )
    def test_it_is_the_largest_network_that_can_share_the_frozen_networks_picture(
        self, frozen_side: int, network: str, size: int
    ) -> None:
        plan = planned(NetworkOptions(), frozen_side=frozen_side)
        assert (plan.network, plan.size) == (f"efficientnet-{network}", size)

    def test_of_very_many_images_there_are_fewer_views(self) -> None:
        views = [planned(NetworkOptions(), n).n_views for n in (1000, 150_000, 10_000_000)]
        assert views[0] == 8 > views[1] > views[2] == 1

    @pytest.mark.parametrize(("augment", "n"), [("none", 1), ("none,mirror=random", 1), ("light", 8)])
    def test_where_nothing_is_done_to_the_images_one_view_is_enough(self, augment: str, n: int) -> None:
        assert planned(NetworkOptions(augment=augment)).n_views == n

    def test_what_is_wished_for_is_done(self) -> None:
        wish = NetworkOptions(
            "resnet18", 48, 7, 24, 0.05, "light", patience=2, recipe={"optimizer": "sgd", "epochs": 9}
        )
        plan = planned(wish)
        recipe = plan.recipe
        assert (recipe.optimizer, recipe.patience) == ("sgd", 2)
        assert (plan.network, plan.size) == ("resnet18", 48)
        assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (7, 24, 0.05)
        assert recipe.augmentation.crop is not None

    def test_the_augmentation_of_a_recipe_may_be_a_name(self) -> None:
        by_name = planned(NetworkOptions(recipe={"augmentation": "light"})).recipe.augmentation
        assert by_name == planned(NetworkOptions(augment="light")).recipe.augmentation

    def test_a_recipe_that_nobody_knows_is_refused(self) -> None:
        with pytest.raises(ParameterError, match="a recipe knows no speed"):
            planned(NetworkOptions("resnet10", recipe={"speed": 3}))

    @pytest.mark.parametrize(("depth", "then"), [("last", "never"), ("auto", "time"), ("all", "always")])
    def test_on_a_processor_all_of_a_network_comes_after_its_last_blocks(self, depth: str, then: str) -> None:
        assert planned(NetworkOptions(depth=depth)).then_all == then

    def test_it_is_written_as_plain_values(self) -> None:
        import json

        values = planned(NetworkOptions("resnet10")).to_dict()
        assert json.loads(json.dumps(values))["recipe"]["epochs"] == 30


@needs_torch
def test_a_dry_run_tells_network_time_and_place() -> None:
    X, y = pictures()
    plan = beside({"features": "thumbnail@32"}, small()).plan(X, y)
    assert plan.network is not None
    assert plan.network["network"].startswith("textbook:conv8") and plan.network["size"] == 16
    assert plan.network["device"] == "cpu, float32" and plan.network["recipe"]["epochs"] == 8
    assert {"network", "network, again"} <= set(plan.seconds) and plan.seconds["total"] > 0
    assert plan.seconds["total"] == pytest.approx(sum(plan.seconds.values()) / 2, abs=0.3)
    once = beside({"features": "thumbnail@32"}, small(), refit=False).plan(X, y)
    assert "network, again" not in once.seconds
    assert "network" in plan.to_dict() and "network" not in ImageClassifier("fast").plan(X, y).to_dict()


@needs_torch
def test_a_dry_run_of_fine_tuning_times_the_frozen_beginning_too() -> None:
    X, y = pictures()
    plan = beside({"features": "thumbnail@32"}, NetworkOptions(size=32, epochs=1, device="cpu")).plan(X, y)
    assert plan.network is not None and plan.network["how"] == "fine-tuned, its last blocks"
    assert plan.seconds["network"] > 0


@needs_torch
def test_a_handful_of_images_is_planned_without_a_network() -> None:
    X, y = pictures(30)
    assert beside({"features": "thumbnail@32"}, small()).plan(X, y).network is None


def test_the_wish_for_a_network_may_be_a_name() -> None:
    assert NetworkOptions.of("resnet18") == NetworkOptions("resnet18")
    assert NetworkOptions.of(None) is None
    assert NetworkOptions.of(small()) == small()
