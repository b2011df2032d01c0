"""Registries: names for parts, listed without importing, found with help for typing mistakes."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from itertools import product
from typing import Any

import pytest

from genus import registry
from genus.classify.heads import HEADS
from genus.errors import ParameterError
from genus.features.backbone import BACKBONES
from genus.registry import Registry

REGISTRIES = [BACKBONES, HEADS]


def colours() -> Registry:
    return Registry(
        "colour", {"red": "fractions:Fraction", "green": "decimal:Decimal", "blue": "nowhere:Nothing"}
    )


def test_listing_imports_nothing() -> None:
    code = (
        "import sys\nfrom genus.registry import Registry\n"
        "r = Registry('part', {'a': 'fractions:Fraction'})\n"
        "assert list(r) == ['a'] and 'a' in r and len(r) == 1\nassert 'fractions' not in sys.modules\n"
        "assert r.get('a').__name__ == 'Fraction'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_get_imports_the_named_part() -> None:
    from decimal import Decimal

    assert colours().get("green") is Decimal


def test_the_order_is_the_given_one() -> None:
    assert list(colours()) == ["red", "green", "blue"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gren", "no colour named 'gren'. Did you mean 'green'?"),
        ("xyz", "no colour named 'xyz'. There are: red, green, blue."),
        ("", "There are: red, green, blue"),
    ],
)
def test_a_wrong_name_suggests_right_ones(name: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message.replace("?", r"\?")):
        colours().get(name)


def test_a_new_name_can_be_added_but_none_replaced() -> None:
    parts = colours()
    parts.add("pink", "datetime:date")
    assert parts.get("pink").__name__ == "date" and len(parts) == 4
    with pytest.raises(ParameterError, match="a colour named 'red' exists already"):
        parts.add("red", "datetime:date")


def test_registries_do_not_share_their_names() -> None:
    first, second = colours(), colours()
    first.add("pink", "datetime:date")
    assert "pink" not in second


def test_what_is_no_name_is_not_in_a_registry() -> None:
    assert 3 not in colours() and None not in colours()


def with_entry_points(monkeypatch: pytest.MonkeyPatch, **targets: str) -> list[str]:
    asked: list[str] = []

    def found(group: str) -> list[EntryPoint]:
        asked.append(group)
        return [EntryPoint(name, target, group) for name, target in targets.items()]

    monkeypatch.setattr(registry, "entry_points", found)
    return asked


def test_other_packages_add_parts_through_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = with_entry_points(monkeypatch, mauve="decimal:Decimal", broken="no_such_package:Thing")
    parts = Registry("colour", {"red": "fractions:Fraction"}, entry_point_group="tests.colours")
    assert asked == [], "entry points are read on first use"
    assert list(parts) == ["red", "mauve", "broken"], "and listed without being loaded"
    assert parts.get("mauve").__name__ == "Decimal"
    assert asked == ["tests.colours"], "once"


def test_an_entry_point_cannot_replace_a_built_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    with_entry_points(monkeypatch, red="decimal:Decimal")
    parts = Registry("colour", {"red": "fractions:Fraction"}, entry_point_group="tests.colours")
    assert parts.get("red").__name__ == "Fraction"


@pytest.mark.parametrize(
    ("parts", "name"),
    [pair for r in REGISTRIES for pair in product([r], r)],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_every_built_in_part_exists(parts: Registry, name: str) -> None:
    part: Any = parts.get(name)
    assert part is not None


@pytest.mark.parametrize("parts", REGISTRIES, ids=lambda r: r.kind)
def test_a_registry_has_at_least_two_parts(parts: Registry) -> None:
    assert len(parts) >= 2
