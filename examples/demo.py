"""The main job on real images, from nothing: `make demo`, or `python examples/demo.py [FOLDER]`.

It writes scikit-learn's handwritten digits as PNG files, a folder a class, then runs the commands that anybody
would run: train, evaluate, predict. At the end the built-in model names what is in two photographs. Everything
lands in FOLDER (default: demo/); nothing is downloaded.
"""

import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

KEPT_BACK = 5  # every fifth digit is not trained on
SIDE = 64  # the digits are 8 x 8 pixels; enlarged, one can see them in the report


def write_digits(train: Path, test: Path) -> tuple[int, int]:
    """Write the digits as `train/<class>/*.png` and `test/<class>/*.png`; returns how many of each."""
    digits = load_digits()
    counts = [0, 0]
    for i, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        is_test = i % KEPT_BACK == 0
        path = (test if is_test else train) / str(label) / f"{i:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        ink = Image.fromarray((pixels * (255 / 16)).astype(np.uint8))
        ink.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)
        counts[is_test] += 1
    return counts[0], counts[1]


def write_photos(folder: Path) -> list[Path]:
    """Write the two photographs that scikit-learn ships."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in ("china", "flower"):
        paths.append(folder / f"{name}.jpg")
        Image.fromarray(load_sample_image(f"{name}.jpg")).save(paths[-1], quality=95)
    return paths


def genus(*arguments: str | Path) -> None:
    """Run one genus command, showing it first; stop the demo where it fails."""
    command = ["genus", *map(str, arguments)]
    print(f"\n$ {shlex.join(command)}", flush=True)
    beside = shutil.which("genus", path=str(Path(sys.executable).parent)) or "genus"
    done = subprocess.run([beside, *command[1:]], check=False)
    if done.returncode:
        sys.exit(f"{shlex.join(command)}: failed with exit code {done.returncode}")


def main() -> None:
    """Run the demo."""
    start = time.perf_counter()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    train, test, model = folder / "digits", folder / "digits-test", folder / "digits.onnx"
    n_train, n_test = write_digits(train, test)
    print(f"Wrote {n_train} handwritten digits to {train}/ and {n_test} others to {test}/, a folder a class.")

    genus("train", train, "-o", model, "--force", "--seed", "0")
    genus("evaluate", model, test)
    genus("predict", "-m", model, *(sorted((test / name).iterdir())[0] for name in "0123456789"))

    photos = write_photos(folder / "photos")
    print("\nWithout a model of your own, Genus knows the 1000 classes of ImageNet:")
    genus("predict", *photos)

    report = folder / "digits.report.html"
    print(f"\nDone in {time.perf_counter() - start:.0f} s.")
    print(f"The model:  {model}   (one file; plain ONNX Runtime runs it too)")
    print(f"The report: {report}   (open it in a browser)")
    if not report.is_file():
        sys.exit(f"{report}: the report was not written")


if __name__ == "__main__":
    main()
