"""Extraction against the limit of the hardware."""

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from sklearn.datasets import load_sample_image

from genus.features.engines import Runner, open_runner
from genus.features.feature_set import FeatureSet, feature_set_for
from genus.features.runtime import Runtime, available_cores
from genus.features.stream import extract_batches
from genus.images.preprocess import load_image
from genus.images.source import ImageSource

N_FILES, QUICK_FILES = 1400, 256
ROUNDS, QUICK_ROUNDS = 5, 1
BATCH = 16
GOAL = 0.85
SIZES = {"640x427": (427, 640), "1600x1200": (1200, 1600)}


def measure_extraction(quick: bool) -> dict[str, Any]:
    """Measure the presets on photographs of two sizes."""
    n_files, rounds = (QUICK_FILES, QUICK_ROUNDS) if quick else (N_FILES, ROUNDS)
    results: dict[str, Any] = {}
    print("| photographs | preset | decoding/s | inference/s | limit/s | extraction/s | of the limit |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for size, shape in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            sources = write_photographs(Path(folder), n_files, shape)
            for preset in ("fast", "balanced"):
                row = measure(sources, feature_set_for(preset), rounds)
                results[f"{preset} {size}"] = row
                print(
                    f"| {size} | {preset} | {row['decoding']:.0f} | {row['inference']:.0f} | {row['limit']:.0f} "
                    f"| {row['extraction']:.0f} | {row['ratio']:.0%} (goal {GOAL:.0%}) |",
                    flush=True,
                )
    return results


def write_photographs(folder: Path, n_files: int, shape: tuple[int, int]) -> list[ImageSource]:
    """Write different pieces of scikit-learn's two photographs as JPEG files."""
    rng = np.random.default_rng(0)
    photographs = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    sources = []
    for i in range(n_files):
        whole = photographs[i % 2]
        top, left = rng.integers(0, 100, 2)
        piece = whole[top : top + 327, left : left + 540]
        piece = cv2.resize(piece, shape[::-1], interpolation=cv2.INTER_CUBIC)
        path = folder / f"{i:05}.jpg"
        cv2.imwrite(str(path), piece[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        sources.append(ImageSource(path.name, path))
    return sources


def measure(sources: Sequence[ImageSource], feature_set: FeatureSet, rounds: int) -> dict[str, Any]:
    """Measure decoding, inference and both in turns; return the medians of images a second."""
    workers = available_cores()
    runner = open_runner(feature_set.model(), workers=workers, outputs=["features"], n_images=len(sources))
    pixels = np.stack([load_image(source, feature_set.preprocess).pixels for source in sources[:BATCH]])
    stages: dict[str, Callable[[], None]] = {
        "decoding": partial(decode_all, sources, feature_set, workers),
        "inference": partial(infer_all, runner, pixels, len(sources), workers),
        "extraction": partial(extract_all, sources, feature_set),
    }
    for stage in stages.values():
        stage()  # files into the system's memory, threads and engine warm
    seconds: dict[str, list[float]] = {name: [] for name in stages}
    for _ in range(rounds):
        for name, stage in stages.items():
            start = time.perf_counter()
            stage()
            seconds[name].append(time.perf_counter() - start)
    rates = {name: len(sources) / median(times) for name, times in seconds.items()}
    limit = 1 / (1 / rates["decoding"] + 1 / rates["inference"])
    return {
        **rates,
        "limit": limit,
        "ratio": rates["extraction"] / limit,
        "engine": runner.family,
        "seconds": seconds,
    }


def decode_all(sources: Sequence[ImageSource], feature_set: FeatureSet, workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(lambda source: load_image(source, feature_set.preprocess).info, sources):
            pass


def infer_all(runner: Runner, pixels: Any, n_images: int, workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(lambda _: runner(pixels), range(-(-n_images // len(pixels)))):
            pass


def extract_all(sources: Sequence[ImageSource], feature_set: FeatureSet) -> None:
    for _ in extract_batches(sources, feature_set, runtime=Runtime(cache=False, batch_size=BATCH)):
        pass
