"""The few kinds of error Genus raises.

Every error says where it happened, what was expected, what came and what to do about it::

    GenusError
    |-- ParameterError     a parameter has a value that cannot work (also a ValueError)
    |-- DataError          the data as a whole cannot be used (also a ValueError)
    |-- ImageError         one image cannot be read: `.source`, `.reason`
    |-- ModelFileError     a model file is foreign, corrupt or too new
    |-- EngineError        an inference engine is missing or failed
    |-- OutputError        something cannot be written (also an OSError)
    `-- MissingExtraError  a feature needs an extra that is not installed (also an ImportError)

On the command line each becomes one line on stderr and exit code 2.
"""


class GenusError(Exception):
    """Base of every error that Genus raises on purpose."""


class ParameterError(GenusError, ValueError):
    """A parameter has a value that cannot work."""


class DataError(GenusError, ValueError):
    """The data as a whole cannot be used: nothing there, one class, a missing column ..."""


class ImageError(GenusError):
    """One image cannot be read.

    Parameters
    ----------
    source : str
        The image's name: its path as given, or its place in a table or list.
    reason : str
        What is wrong with it, in a few words: "truncated JPEG: 40% of the rows are missing".
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason

    def __reduce__(self) -> tuple[type["ImageError"], tuple[str, str]]:
        return ImageError, (self.source, self.reason)


class ModelFileError(GenusError):
    """A model file is not one of ours, is corrupt, or was written by a newer version."""


class EngineError(GenusError):
    """An inference engine is missing, or failed on this model."""


class OutputError(GenusError, OSError):
    """Something cannot be written: no permission, no space, or it exists already."""


class MissingExtraError(GenusError, ImportError):
    """A feature needs an extra that is not installed.

    Parameters
    ----------
    feature : str
        What was asked for, as the subject of a sentence: "Reading Parquet tables".
    extra : str
        The extra's name in `pip install "genus[extra]"`.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f'{feature} needs the extra {extra!r}: pip install "genus[{extra}]"')
        self.feature = feature
        self.extra = extra

    def __reduce__(self) -> tuple[type["MissingExtraError"], tuple[str, str]]:
        """Let it travel between processes."""
        return type(self), (self.feature, self.extra)
