"""Duplicates: exact and near ones found, others left alone."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_sample_images

from genus.data.duplicates import duplicate_groups
from genus.errors import DataError
from genus.images.phash import hamming, perceptual_hash


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=60), st.integers(0, 10))
def test_bands_find_every_pair_within_the_distance(values: list[int], distance: int) -> None:
    hashes = np.array(values, np.uint64)
    groups = duplicate_groups([str(i) for i in range(len(values))], hashes, max_distance=distance)
    for i in range(len(values)):
        near = np.flatnonzero(hamming(hashes[i], hashes) <= distance)
        if len(near) == 2:  # a pair by itself, unless its other half is nearer to a third
            other = near[near != i][0]
            if (hamming(hashes[other], hashes) <= distance).sum() == 2:
                assert groups[i] == groups[other]


@given(st.lists(st.integers(0, 2**12), min_size=2, max_size=60))
def test_members_are_near_their_representative_not_chained(values: list[int]) -> None:
    hashes = np.array(values, np.uint64)
    groups = duplicate_groups([str(i) for i in range(len(values))], hashes, max_distance=2)
    for group in np.unique(groups):
        members = hashes[groups == group]
        assert min(max(hamming(one, members)) for one in members) <= 2


def test_identical_files_are_together_whatever_their_hash() -> None:
    hashes = np.array([0, 2**40 - 1, 2**20], np.uint64)
    assert duplicate_groups(["same", "other", "same"], hashes).tolist() == [0, 1, 0]


def test_features_must_agree() -> None:
    hashes = np.zeros(3, np.uint64)  # three plain pictures: their hashes say nothing
    features = np.eye(3, dtype=np.float32)
    features[1] = features[0]
    assert duplicate_groups(["a", "b", "c"], hashes, features).tolist() == [0, 0, 1]


def test_recompressed_and_resized_photographs_are_found() -> None:
    hashes, names = [], []
    for k, photo in enumerate(load_sample_images().images):
        versions = [
            photo,
            cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
            cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR),
            np.clip(photo * 1.1 + 5, 0, 255).astype(np.uint8),
        ]
        hashes += [perceptual_hash(np.ascontiguousarray(version)) for version in versions]
        names += [f"{k}-{i}" for i in range(len(versions))]
    assert duplicate_groups(names, np.array(hashes, np.uint64)).tolist() == [0] * 4 + [1] * 4


def test_sixty_thousand_images_take_seconds() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 60_000).astype(np.uint64)
    hashes[1] = hashes[0] ^ np.uint64(0b101)
    groups = duplicate_groups([str(i) for i in range(60_000)], hashes)
    assert groups[0] == groups[1]
    assert len(np.unique(groups)) == 59_999


def test_thousands_of_plain_pictures_stay_bounded() -> None:
    hashes = np.zeros(3000, np.uint64)
    features = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)
    groups = duplicate_groups([str(i) for i in range(3000)], hashes, features, min_cosine=0.9999)
    assert len(np.unique(groups)) > 2900


def test_lengths_must_agree() -> None:
    with pytest.raises(DataError, match="2 content hashes"):
        duplicate_groups(["a", "b"], np.zeros(3, np.uint64))


def test_real_near_duplicates(shared_data: Path) -> None:
    folder = shared_data / "imagededup_fixtures" / "mixed_images"
    files = sorted(p for p in folder.iterdir() if p.suffix == ".jpg")
    hashes, names = [], []
    for path in files:
        picture = cv2.imread(str(path))
        if picture is not None:
            hashes.append(perceptual_hash(np.ascontiguousarray(picture[:, :, ::-1])))
            names.append(path.name)
    groups = dict(zip(names, duplicate_groups(names, np.array(hashes, np.uint64)).tolist(), strict=True))
    assert groups["ukbench00120.jpg"] == groups["ukbench00120_resize.jpg"]
    assert groups["ukbench00120.jpg"] != groups["ukbench09268.jpg"]
