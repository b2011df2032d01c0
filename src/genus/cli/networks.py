"""The options of `genus train` that are about convolutional networks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genus.cli.console import Console
from genus.errors import ParameterError

if TYPE_CHECKING:
    from genus.estimators.network_options import NetworkOptions

CHECKPOINT = ".checkpoint"
"""Behind the model's name: where it is kept how far a network's training is."""

Cnn = Annotated[
    str | None,
    typer.Option(
        "--cnn",
        metavar="NAME",
        help="Train a convolutional network beside the classifiers: finetune (a pre-trained one goes on learning), "
        "scratch (one that begins with nothing), or a network's name, such as resnet18 or conv32-pool-conv64-pool-gap.",
    ),
]
CnnSize = Annotated[
    int | None,
    typer.Option("--cnn-size", metavar="PIXELS", min=1, help="Height and width of the network's pictures."),
]
Epochs = Annotated[
    int | None, typer.Option("--epochs", metavar="N", min=1, help="How often the network sees each image.")
]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience",
        metavar="N",
        min=1,
        help="End the network's training after N epochs without a better score in validation.",
    ),
]
Augment = Annotated[
    str | None,
    typer.Option(
        "--augment",
        metavar="HOW",
        help="What is done to images while the network learns: none, light, standard, strong, small, or one of them "
        "with changes, as in standard,quarter_turns=true (see genus cnn augment).",
    ),
]
Depth = Annotated[
    str,
    typer.Option(
        "--depth",
        metavar="auto|last|all",
        help="Of fine-tuning: the network's last blocks, behind a beginning that is computed once, or then all of it; "
        "auto: all if --time-budget allows it, or on an accelerator.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device", metavar="NAME", help="Where the network is trained: auto, cpu, cuda, cuda:1, mps."
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with a network's training that was killed; it is kept in the model's name with .checkpoint.",
    ),
]


def network_wish(
    cnn: str | None,
    model: Path,
    size: int | None,
    epochs: int | None,
    patience: int | None,
    augment: str | None,
    depth: str,
    device: str,
    *,
    resume: bool,
) -> "NetworkOptions | None":
    """Return what is wanted of a network; None where none is wanted.

    Raises
    ------
    ParameterError
        Options of a network are given, and no network is.
    """
    given = {
        "--cnn-size": size,
        "--epochs": epochs,
        "--patience": patience,
        "--augment": augment,
        "--depth": depth != "auto",
        "--device": device != "auto",
        "--resume": resume,
    }
    if cnn is None:
        if wrong := [name for name, value in given.items() if value]:
            raise ParameterError(f"{', '.join(wrong)} is about a network; name one with --cnn.")
        return None
    from genus.cnn.networks import require_torch
    from genus.estimators.network_options import NetworkOptions

    require_torch(f"--cnn {cnn}")
    return NetworkOptions(
        cnn,
        size=size,
        epochs=epochs,
        augment=augment,
        patience=patience,
        depth=depth,
        device=device,
        checkpoint=Path(f"{model}{CHECKPOINT}"),
        resume=resume,
    )


def tell_of_checkpoint(network: "NetworkOptions | None", console: Console) -> None:
    """Say what becomes of an earlier training's checkpoint, or that there is none to go on from."""
    if network is None or network.checkpoint is None:
        return
    there = Path(network.checkpoint).exists()
    if there and not network.resume:
        console.say(
            f"An earlier training left {network.checkpoint}; this one begins anew (--resume would go on)."
        )
    if network.resume and not there:
        console.say(f"There is no {network.checkpoint} to go on from: this training begins anew.")


def remove_checkpoints(network: "NetworkOptions | None") -> None:
    """Remove what was kept of a training that has come to its end."""
    if network is None or network.checkpoint is None:
        return
    for name in ("", ".deeper", ".all"):
        Path(f"{network.checkpoint}{name}").unlink(missing_ok=True)
