"""How many images a second augmentation makes ready for a network, on this processor.

`python benchmarks/augmentation.py [--quick] [--threads 1 2]` measures every preset, for pictures of 224 pixels stored
at 256 and for pictures of 32 pixels, with MixUp and CutMix where a preset has them. Beside it stand the same pictures
made by PyTorch (what an accelerator runs, here on the processor) and, where kornia is installed, its nearest
equivalents, which draw one set of random numbers after another. All run in turns; the best of several rounds counts,
since others may be at work on the machine.

Prints Markdown. Real photographs: the two of scikit-learn, in pieces.
"""

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec

import cv2
import numpy as np
import torch
from sklearn.datasets import load_sample_images

from genus.cnn.augment import Augmenter
from genus.cnn.augment_torch import augment_on_device
from genus.cnn.augmentation import PRESETS
from genus.cnn.pictures import as_pictures
from genus.cnn.plan import Frame, make_plan
from genus.images.preprocess import resize
from speed import processor

SIZES = {224: (256, 64), 32: (32, 1024)}  # side: stored at, images in a batch
KORNIA = {"light", "standard", "small"}

Work = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one round: does it run at all?")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    print(f"{processor()}, PyTorch {torch.__version__}, OpenCV {cv2.__version__}; images a second\n")
    for side, (stored, n) in SIZES.items():
        print(f"\n### {side} pixels, stored at {stored}, batches of {n}\n")
        heads = [
            f"{kind}, {t} thread{'s'[: t > 1]}"
            for t in args.threads
            for kind in ("Genus", "PyTorch", "kornia")
        ]
        print(f"| preset | {' | '.join(heads)} |\n|---|{'--:|' * len(heads)}")
        for preset in PRESETS:
            cells = []
            for threads in args.threads:
                torch.set_num_threads(threads)
                cells += measured(ways(preset, side, stored, n), n, 1 if args.quick else 7)
            print(f"| `{preset}` | {' | '.join(cells)} |", flush=True)


def ways(preset: str, side: int, stored: int, n: int) -> list[Work | None]:
    """What is compared: ours, the same by PyTorch, kornia's."""
    augmentation, images = PRESETS[preset], photographs(stored, n)
    augmenter, places, codes = Augmenter(augmentation, side), np.arange(n), torch.arange(n) % 10
    pictures = as_pictures(images)

    def ours() -> object:
        views = augmenter(images, 1, places)
        return augmenter.mix(views, codes, 1, places, n_classes=10) if augmentation.mixes else views

    def by_torch() -> object:
        return augment_on_device(
            pictures, make_plan(augmentation, Frame(stored, stored, side), 0, 1, places), side
        )

    return [ours, None if augmentation.mixes else by_torch, by_kornia(preset, images, side)]


def by_kornia(preset: str, images: torch.Tensor, side: int) -> Work | None:
    """Make the pictures as a user of kornia would, the images of a batch all at once."""
    if preset not in KORNIA or not find_spec("kornia"):
        return None
    from kornia import augmentation as kornia

    if preset == "small":
        steps = [
            kornia.RandomHorizontalFlip(),
            kornia.RandomCrop((side, side), padding=side // 8, padding_mode="reflect"),
            kornia.RandomErasing(p=1.0, scale=(0.125, 0.125), ratio=(1.0, 1.0)),
        ]
    elif preset == "light":
        steps = [
            kornia.RandomHorizontalFlip(),
            kornia.RandomResizedCrop((side, side), scale=(0.7, 1.0)),
            kornia.ColorJitter(0.1, 0.1, 0, 0, p=1.0),
        ]
    else:
        steps = [
            kornia.RandomHorizontalFlip(),
            kornia.RandomResizedCrop((side, side), scale=(0.35, 1.0)),
            kornia.RandomRotation(10.0, p=1.0),
            kornia.ColorJitter(0.25, 0.25, 0.25, 0.03, p=1.0),
        ]
    pipeline = kornia.AugmentationSequential(*steps, data_keys=["input"])
    return lambda: pipeline(images.float() / 255)


def photographs(side: int, n: int) -> torch.Tensor:
    """Random pieces of two photographs, (n, 3, side, side) uint8, channels last."""
    random = np.random.default_rng(0)
    photos, pieces = load_sample_images().images, []
    for i in range(n):
        photo = photos[i % 2]
        size = int(random.integers(120, 400))
        top, left = (int(random.integers(0, length - size)) for length in photo.shape[:2])
        pieces.append(resize(np.ascontiguousarray(photo[top : top + size, left : left + size]), side, side))
    return torch.from_numpy(np.stack(pieces)).permute(0, 3, 1, 2)


def measured(works: list[Work | None], n: int, rounds: int) -> list[str]:
    """Run all in turns; images a second in the best round of each."""
    best = [np.inf] * len(works)
    for _ in range(rounds):
        for k, work in enumerate(works):
            if work is not None:
                start = time.perf_counter()
                work()
                best[k] = min(best[k], time.perf_counter() - start)
    return [f"{n / seconds:,.0f}" if seconds < np.inf else "" for seconds in best]


if __name__ == "__main__":
    main()
