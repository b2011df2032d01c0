"""Genus and its peers on the same photographs, side by side: `python benchmarks/peers/run.py [--quick]`.

With PyTorch installed beside Genus, it also fine-tunes the network that fastai fine-tunes, as long as it takes and in
100 s.

About 1,400 flower photographs in class folders, a fifth of them marked as test (stratified, seed 0), the same for all.
Prints a table with the ratios; writes benchmarks/out/peers.json. See README.md here for the environments.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from real_sets import OUT, image_files  # noqa: E402
from speed_commands import genus_command, photo_folder  # noqa: E402

PEERS = {"torch eager + logistic regression": ".venv-torch", "fastai fine_tune": ".venv-fastai"}
SCRIPTS = {".venv-torch": "torch_eager.py", ".venv-fastai": "fastai_finetune.py"}
TEST_SHARE = 0.2
NETWORK = ("--cnn", "efficientnet-lite0")  # the weights that fastai begins with
WAYS = {
    "genus fast": ("--preset", "fast"),
    "genus balanced": ("--preset", "balanced"),
    "genus balanced and a network": NETWORK,
    "genus balanced and a network in 100 s": (*NETWORK, "--time-budget", "100"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=1400)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--without", nargs="+", default=[], choices=["torch", "fastai"])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), help="of Genus")
    parser.add_argument("--quick", action="store_true", help="100 photographs, one epoch")
    args = parser.parse_args()
    if args.quick:
        args.photos, args.epochs = 100, 1
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = photo_folder(folder / "photos", args.photos)
        test = choose_test(photos, folder)
        for label in args.ways:
            options = WAYS[label]
            if NETWORK[0] not in options or find_spec("torch"):
                results[label] = show(label, run_genus(options, folder))
        for label, environment in PEERS.items():
            if environment.removeprefix(".venv-") not in args.without:
                found = run_peer(environment, photos, test, args.epochs)
                if found is not None:
                    results[label] = show(label, found)
    OUT.mkdir(exist_ok=True)
    (OUT / "peers.json").write_text(json.dumps(results, indent=1), "utf-8")
    print("\n" + table(results))


def choose_test(photos: Path, folder: Path) -> Path:
    """Write which photographs judge: a list for the peers, a table for Genus."""
    rng = np.random.default_rng(0)
    names: list[str] = []
    for class_folder in sorted(path for path in photos.iterdir() if path.is_dir()):
        files = image_files(class_folder)
        chosen = rng.permutation(len(files))[: round(TEST_SHARE * len(files))]
        names += [str(files[i].relative_to(photos)) for i in chosen]
    (folder / "test.txt").write_text("\n".join(sorted(names)), "utf-8")
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split"])
        for path in image_files(photos):
            split = "test" if str(path.relative_to(photos)) in names else "train"
            rows.writerow([str(path), path.parent.name, split])
    return folder / "test.txt"


def run_genus(options: Sequence[str], folder: Path) -> dict[str, Any]:
    """Train with an empty cache, as a command; everything included, the report too."""
    command = [genus_command(), "train", "photos.csv", *options, "--seed", "0", "--force", "--json"]
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        start = time.perf_counter()
        said = output(command, folder, {**os.environ, "GENUS_CACHE": cache})
        seconds = time.perf_counter() - start
    record = json.loads(said)
    metrics = {metric["name"]: metric["value"] for metric in record["evaluation"]["metrics"]}
    return {"seconds": seconds, "accuracy": metrics["accuracy"], "n_images": record["n_images"]}


def run_peer(environment: str, photos: Path, test: Path, epochs: int) -> dict[str, Any] | None:
    python = HERE / environment / "bin" / "python"
    if not python.exists():
        print(
            f"{SCRIPTS[environment]}: no environment at {python.parent.parent}; make it with setup.sh",
            flush=True,
        )
        return None
    command = [str(python), str(HERE / SCRIPTS[environment]), str(photos), str(test)]
    if environment == ".venv-fastai":
        command.append(str(epochs))
    start = time.perf_counter()
    record: dict[str, Any] = json.loads(output(command, photos.parent, dict(os.environ)).splitlines()[-1])
    # the same clock for all: from a cold start to the answer, imports included
    return {**record, "inner_seconds": record["seconds"], "seconds": time.perf_counter() - start}


def output(command: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def show(label: str, record: dict[str, Any]) -> dict[str, Any]:
    print(f"{label}: {record['seconds']:.1f} s, accuracy {record['accuracy']:.2%}", flush=True)
    return record


def table(results: dict[str, dict[str, Any]]) -> str:
    others = [name for name in results if name in PEERS]
    lines = ["| | seconds | accuracy |" + "".join(f" times as fast as {name} |" for name in others)]
    lines.append("|---|---:|---:|" + "---:|" * len(others))
    for name, record in results.items():
        ratios = "".join(f" {results[other]['seconds'] / record['seconds']:.1f} |" for other in others)
        lines.append(f"| {name} | {record['seconds']:.1f} | {record['accuracy']:.2%} |{ratios}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
