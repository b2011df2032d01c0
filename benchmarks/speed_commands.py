"""Whole commands, as a person would time them."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image
from sklearn.datasets import load_sample_image

from real_sets import data_folder, image_files

N_PHOTOS, QUICK_PHOTOS = 1400, 100
WARM_GOALS = {"fast": 4.0, "balanced": 12.0}
START_GOALS = {"--help": 0.25, "predict": 0.8}


def genus_command() -> str:
    """Return the `genus` beside this Python."""
    found = shutil.which("genus", path=str(Path(sys.executable).parent)) or shutil.which("genus")
    return found or sys.exit("genus is not installed")


def seconds(command: Sequence[str], cache: Path, folder: Path) -> float:
    """Run a command with its own cache folder; return its wall time."""
    environment = {**os.environ, "GENUS_CACHE": str(cache)}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return time.perf_counter() - start


def photo_folder(target: Path, n_photos: int) -> Path:
    """Copy about `n_photos` of the flower photographs, each class in proportion, into class folders."""
    files = image_files(data_folder() / "flower_photos")
    kept = [files[i * len(files) // n_photos] for i in range(min(n_photos, len(files)))]
    for file in kept:
        path = target / file.parent.name / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, path)
    return target


def measure_train(quick: bool) -> dict[str, Any]:
    """Time `genus train` with an empty and with a full cache."""
    repeats = 1 if quick else 3
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = photo_folder(folder / "photos", QUICK_PHOTOS if quick else N_PHOTOS)
        results["n_photos"] = len(image_files(photos))
        print(
            f"{results['n_photos']} photographs\n\n| preset | cold | warm | goal, warm |\n|---|---:|---:|---:|"
        )
        for preset in ("fast",) if quick else ("fast", "balanced"):
            cold, warm = [], []
            for i in range(repeats):
                cache = folder / f"cache-{preset}-{i}"
                command = [genus_command(), "train", "photos", "--preset", preset, "--seed", "0", "--force"]
                cold.append(seconds(command, cache, folder))
                warm.append(seconds(command, cache, folder))
            results[preset] = {"cold": cold, "warm": warm}
            print(
                f"| {preset} | {median(cold):.1f} s | {median(warm):.1f} s | {WARM_GOALS[preset]:.0f} s |",
                flush=True,
            )
    return results


def measure_start(quick: bool) -> dict[str, Any]:
    """Time the shortest commands from a cold start."""
    repeats = 2 if quick else 10
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.fromarray(load_sample_image("flower.jpg")).save(folder / "one.jpg", quality=95)
        commands = {"--help": [genus_command(), "--help"], "predict": [genus_command(), "predict", "one.jpg"]}
        print("| command | median | fastest | the very first | goal |\n|---|---:|---:|---:|---:|")
        for label, command in commands.items():
            first, *times = [seconds(command, folder / "cache", folder) for _ in range(repeats + 1)]
            results[label] = {"first": first, "seconds": times}
            print(
                f"| genus {' '.join(command[1:])} | {median(times):.2f} s | {min(times):.2f} s | {first:.2f} s "
                f"| {START_GOALS[label]} s |",
                flush=True,
            )
    return results
