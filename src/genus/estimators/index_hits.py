"""What a search finds."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from genus.images.source import ImageSource

FileState = Literal["ok", "changed", "vanished", "unknown"]


@dataclass(frozen=True, slots=True)
class Hit:
    """An image that was found.

    Attributes
    ----------
    image : str
        What it is called.
    score : float
        How like the query it is: see `SearchResult.score_means`.
    label : str or None
        Its label; of several, "a|b".
    similarity : float
        The cosine of its vector with the query's; less half of that with negative examples.
    place : int
        Its row in the index.
    same_file : bool
        Whether it is the very file that was asked for.
    copies : tuple of str
        Other images that are the same picture: folded into this one.
    file : {"ok", "changed", "vanished", "unknown"}
        Whether the image is still what the index knows; "unknown" for what is no file.
    source : ImageSource or None
        Where it is.
    split : str or None
    """

    image: str
    score: float
    label: str | None
    similarity: float
    place: int
    same_file: bool = False
    copies: tuple[str, ...] = ()
    file: FileState = "unknown"
    source: ImageSource | None = field(default=None, repr=False)
    split: str | None = None

    @property
    def path(self) -> Path | None:
        """Its file, if it is one."""
        return None if self.source is None else self.source.path

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "image": self.image,
            "path": None if self.path is None else str(self.path),
            "score": round(self.score, 4),
            "similarity": round(self.similarity, 4),
            "label": self.label,
            "split": self.split,
            "same_file": self.same_file,
            "copies": list(self.copies),
            "file": self.file,
        }


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found, the most alike first. A sequence of `Hit`.

    Attributes
    ----------
    hits : tuple of Hit
    query : str
        What was asked, in words.
    n_images : int
        Images in the index.
    n_allowed : int
        Images that meet the conditions.
    score_means : str
        "probability of the same class" where one image was asked for and there are labels, "cosine" where there are
        none, "mean cosine" of several examples or a class, "similarity, less that to what is not meant".
    method : {"exact", "graph"}
        Whether every image was compared.
    recall : float
        Share of the true ten nearest that the method finds, as measured on the index's own images.
    seconds : float
        How long it took, the query's features included.
    notes : tuple of str
        What the user should know: images that have changed, for one.
    """

    hits: tuple[Hit, ...]
    query: str
    n_images: int
    n_allowed: int
    score_means: str
    method: str
    recall: float
    seconds: float
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, place: int) -> Hit:
        return self.hits[place]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "query": self.query,
            "n_images": self.n_images,
            "n_allowed": self.n_allowed,
            "score_means": self.score_means,
            "method": self.method,
            "recall": self.recall,
            "seconds": self.seconds,
            "notes": list(self.notes),
            "hits": [hit.to_dict() for hit in self.hits],
        }


@dataclass(frozen=True, slots=True)
class Identification:
    """Whether an image shows one of those enrolled, and whom.

    Attributes
    ----------
    name : str or None
        None for unknown.
    nearest : str
        The name of the most similar enrolled image, accepted or not.
    similarity, threshold : float
        Cosines; it is accepted above the threshold.
    false_accept_rate : float
        How often somebody who is not enrolled gets a name: at most so often where that is assured, about so often
        where it is not.
    accepted : float
        The share of images of those enrolled that get their own name at this threshold, as measured on theirs.
    n_strangers : int
        On how many images of others the threshold rests.
    n_names, names_needed : int
        Of how many names these are, and how many it takes to assure the rate.
    """

    name: str | None
    nearest: str
    similarity: float
    threshold: float
    false_accept_rate: float
    accepted: float
    n_strangers: int
    n_names: int
    names_needed: int

    @property
    def is_assured(self) -> bool:
        """Whether there are enough names to assure the rate."""
        return self.n_names >= self.names_needed

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "is_assured": self.is_assured}


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """What has become of the files of an index.

    Attributes
    ----------
    n_files : int
    changed, vanished : tuple of str
        Names of images.
    """

    n_files: int
    changed: tuple[str, ...]
    vanished: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"n_files": self.n_files, "changed": list(self.changed), "vanished": list(self.vanished)}
