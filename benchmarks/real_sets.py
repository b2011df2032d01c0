"""The real data sets that benchmarks use: the folder `$GENUS_DATA`, else `../shared/data` beside the project."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from genus.data.dataset import Dataset
from genus.data.read import read_dataset

ROOT = Path(__file__).resolve().parent.parent
OUT = Path(__file__).resolve().parent / "out"
SINGLE_LABEL = ("flower_photos", "trashnet", "hymenoptera", "ucmerced", "cifar10")
_CIFAR_IMAGES = 5000  # of 60,000: enough to tell methods apart, and no longer to compute than the other sets


def data_folder() -> Path:
    """Return the folder with the data sets, or leave with a message."""
    folder = Path(os.environ.get("GENUS_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "README.md").is_file():
        sys.exit(f"the real data sets are not at {folder}: set GENUS_DATA")
    return folder


def load_set(name: str) -> Dataset:
    """Read one single-label set, its own splits forgotten; of CIFAR-10 a fixed random part."""
    if name != "cifar10":
        return replace(read_dataset(data_folder() / name, reader="folders").labelled(), splits=None)
    data = replace(read_dataset(data_folder() / "cifar10.parquet").labelled(), splits=None)
    return data.take(np.sort(np.random.default_rng(0).permutation(len(data))[:_CIFAR_IMAGES]))


def image_files(folder: Path) -> list[Path]:
    """List the images below a folder, sorted."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
