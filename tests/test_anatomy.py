"""Class tables: numbers, sides, mirror pairs, colours."""

import pytest

from paraspine.anatomy import COLOURS, ClassTable

NAMES = ("background", "left MF", "disc", "right MF")


def test_mirroring_exchanges_the_pairs_and_keeps_the_rest():
    table = ClassTable(NAMES, (("left MF", "right MF"),))
    assert table.mirror == (0, 3, 2, 1)
    assert table.num_classes == 4
    assert [table.side(name) for name in NAMES] == [None, "left", None, "right"]
    assert ClassTable(("background", "disc", "canal")).mirror == (0, 1, 2)


@pytest.mark.parametrize("name", ["left MF", "MF left", "psoas-LEFT", "left_ES"])
def test_a_side_without_its_partner_is_not_mirrored(name):
    assert ClassTable(("background", name, "cleft")).mirror is None
    assert ClassTable(("background", "cleft")).mirror == (0, 1)


def test_there_and_back_through_json_in_any_order():
    table = ClassTable(NAMES, (("left MF", "right MF"),), ("#111111", "#222222", "#333333"))
    block = table.to_json()
    assert ClassTable.from_json(block) == table
    for key in ("classes", "colours"):
        block[key] = dict(reversed(block[key].items()))
    assert ClassTable.from_json(block) == table
    assert ClassTable.from_json({"classes": list(NAMES)}).names == NAMES


def test_more_classes_than_colours_begin_again():
    names = tuple(f"class {i}" for i in range(len(COLOURS) + 3))
    assert ClassTable(names).colours == (*COLOURS, *COLOURS[:2])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ((("background",),), "at least one more"),
        ((("background", "a", "a"),), "different names"),
        ((NAMES, (("left MF", "nose"),)), "nose"),
        ((NAMES, (("left MF", "background"),)), "background"),
        ((NAMES, (("left MF", "right MF"), ("disc", "right MF"))), "two pairs"),
        ((NAMES, (), ("#000000",)), "expected 3, one per class"),
    ],
)
def test_tables_that_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        ClassTable(*settings)
