"""`genus cnn`: verbs about convolutional networks, each in a file `cnn_<verb>.py` beside this one."""

import typer

from genus.cli.verbs import HELP_OPTIONS, LazyVerbs, help_of

VERBS = {
    "describe": "List the layers of a network.",
    "show": "Show the filters of a network's layers, and what each layer makes of an image.",
    "augment": "Show what augmentation does to your own images, before a network is trained with it.",
}
"""Each verb with the first line of its help."""


class CnnVerbs(LazyVerbs):
    """The group of verbs about convolutional networks."""

    verbs = VERBS
    prefix = "cnn_"


cnn = typer.Typer(
    cls=CnnVerbs,
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings=HELP_OPTIONS,
)


def _cnn() -> None:
    """Look into convolutional networks.

    Networks are made and trained in PyTorch: pip install "genus[cnn]". Those that are trained are model files like all
    others, and need it no more. Every command has --json.

    Examples:
      genus cnn describe resnet18 --size 64
      genus cnn describe flowers.onnx
      genus cnn show flowers.onnx rose.jpg
      genus cnn augment flowers/
    """


cnn.callback(help=help_of(_cnn))(_cnn)
