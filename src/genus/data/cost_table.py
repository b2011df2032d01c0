"""Reading what mistakes cost from a file."""

import json
from pathlib import Path
from typing import Any

from genus.data.tables import read_rows
from genus.errors import DataError


def read_costs(path: str | Path) -> dict[str, dict[str, Any]]:
    """Read costs by name: true class, then predicted class (see `genus.metrics.costs.Costs.of`).

    Parameters
    ----------
    path : path
        A CSV or TSV table: a row for each true class, which its first column names, and a column for each predicted
        one; empty cells are left out. Or JSON: `{"true": {"predicted": 5}}`.

    Raises
    ------
    DataError
        It cannot be read, or is no such table.
    """
    file = Path(path)
    if file.suffix.lower() == ".json":
        return _of_json(file)
    rows = read_rows(file)
    if not rows or len(rows[0]) < 2:
        raise DataError(f"{file}: expected a row for each true class and a column for each predicted one.")
    first = next(iter(rows[0]))
    return {
        str(row[first]): {
            name: cell for name, cell in row.items() if name != first and cell not in ("", None)
        }
        for row in rows
    }


def _of_json(file: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise DataError(f"{file}: cannot read the costs: {error.strerror}.") from error
    except ValueError as error:
        raise DataError(f"{file}: not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise DataError(f'{file}: expected costs by name, such as {{"true": {{"predicted": 5}}}}.')
    return found
