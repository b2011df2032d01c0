"""Let torchvision's CUDA build be imported beside a CPU build of PyTorch.

Declares the two compiled operators whose absence stops the import; transforms and models then work, compiled box
operators and torchvision.io do not. A `.pth` file with the one line `import torchvision_cpu_shim` loads it.
"""

import sys
from collections.abc import Sequence


class _DeclareOperators:
    """An import hook that acts once, just before torchvision is imported."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            type(self).library = torch.library.Library("torchvision", "DEF")
            for operator in ("nms", "qnms"):
                self.library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


sys.meta_path.insert(0, _DeclareOperators())
