"""What Genus takes: on disk, and in memory."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from real_sets import ROOT, data_folder

SIZE_GOAL = 850e6
BASE_SIZES = (6000, 60_000)
QUICK_SIZES = (600, 1200)
# A small network, so that the measurement takes a minute and not ten: what grows with the number of images is the same.
FEATURES = "efficientnet-lite0@64"
CHILD = """
import json, resource, sys
from genus.data.read import read_dataset
from genus.features.feature_set import parse_feature_set
from genus.features.runtime import Runtime
from genus.features.stream import extract
data = read_dataset(sys.argv[1]).take(range(int(sys.argv[2])))
table = extract(data.sources, parse_feature_set(sys.argv[3]), runtime=Runtime(cache=sys.argv[4] == "cache"))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"images": len(table), "peak": peak, "features": table.X.nbytes, "seconds": table.seconds}))
"""


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
    """Extract features of few and of many images, each in a process of its own."""
    results: dict[str, Any] = {}
    print("| images | peak | features | peak less features | images/s |\n|---:|---:|---:|---:|---:|")
    rows = []
    for n_images in QUICK_SIZES if quick else BASE_SIZES:
        command = [
            sys.executable,
            "-c",
            CHILD,
            str(data_folder() / "cifar10.parquet"),
            str(n_images),
            FEATURES,
            "none",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        row = json.loads(done.stdout)
        rows.append(row)
        results[str(n_images)] = row
        rest = row["peak"] - row["features"]
        print(
            f"| {row['images']:,} | {row['peak'] / 1e6:.0f} MB | {row['features'] / 1e6:.0f} MB | {rest / 1e6:.0f} MB "
            f"| {row['images'] / row['seconds']:.0f} |",
            flush=True,
        )
    few, many = rows
    results["growth"] = (many["peak"] - many["features"]) - (few["peak"] - few["features"])
    print(f"\nBeyond the features themselves the peak grew by {results['growth'] / 1e6:.0f} MB.")
    return results
