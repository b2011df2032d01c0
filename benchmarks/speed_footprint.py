"""What Genus takes: on disk, and in memory."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from real_sets import ROOT, data_folder
from speed_commands import genus_command

SIZE_GOAL = 850e6
BASE_SIZES = (6000, 60_000)
QUICK_SIZES = (600, 1200)
# A small network, so that it takes a minute and not ten: what grows with the number of images is the same.
FEATURES = "efficientnet-lite0@64"


def measure_size(quick: bool) -> dict[str, Any]:
    """Add up the files of Genus and of everything it requires, without extras."""
    sizes = dict(sorted(package_sizes("genus").items(), key=lambda item: -item[1]))
    sizes["genus"] = sum(f.stat().st_size for f in (ROOT / "src" / "genus").rglob("*") if f.is_file())
    total = sum(sizes.values())
    print("| package | MB |\n|---|---:|")
    for name, size in list(sizes.items())[:12]:
        print(f"| {name} | {size / 1e6:.0f} |")
    print(f"| all {len(sizes)} | {total / 1e6:.0f} (goal: under {SIZE_GOAL / 1e6:.0f}) |")
    return {"total": total, "packages": sizes}


def package_sizes(name: str, extra: str = "") -> dict[str, int]:
    """Return the bytes of a package and of all that it requires, by name."""
    sizes: dict[str, int] = {}
    waiting = [(name, extra)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        item = waiting.pop()
        if item in seen:
            continue
        seen.add(item)
        try:
            found = distribution(item[0])
        except PackageNotFoundError:
            continue
        sizes[canonical(item[0])] = sum(file_sizes(found))
        for text in found.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": item[1]}):
                waiting += [(canonical(requirement.name), e) for e in ("", *requirement.extras)]
    return sizes


def file_sizes(found: Any) -> Iterator[int]:
    for file in found.files or ():
        path = Path(file.locate())
        if path.is_file():
            yield path.stat().st_size


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def measure_memory(quick: bool) -> dict[str, Any]:
    """Run `genus features` on few and on many image files; the peak is the whole process's."""
    few, many = QUICK_SIZES if quick else BASE_SIZES
    results: dict[str, Any] = {}
    print("| images | peak | features written | images/s |\n|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder, few, many)
        for n_images in (few, many):
            row = run_features(folder, n_images)
            results[str(n_images)] = row
            print(
                f"| {n_images:,} | {row['peak'] / 1e6:.0f} MB | {row['features'] / 1e6:.0f} MB "
                f"| {n_images / row['seconds']:.0f} |",
                flush=True,
            )
    results["growth"] = results[str(many)]["peak"] - results[str(few)]["peak"]
    verdict = "less" if results["growth"] <= results[str(many)]["features"] else "MORE"
    print(f"\nThe peak grew by {results['growth'] / 1e6:.0f} MB, {verdict} than the features themselves.")
    return results


def write_images(folder: Path, few: int, many: int) -> None:
    """Write CIFAR-10's images as files into two folders."""
    import pyarrow.parquet as pq

    column = pq.read_table(data_folder() / "cifar10.parquet", columns=["image"])["image"]
    for n_images in (few, many):
        (folder / str(n_images)).mkdir()
        for i in range(n_images):
            (folder / str(n_images) / f"{i:05}.jpg").write_bytes(column[i]["bytes"].as_py())


def run_features(folder: Path, n_images: int) -> dict[str, float]:
    """Run the command without a cache; return its peak memory, the size of what it wrote and its seconds."""
    output = folder / f"{n_images}.npy"
    command = [genus_command(), "features", str(n_images), "-o", output.name, "--features", FEATURES]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--no-cache", "--quiet"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{process.stderr.read().decode() if process.stderr else ''}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"peak": peak, "features": output.stat().st_size, "seconds": time.perf_counter() - start}
