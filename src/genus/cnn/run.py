"""One run of the training loop: its state, its steps, its epochs, and how it is taken up again."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from genus.cnn.averaging import MovingAverage
from genus.cnn.chance import Chance, Stream
from genus.cnn.checkpoints import Task, read_checkpoint, write_checkpoint
from genus.cnn.devices import is_out_of_memory, precision, sent
from genus.cnn.graphs import Replayed, is_worth_recording
from genus.cnn.growth import sized
from genus.cnn.history import Epoch, History, score_in_words
from genus.cnn.inference import logits_of_network
from genus.cnn.lesson import Circumstances, Lesson
from genus.cnn.losses import balanced_weights, class_loss, label_loss
from genus.cnn.network import Network
from genus.cnn.optimizers import make_optimizer, set_rates
from genus.cnn.recipe import Recipe
from genus.cnn.training_examples import Rows
from genus.errors import ModelFileError
from genus.progress import Task as Job

_LOOK = 16  # steps between looks at the loss on an accelerator, which has to finish its work for that
_BARS = "▁▂▃▄▅▆▇█"
_POINTS = 12  # of the curve: it stands in one line with the bar and the time that is left


class Run:
    """A training under way; see `genus.cnn.training.train_network`.

    Attributes
    ----------
    earlier : float
        Seconds that runs before this one took.
    """

    def __init__(
        self, network: Network, lesson: Lesson, recipe: Recipe, around: Circumstances, task: Task
    ) -> None:
        self.network, self.lesson, self.recipe, self.around, self.task = network, lesson, recipe, around, task
        team, device = around.team, around.place.device
        self.targets = torch.from_numpy(np.asarray(lesson.targets, np.int64)).to(device)
        self.weights = None
        if recipe.class_weight == "balanced":
            n_classes = network.n_classes
            self.weights = balanced_weights(lesson.targets[lesson.rows], n_classes).to(device)
        self.optimizer = make_optimizer(network, recipe)
        self.average = MovingAverage(network, recipe.averaging) if recipe.averaging else None
        self.model: nn.Module = network
        if team.size > 1:
            self.model = DistributedDataParallel(network, broadcast_buffers=False)
        self.parts = recipe.accumulate
        self.n_batches = max(1, round(len(lesson.rows) / recipe.batch_size))
        self.n_batches = min(self.n_batches, max(1, len(lesson.rows) // team.size))
        self.epoch = self.batch = 0
        self.loss_sum = 0.0
        self.unseen: list[Tensor] = []
        self.looked = 0  # steps whose loss has been looked at
        self.epochs: list[Epoch] = []
        self.notes: list[str] = []
        self.stopped = ""
        self.best, self.best_score = 0, -math.inf
        self.kept = self._weights()
        self.earlier, self.begun = 0.0, time.monotonic()
        self.written = self.begun
        if around.resume and around.checkpoint is not None and around.checkpoint.exists():
            state = read_checkpoint(around.checkpoint, task)
            try:
                self._take_up(state)
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                if isinstance(error, RuntimeError) and is_out_of_memory(error):
                    raise
                raise ModelFileError(f"{around.checkpoint}: no checkpoint of Genus, or damaged.") from error
        if team.size == 1 and self.parts == 1 and is_worth_recording(network, around.place):
            self.model = Replayed(network, around.place)

    @property
    def seconds(self) -> float:
        """How long it has taken, earlier runs counted in."""
        return self.earlier + time.monotonic() - self.begun

    def to_the_end(self) -> History:
        """Train until the last epoch, until time or patience ends, or until the loss is no number any more."""
        n_steps = self.recipe.epochs * self.n_batches
        with self.around.progress.task("training the network", total=n_steps, unit="steps") as job:
            job.advance(self.epoch * self.n_batches + self.batch)
            self._show(job)
            while not self.stopped and self.epoch < self.recipe.epochs:
                self._one_epoch(job)
        if self.around.checkpoint is not None and self.around.team.leads:
            self._write(self.around.checkpoint)  # what follows from it must follow again
        self._stop_recording()
        self._load(self.kept)
        return History(
            tuple(self.epochs),
            self.stopped or "finished",
            self.best,
            sum(p.numel() for p in self.network.parameters() if p.requires_grad),
            self.around.place.name,
            self.seconds,
            tuple(self.notes),
        )

    def _one_epoch(self, job: Job) -> None:
        self.model.train()
        waiting = self._batches()[self.batch :]
        for images, rows in zip(self._seen(waiting), waiting, strict=True):
            done = self._share_done()
            if done >= 1:
                self.stopped = "time"
                self.notes.append(f"the time was over in epoch {self.epoch + 1} of {self.recipe.epochs}")
                break
            self._step(images, rows, done)
            if self.stopped:
                return
            self.batch += 1
            job.advance()
            self._write_if_due()
        self._close_epoch()
        self._show(job)

    def _batches(self) -> list[Rows]:
        """Deal the images into the batches of this epoch; all are as large as one another, or differ by one."""
        rows = self.lesson.rows
        order = np.argsort(Chance.of(self.task.seed, self.epoch, rows).words(Stream.ORDER), kind="stable")
        return [np.asarray(part, np.int64) for part in np.array_split(rows[order], self.n_batches)]

    def _seen(self, batches: list[Rows]) -> Iterator[Tensor]:
        team = self.around.team
        own = [rows[team.rank :: team.size] for rows in batches]
        return self.lesson.examples.seen(own, self.epoch, self.around.place.device)

    def _share_done(self) -> float:
        """Return how much of the training is done: by steps, or by the clock where time is shorter."""
        by_steps = (self.epoch * self.n_batches + self.batch) / (self.recipe.epochs * self.n_batches)
        if self.around.seconds is None:
            return by_steps
        by_clock = self.around.team.from_leader(self.seconds / self.around.seconds)
        return max(by_steps, float(by_clock))

    def _step(self, images: Tensor, rows: Rows, done: float) -> None:
        set_rates(self.optimizer, self.recipe.rate(done))
        team = self.around.team
        own = rows[team.rank :: team.size]
        targets = self.targets[sent(own, self.targets.device)]
        mixed = self.lesson.examples.mix(images, targets, self.epoch, own)
        seen = sized(mixed.images, self.recipe, done) if self.network.reads_pixels else mixed.images
        inputs = seen.contiguous(memory_format=torch.channels_last)
        loss = self._gradients(inputs, mixed.targets, len(rows))
        self.unseen.append(loss)
        if self.around.place.device.type == "cpu" or len(self.unseen) >= _LOOK:
            self._look()
            if self.stopped:
                return
        if self.recipe.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimizer.step()
        if self.average is not None:
            self.average.update()

    def _gradients(self, images: Tensor, targets: Tensor, n: int) -> Tensor:
        """Leave the gradients of the mean loss of a batch of n; returns this process's share of that loss."""
        while True:
            try:
                return self._try_gradients(images, targets, n)
            except RuntimeError as error:
                if not is_out_of_memory(error) or self.parts >= len(images) or self.around.team.size > 1:
                    raise
            self.parts *= 2
            size = math.ceil(len(images) / self.parts)
            self.notes.append(f"out of memory: from step {self._n_steps() + 1} on in parts of {size} images")
            self.around.progress.say(self.notes[-1])
            self._stop_recording()
            if self.around.place.device.type == "cuda":
                torch.cuda.empty_cache()

    def _try_gradients(self, images: Tensor, targets: Tensor, n: int) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        team, place = self.around.team, self.around.place
        # what is left out by chance depends on the step alone, so that a resumed training leaves out the same
        torch.manual_seed(
            int(Chance.of(self.task.seed, self._n_steps(), [team.rank]).words(Stream.STEP)[0] >> 1)
        )
        measure = label_loss if self.lesson.several else class_loss
        total = torch.zeros((), device=place.device)
        n_parts = min(self.parts, max(1, n // team.size))  # as many in each process: they meet in every part
        parts = list(zip(images.tensor_split(n_parts), targets.tensor_split(n_parts), strict=True))
        for number, (some, wanted) in enumerate(parts, start=1):
            with self._together(last=number == len(parts)), precision(place):
                logits = self.model(some)
                loss = (
                    measure(logits, wanted, smoothing=self.recipe.label_smoothing, weights=self.weights) / n
                )
                # gradients are averaged over the team
                (loss * team.size).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _stop_recording(self) -> None:
        if isinstance(self.model, Replayed):
            self.model.forget()
            self.model = self.network

    def _together(self, *, last: bool) -> AbstractContextManager[Any]:
        """Let the team's gradients meet at the last part of a batch only."""
        if isinstance(self.model, DistributedDataParallel) and not last:
            return self.model.no_sync()
        return nullcontext()

    def _look(self) -> None:
        """Add up the losses of the steps since the last look; end where one is no number."""
        if not self.unseen:
            return
        losses = self.around.team.sum(torch.stack(self.unseen)).tolist()
        self.unseen = []
        for loss in losses:
            self.looked += 1
            if not math.isfinite(loss):
                self._give_up(
                    f"the loss is not a finite number at step {self.looked} (epoch {self.epoch + 1})"
                )
                return
            self.loss_sum += loss

    def _give_up(self, what: str) -> None:
        """End, with the last good weights."""
        self.stopped = "not finite"
        self.notes.append(
            f"{what}: training ended there, with the weights of epoch {self.best}. Try a lower learning rate."
        )

    def _n_steps(self) -> int:
        return self.epoch * self.n_batches + self.batch

    def _close_epoch(self) -> None:
        """Look at the validation images, keep the weights if they are good, and count the epoch."""
        self._look()
        if self.stopped == "not finite" or not self.batch:
            return
        loss, score = self._validated()
        weights = self._weights()
        if not (loss is None or math.isfinite(loss)) or not all(w.isfinite().all() for w in weights.values()):
            self._give_up(f"the loss is not a finite number after epoch {self.epoch + 1}")
            return
        done = min(1.0, self._share_done())
        rate = self.recipe.rate(done)
        row = Epoch(self.epoch + 1, self.loss_sum / self.batch, rate, round(self.seconds, 3), loss, score)
        self.epochs.append(row)
        if self.recipe.patience is None or score is None or score > self.best_score:
            self.best, self.kept = row.number, weights
            self.best_score = -math.inf if score is None else score
        elif row.number - self.best >= self.recipe.patience and self.recipe.sees_whole(done):
            self.stopped = self.stopped or "no better for a while"
        self.epoch, self.batch, self.loss_sum = self.epoch + 1, 0, 0.0
        self._write_if_due()

    def _validated(self) -> tuple[float | None, float | None]:
        """Return loss and score on the validation images, as they are; None where there is none."""
        rows, team = self.lesson.validation, self.around.team
        if not len(rows):
            return None, None
        network = self.network if self.average is None else self.average.network
        own = np.array_split(rows, team.size)[team.rank]
        mine = logits_of_network(network, self.lesson.examples, own, self.around.place)
        logits = np.concatenate(team.gather(mine))
        measure = label_loss if self.lesson.several else class_loss
        targets = torch.from_numpy(np.asarray(self.lesson.targets[rows], np.float32))
        if not self.lesson.several:
            targets = nn.functional.one_hot(targets.long(), self.network.n_classes).float()
        loss = float(measure(torch.from_numpy(logits), targets, smoothing=0.0, weights=None)) / len(rows)
        score = self.lesson.judge(logits) if math.isfinite(loss) else math.nan
        return loss, None if math.isnan(score) else score

    def _weights(self) -> dict[str, Tensor]:
        """Copy the weights that would be used now."""
        network = self.network if self.average is None else self.average.network
        return {name: value.detach().clone() for name, value in network.state_dict().items()}

    def _load(self, weights: dict[str, Tensor]) -> None:
        self.network.load_state_dict(weights)

    def _show(self, job: Job) -> None:
        if not self.epochs:
            return
        last = self.epochs[-1]
        curve = [row.loss if row.validation_score is None else row.validation_score for row in self.epochs]
        score = (
            "" if last.validation_score is None else f", validation {score_in_words(last.validation_score)}"
        )
        job.show(f"{sparkline(curve)} epoch {last.number}: loss {last.loss:.3f}{score}")

    def _write_if_due(self) -> None:
        path = self.around.checkpoint
        if path is None or not self.around.team.leads or time.monotonic() - self.written < self.around.every:
            return
        if self.unseen and self.around.team.size > 1:
            return  # to look at losses takes all processes, and they will in a few steps
        self._look()
        self._write(path)

    def _write(self, path: Path) -> None:
        write_checkpoint(path, self.task, self._state())
        self.written = time.monotonic()

    def _state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.network.state_dict(),
            "n_averaged": 0 if self.average is None else self.average.n_steps,
            "optimizer": self.optimizer.state_dict(),
            "kept": self.kept,
            "epochs": [asdict(row) for row in self.epochs],
            "notes": list(self.notes),
            "numbers": {name: getattr(self, name) for name in _NUMBERS},
            "seconds": self.seconds,
        }

    def _take_up(self, state: dict[str, Any]) -> None:
        self._load(state["network"])
        if self.average is not None:
            self.average.network.load_state_dict(state["average"])
            self.average.n_steps = state["n_averaged"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.kept = {name: value.to(self.around.place.device) for name, value in state["kept"].items()}
        self.epochs = [Epoch.from_dict(row) for row in state["epochs"]]
        self.notes = list(state["notes"])
        for name, value in state["numbers"].items():
            setattr(self, name, value)
        self.earlier = state["seconds"]


_NUMBERS = ("epoch", "batch", "looked", "loss_sum", "best", "best_score", "parts", "stopped")


def sparkline(values: list[float]) -> str:
    """Draw a curve with blocks of eight heights.

    Examples
    --------
    >>> sparkline([0.1, 0.5, 0.9])
    '▁▅█'
    """
    low, high = min(values), max(values)
    span = max(high - low, 1e-12)
    return "".join(_BARS[min(7, int(8 * (value - low) / span))] for value in values[-_POINTS:])
