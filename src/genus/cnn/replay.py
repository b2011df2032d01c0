"""Any model file run by PyTorch, operator by operator: activations, and gradients through the file itself.

Prediction never needs this. What asks how the answer would change with what a layer saw does: Grad-CAM and Layer-CAM.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genus.cnn.replay_operators import OPERATORS
from genus.errors import EngineError
from genus.graph import SCORES

IMAGES = "images"


@dataclass(frozen=True, slots=True)
class _Step:
    """One node of the graph."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """What a layer saw of some pictures, and how a score changes with it.

    Attributes
    ----------
    activations : (n, channels, h, w) float32
    gradients : (n, channels, h, w) float32
        Of the score with respect to them.
    """

    activations: NDArray[np.float32]
    gradients: NDArray[np.float32]


class Replay:
    """The graph of an ONNX file, ready to be run by PyTorch.

    Parameters
    ----------
    data : bytes
        The file, `ModelFile.data`. Its input is `images`, uint8 [N, H, W, 3].

    Raises
    ------
    EngineError
        It has an operator that is not known here.

    Notes
    -----
    What depends on no picture is worked out once. Rounding to 8 bits is done as in the file; gradients pass through it.

    Examples
    --------
    >>> from genus.predictor import built_in
    >>> replay = Replay(built_in().model.data)
    >>> replay.run(np.zeros((1, 260, 260, 3), np.uint8), ["probabilities"])["probabilities"].shape
    (1, 1000)
    """

    def __init__(self, data: bytes) -> None:
        import onnx

        graph = onnx.load_model_from_string(data).graph
        unknown = sorted({node.op_type for node in graph.node} - OPERATORS.keys())
        if unknown:
            raise EngineError(
                f"PyTorch cannot run this file: no operator {', '.join(unknown)} here. Take a method that "
                "needs no gradients (places, linear, occlusion)."
            )
        self.outputs = tuple(value.name for value in graph.output)
        self._constants: dict[str, Tensor] = {
            value.name: torch.from_numpy(np.array(onnx.numpy_helper.to_array(value)))
            for value in graph.initializer
        }
        self._steps: list[_Step] = []
        for node in graph.node:
            self._add(_step(node))

    def _add(self, step: _Step) -> None:
        if all(not name or name in self._constants for name in step.inputs):
            self._constants.update(_run(step, self._constants))
        else:
            self._steps.append(step)

    @property
    def names(self) -> tuple[str, ...]:
        """All tensors that are made of a picture, in the order in which they are made."""
        return tuple(name for step in self._steps for name in step.outputs)

    def run(self, images: NDArray[np.uint8], names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Run pictures (n, h, w, 3) and return some tensors by name.

        Raises
        ------
        EngineError
            The graph makes no such tensor.
        """
        with torch.no_grad():
            found = self._forward(images, names)
        return {name: found[name].numpy() for name in names}

    def slopes(
        self,
        images: NDArray[np.uint8],
        layers: Sequence[str],
        code: int,
        *,
        several: bool,
        every: bool = True,
    ) -> dict[str, Slopes]:
        """Return what some layers saw, and the gradients of a class's log-odds with respect to it.

        Parameters
        ----------
        images : (n, h, w, 3) uint8
        layers : sequence of str
            Names of tensors.
        code : int
            The class's column.
        several : bool
            Whether an image may have several labels: the log-odds are then the logit itself, else the logit less the
            logarithm of the summed exponentials of the others.
        every : bool, default True
            Whether the score must depend on each of the tensors; else those that it does not depend on are left out.

        Returns
        -------
        dict of str to Slopes

        Raises
        ------
        EngineError
            The graph makes no such tensor, or the score does not depend on one.
        """
        scores = SCORES if SCORES in self.names else "logits"
        origins = [self._origin(name) for name in layers]
        found = self._forward(images, [*origins, scores], keep=origins)
        logits = found[scores]
        score = logits[:, code]
        if not several and logits.shape[1] > 1:
            others = torch.arange(logits.shape[1]) != code
            score = score - torch.logsumexp(logits[:, others], dim=1)
        tensors = [found[name] for name in origins]
        gradients: Sequence[Tensor | None] = [None] * len(tensors)
        if score.requires_grad:
            gradients = torch.autograd.grad(score.sum(), tensors, allow_unused=True)
        if every and (unused := [name for name, one in zip(layers, gradients, strict=True) if one is None]):
            raise EngineError(f"the scores do not depend on the tensor {unused[0]!r}.")
        return {
            name: Slopes(one.detach().numpy(), gradient.numpy())
            for name, one, gradient in zip(layers, tensors, gradients, strict=True)
            if gradient is not None
        }

    def _forward(
        self, images: NDArray[np.uint8], names: Sequence[str], keep: Sequence[str] = ()
    ) -> dict[str, Tensor]:
        made = {IMAGES, *self.names}
        if missing := [name for name in names if name not in made]:
            raise EngineError(f"the graph makes no tensor {missing[0]!r}.")
        values: dict[str, Tensor] = {
            **self._constants,
            IMAGES: torch.from_numpy(np.array(images, np.uint8)),  # a copy: it must be writable
        }
        needed = self._needed(names)
        for step, wanted in zip(self._steps, needed, strict=True):
            if not wanted:
                continue
            values.update(_run(step, values))
            for name in step.outputs:
                if name in keep and not values[name].requires_grad:  # what comes before it needs no gradients
                    values[name] = values[name].detach().requires_grad_()
        return {name: values[name] for name in names}

    def _origin(self, name: str) -> str:
        """Return the tensor that another name stands for: the file's outputs are copies."""
        copies = {step.outputs[0]: step.inputs[0] for step in self._steps if step.kind == "Identity"}
        while name in copies:
            name = copies[name]
        return name

    def _needed(self, names: Sequence[str]) -> list[bool]:
        open_, needed = set(names), []
        for step in reversed(self._steps):
            wanted = any(name in open_ for name in step.outputs)
            if wanted:
                open_.update(step.inputs)
            needed.append(wanted)
        return needed[::-1]


def _step(node: Any) -> _Step:
    import onnx

    attributes = {value.name: onnx.helper.get_attribute_value(value) for value in node.attribute}
    if node.op_type == "Split":
        attributes["n_outputs"] = len(node.output)
    return _Step(node.op_type, tuple(node.input), tuple(node.output), attributes)


def _run(step: _Step, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    inputs = [values[name] if name else None for name in step.inputs]
    try:
        found = OPERATORS[step.kind](inputs, step.attributes)
    except (RuntimeError, ValueError, KeyError, IndexError) as error:
        raise EngineError(f"PyTorch cannot run {step.kind} of {step.outputs[0]!r}: {error}") from error
    made = found if isinstance(found, tuple) else (found,)
    return dict(zip(step.outputs, made, strict=False))
