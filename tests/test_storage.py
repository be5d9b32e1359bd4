"""Files that are whole or absent, and a cache that is hit, survives damage and is never wrong."""

import os
import threading

import numpy as np
import pytest

from paraspine import storage
from paraspine.arrays import RunError, ShapeError


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with storage.atomic(path) as temporary:
            assert temporary.parent == tmp_path
            assert temporary.suffix == ".txt"
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_folders_are_made_and_nothing_written_is_refused(tmp_path):
    path = storage.write_bytes(tmp_path / "b" / "c.bin", b"old")
    os.link(path, tmp_path / "reader")  # who has the old file open keeps it
    storage.write_bytes(path, b"abc")
    assert (tmp_path / "reader").read_bytes() == b"old"
    assert path.read_bytes() == b"abc"
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert storage.sha256(path) == expected
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode  # others may read it too
    with pytest.raises(RunError, match="nothing was written"), storage.atomic(tmp_path / "d"):
        pass


@pytest.fixture
def squares(tmp_path):
    """The cached square of a number, and a list of those that were really computed."""
    computed = []

    def make(number):
        computed.append(number)
        return np.full((2, 3), float(number) ** 2)

    def load(arrays):
        if arrays["square"].shape != (2, 3):
            raise ShapeError("expected (2, 3)")
        return arrays["square"]

    def square(number, **options):
        options = {"save": lambda square: {"square": square}, "load": load} | options
        recipe = {"number": number, "version": 1}
        return storage.cached(tmp_path / "cache", recipe, lambda: make(number), **options)

    square.folder, square.computed = tmp_path / "cache", computed
    return square


def test_what_was_made_is_found_again(squares):
    for number in (3, 4, 3, 4, 3):
        np.testing.assert_array_equal(squares(number), np.full((2, 3), number**2))
    assert squares.computed == [3, 4]
    assert sorted(p.suffix for p in squares.folder.rglob("*") if p.is_file()) == [".npz", ".npz"]
    squares(5, save=lambda square: None)  # not to be kept
    assert len(list(squares.folder.rglob("*.npz"))) == 2
    squares(5)
    assert squares.computed == [3, 4, 5, 5]


@pytest.mark.parametrize("compress", [False, True])
def test_a_damaged_entry_is_made_anew_wherever_the_damage_is(squares, compress):
    expected = squares(3, compress=compress)
    (entry,) = squares.folder.rglob("*.npz")
    whole = entry.read_bytes()
    places = range(0, len(whole), 2)
    flipped = [whole[:k] + bytes([whole[k] ^ 255]) + whole[k + 1 :] for k in places]
    for damaged in (b"", b"no", whole[: len(whole) // 2], *flipped):
        entry.write_bytes(damaged)
        np.testing.assert_array_equal(squares(3, compress=compress), expected)
    assert len(flipped) / 2 < len(squares.computed) - 1  # the rest are bytes that nobody reads
    for other in ({"cube": expected}, {"square": expected[:1]}, {"square": np.array([{}])}):
        computed = len(squares.computed)
        np.savez(entry, **other)
        np.testing.assert_array_equal(squares(3), expected)
        assert len(squares.computed) == computed + 1
        assert squares(3).shape == (2, 3)  # repaired
        assert len(squares.computed) == computed + 1


def test_entries_that_were_not_used_for_longest_go(squares):
    for age, number in ((30, 1), (20, 2), (10, 3)):
        before = set(squares.folder.rglob("*.npz"))
        squares(number)
        (entry,) = set(squares.folder.rglob("*.npz")) - before
        os.utime(entry, (1e9 - age, 1e9 - age))
    squares(1, most=3)  # used just now
    squares(4, most=3)
    assert len(list(squares.folder.rglob("*.npz"))) == 3
    del squares.computed[:]
    for number in (1, 3, 4, 2):
        squares(number)
    assert squares.computed == [2]


def test_threads_share_a_folder(squares):
    found = []
    threads = [threading.Thread(target=lambda: found.append(squares(3))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [f[0, 0] for f in found] == [9] * 4
    assert len(list(squares.folder.rglob("*"))) == 2  # one entry in one folder
