"""CIFAR-10 from nothing: the speed-run network as Genus trains it, and others beside it; parts of `cnn.py`.

scratch: accuracy against wall time, in `--minutes` at most, and how many images a second the network sees, where they
grow in the training, and of whole ones; in the same run the same network in plain float32 eager mode, on whole ones, as
most scripts train it.

tutorial: the network of PyTorch's first tutorial, in a plain PyTorch loop.

card: on a graphics card, seconds of training and accuracy, a run for each of `--seeds`; with `--airbench` beside the
published script of the speed run, on the same pictures: those of the shared data are JPEG files, and not the originals.
"""

import importlib.util
import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from genus.cnn.augment import Augmenter
from genus.cnn.devices import Place
from genus.cnn.inference import logits_of_network
from genus.cnn.lesson import Circumstances, Lesson
from genus.cnn.networks import make_network
from genus.cnn.pixels import PixelStore, store_pixels
from genus.cnn.recipe import Recipe
from genus.cnn.training import train_network
from genus.cnn.training_examples import PixelExamples, Rows
from genus.data.read import read_dataset
from genus.estimators.network_plan import suitable_recipe
from genus.images.preprocess import Preprocess
from real_sets import data_folder

NETWORK = "speedrun"
NAIVE_STEPS, WHOLE_STEPS = 8, 12
N_PREPARE = 2000  # pictures that its first layer is made of
N_LOOK = 1000  # test images that are looked at after each epoch; at the end it is all of them


@dataclass(frozen=True)
class Cifar:
    store: PixelStore
    y: np.ndarray
    train: Rows
    test: Rows
    seconds: float


def cifar(*, quick: bool) -> Cifar:
    data = read_dataset(data_folder() / "cifar10.parquet").labelled()
    splits = np.asarray(data.splits)
    keep = np.arange(len(data))
    if quick:
        keep = np.sort(np.random.default_rng(0).permutation(len(data))[:3000])
    data, splits = data.take(keep), splits[keep]
    start = time.perf_counter()
    store = store_pixels(data.sources, Preprocess(32, 32))
    y = np.searchsorted(sorted(data.classes), np.asarray(data.labels))
    seconds = time.perf_counter() - start
    print(f"CIFAR-10, {len(data):,} images; to decode them once took {seconds:.0f} s.\n")
    return Cifar(store, y, np.flatnonzero(splits == "train"), np.flatnonzero(splits == "test"), seconds)


def recipe_here(data: Cifar, place: Place, *, quick: bool) -> Recipe:
    """Return what `genus train --cnn speedrun` would take."""
    recipe = suitable_recipe(NETWORK, len(data.train), 32, on_processor=place.device.type == "cpu")
    return replace(recipe, epochs=2) if quick else recipe


def scratch(*, quick: bool, minutes: float, place: Place, whole: bool, **_: Any) -> dict[str, Any]:
    data = cifar(quick=quick)
    recipe = recipe_here(data, place, quick=quick)
    if whole:
        recipe = replace(recipe, first_side=1.0)
    naive, ours = naive_speed(data, recipe, place), whole_speed(data, recipe, place)
    run = trained(data, recipe, place, seconds=60 * minutes, look=data.test[:N_LOOK])
    uncut = run.rows[-2] if len(run.rows) > 1 else run.rows[-1]  # the last epoch may have been cut short
    speed = uncut[0] * len(data.train) / uncut[1]
    print(
        f"| {NETWORK}: epochs | seconds | accuracy on {min(N_LOOK, len(data.test)):,} test images |\n|---:|---:|---:|"
    )
    for epoch, seconds, score in run.rows:
        print(f"| {epoch} | {seconds:.0f} | {score:.1%} |")
    print(f"\nAfter {run.seconds:.0f} s, on all {len(data.test):,} test images: {run.accuracy:.2%}.")
    print(f"Whole pictures a second: {ours:,.0f}, in plain float32 eager mode {naive:,.0f} ", end="")
    print(f"({ours / naive:.2f} times). In the first {uncut[1]:.0f} s of training: {speed:,.0f}.\n")
    speeds = {"images_per_second": speed, "whole_images_per_second": ours, "naive": naive}
    return {"curve": run.rows, "accuracy": run.accuracy, **speeds}


@dataclass(frozen=True)
class Trained:
    rows: list[tuple[int, float, float]]
    seconds: float
    accuracy: float


def trained(
    data: Cifar,
    recipe: Recipe,
    place: Place,
    *,
    seed: int = 0,
    seconds: float | None = None,
    look: Rows | None = None,
) -> Trained:
    """Train once; what is looked at after each epoch decides nothing."""
    look = data.test[:0] if look is None else look
    network = make_network(NETWORK, 10, size=32, random_state=seed)
    begun = time.perf_counter()
    network.prepare(data.store.batch(data.train[:N_PREPARE]))
    examples = PixelExamples(data.store, recipe.augmentation, 32, n_classes=10, seed=seed)

    def judge(logits: np.ndarray) -> float:
        return float((logits.argmax(1) == data.y[look]).mean())

    lesson = Lesson(examples, data.y, data.train, look, judge)
    history = train_network(network, lesson, recipe, Circumstances(place, seconds=seconds), seed=seed)
    if place.device.type == "cuda":
        torch.cuda.synchronize()
    took = time.perf_counter() - begun
    logits = logits_of_network(network, examples, data.test, place)
    rows = [(e.number, e.seconds, e.validation_score or 0.0) for e in history.epochs]
    return Trained(rows, took, float((logits.argmax(1) == data.y[data.test]).mean()))


def whole_speed(data: Cifar, recipe: Recipe, place: Place) -> float:
    """Images a second where all pictures are whole."""
    few = replace(data, train=data.train[: WHOLE_STEPS * recipe.batch_size], test=data.test[:N_LOOK])
    first, second = trained(few, replace(recipe, epochs=2, first_side=1.0), place).rows
    return len(few.train) / (second[1] - first[1])


def naive_speed(data: Cifar, recipe: Recipe, place: Place) -> float:
    """Images a second of the same network and batches in plain eager mode: float32, channels first."""
    network = make_network(NETWORK, 10, size=32, random_state=0).train()
    network.to(place.device)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, nesterov=True)
    augment = Augmenter(recipe.augmentation, 32)
    y = torch.from_numpy(data.y).to(place.device)
    begun = 0.0
    for step in range(NAIVE_STEPS + 2):
        if step == 2:  # the first steps set things up
            if place.device.type == "cuda":
                torch.cuda.synchronize()
            begun = time.perf_counter()
        rows = data.train[step * recipe.batch_size :][: recipe.batch_size]
        images = augment(data.store.batch(rows), 0, rows).to(place.device).contiguous()
        optimizer.zero_grad()
        functional.cross_entropy(network(images.float()), y[rows]).backward()
        optimizer.step()
    if place.device.type == "cuda":
        torch.cuda.synchronize()
    return NAIVE_STEPS * recipe.batch_size / (time.perf_counter() - begun)


# --- PyTorch's tutorial ----------------------------------------------------------------------------------------------


class TutorialNet(nn.Module):
    """The network of PyTorch's "Training a classifier" (pytorch.org/tutorials/beginner/blitz/cifar10_tutorial.html)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(functional.relu(self.fc2(functional.relu(self.fc1(x)))))


def tutorial(*, quick: bool, **_: Any) -> dict[str, Any]:
    rows = list(tutorial_run(cifar(quick=quick), 2 if quick else 10))
    print("| the tutorial's network: epochs | seconds | accuracy |\n|---:|---:|---:|")
    for epoch, seconds, score in rows:
        print(f"| {epoch} | {seconds:.0f} | {score:.2%} |")
    print()
    return {"curve": rows}


def tutorial_run(data: Cifar, epochs: int) -> Iterable[tuple[int, float, float]]:
    """As it stands in the tutorial, batches of 4 and SGD, on the processor; the pictures are in memory already."""
    torch.manual_seed(0)
    net, spent = TutorialNet(), 0.0
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    y = torch.from_numpy(data.y)
    for epoch in range(1, epochs + 1):
        begun = time.perf_counter()
        order = np.random.default_rng(epoch).permutation(data.train)
        for start in range(0, len(order), 4):
            rows = order[start : start + 4]
            optimizer.zero_grad()
            functional.cross_entropy(net(data.store.batch(rows) / 127.5 - 1), y[rows]).backward()
            optimizer.step()
        spent += time.perf_counter() - begun
        with torch.no_grad():
            parts = np.array_split(data.test, 20)
            right = sum(int((net(data.store.batch(p) / 127.5 - 1).argmax(1) == y[p]).sum()) for p in parts)
        yield epoch, spent, right / len(data.test)


# --- on a graphics card ----------------------------------------------------------------------------------------------


def card(*, quick: bool, seeds: list[int], place: Place, airbench: Path | None, **_: Any) -> dict[str, Any]:
    if place.device.type != "cuda":
        print("There is no graphics card here.\n")
        return {}
    data = cifar(quick=quick)
    recipe = recipe_here(data, place, quick=quick)
    trained(data, replace(recipe, epochs=1), place)  # libraries are loaded, and kernels chosen
    runs = [trained(data, recipe, place, seed=seed) for seed in seeds]
    print("| | epochs | seconds of training | accuracy | of six views averaged |\n|---|---:|---:|---:|---:|")
    seconds, accuracies = [run.seconds for run in runs], [run.accuracy for run in runs]
    print(f"| Genus | {recipe.epochs} | {spread(seconds, '.2f')} | {spread(accuracies, '.2%')} | |")
    found: dict[str, Any] = {"genus": {"seconds": seconds, "accuracy": accuracies}}
    if airbench is not None:
        theirs = published(module_of(airbench), data, ("warmup", *seeds))[1:]
        found["airbench"] = theirs
        columns = [[one[key] for one in theirs] for key in ("seconds", "accuracy", "views")]
        said = " | ".join(spread(c, f) for c, f in zip(columns, (".2f", ".2%", ".2%"), strict=True))
        print(f"| {airbench.name} | {theirs[0]['epochs']} | {said} |")
    print(f"\nMeans of {len(seeds)} runs, and their standard deviations, on {place.name}.\n")
    return found


def spread(values: list[float], how: str) -> str:
    """Return mean and standard deviation in words."""
    return f"{np.mean(values):{how}} ± {np.std(values, ddof=min(1, len(values) - 1)):{how}}"


def module_of(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("airbench", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def published(module: Any, data: Cifar, runs: Iterable[int | str]) -> list[dict[str, float]]:
    """Run the published script some times, on these pictures; returns what it prints of itself."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            Path("cifar10").mkdir()
            for name, rows in (("train", data.train), ("test", data.test)):
                images = data.store.batch(rows).permute(0, 2, 3, 1).contiguous()
                content = {"images": images, "labels": torch.from_numpy(data.y[rows]), "classes": []}
                torch.save(content, f"cifar10/{name}.pt")
            return [published_run(module, run) for run in runs]
        finally:
            os.chdir(before)


def published_run(module: Any, run: int | str) -> dict[str, float]:
    seen: list[dict[str, Any]] = []
    module.print_training_details = lambda variables, is_final_entry: seen.append(
        {key: variables.get(key) for key in ("val_acc", "tta_val_acc", "total_time_seconds")}
    )
    module.main(run)
    *epochs, last = seen
    return {
        "epochs": module.hyp["opt"]["train_epochs"],
        "seconds": epochs[-1]["total_time_seconds"],
        "accuracy": epochs[-1]["val_acc"],
        "views": last["tta_val_acc"],
    }
