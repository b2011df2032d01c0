"""The built-in model: EfficientNet-Lite2 with ImageNet's 1000 classes, as a model file like any other."""

from contextlib import suppress

from genus.errors import ModelFileError, OutputError
from genus.features.feature_set import Branch, FeatureSet
from genus.files import atomic_write, cache_dir
from genus.images.preprocess import Preprocess
from genus.model_file import ModelFile, build_pretrained_file, read_model_file
from genus.weights.imagenet import imagenet_classes

# As the network was trained to be used: its own size, the middle of the picture, full precision.
FEATURES = FeatureSet(
    (Branch("efficientnet-lite2", 260),), "float32", Preprocess(260, 260, fit="crop", crop_fraction=0.875)
)


def imagenet_model() -> ModelFile:
    """Return the built-in model's file; made on first use and kept in the cache folder.

    A kept file that is damaged is made anew; without a writable cache it is made each time.
    """
    kept = cache_dir() / "models" / f"imagenet-{FEATURES.identity}.onnx"
    if kept.exists():
        with suppress(ModelFileError):
            return read_model_file(kept)
    details = {
        "head": {"name": "pretrained", "n_stored_examples": 0},
        "provenance": {"weights": "EfficientNet-Lite2, ImageNet-1k (Apache-2.0)"},
    }
    model = build_pretrained_file(FEATURES, imagenet_classes(), details)
    with suppress(OutputError, OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(kept) as file:
            file.write(model.data)
    return model
