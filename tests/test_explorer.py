"""The explorer with a list for each choice: what it stores, refuses, and does in a browser."""

import base64
import json
import math
import re
import zlib

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from paraspine import figures
from paraspine.anatomy import ClassTable
from paraspine.arrays import LabelError, SettingsError, ShapeError
from paraspine.figures.encode import TOP_CODE, encode_map, grey_levels
from paraspine.figures.explorer import path_of

SOURCE = "synthetic phantom"
TWO = ClassTable(("background", "nodule"))
LIMIT = math.log(2)
#: Subject, level, network and method of every view; b has no L4, the wide network no ensemble.
THERE = [
    (subject, level, network, method)
    for subject, level in (("a", "L3"), ("a", "L4"), ("b", "L3"))
    for network, method in (("unet", "dropout"), ("unet", "ensemble"), ("wide", "dropout"))
]


def view(place=THERE[0], **changes) -> figures.View:
    """A slice whose arrays depend on its choices alone."""
    subject, level, network, method = place
    slices = [("a", "L3"), ("a", "L4"), ("b", "L3")].index((subject, level))
    ways = ["unetdropout", "unetensemble", "widedropout"].index(network + method)
    labels = np.zeros((2, 8, 10), np.uint8)
    labels[0, 2:5, 2 + slices : 6] = labels[1, 2:4, 2 + slices : 6] = 1
    ramp = np.linspace(0, 1, 80).reshape(8, 10)
    maps = {"GT entropy": ramp * LIMIT, "epistemic": ramp * LIMIT * (1 + ways + 3 * slices) / 9}
    given = {
        "image": ramp + slices, "title": " ".join(place), "labels": labels,
        "prediction": np.roll(labels[0], ways, axis=1), "maps": maps,
        "titles": {"epistemic": f"epistemic: {method}"}, "notes": {},
        "choices": dict(zip(("subject", "level", "network", "method"), place, strict=True)),
    }  # fmt: skip
    return figures.View(**given | changes)


def page(made: figures.Explorer) -> str:
    """A page with nothing else on it."""
    return f'<!doctype html><meta charset="utf-8"><body style="margin: 16px">{made.fragment}'


def explorer(views=None, **changes) -> figures.Explorer:
    given = {"classes": TWO, "source": SOURCE, "spacing": (2.0, 1.0)} | changes
    return figures.slice_explorer(views or [view(p) for p in THERE], **given)


def content(made: figures.Explorer) -> dict:
    return json.loads(re.search(r'json">(.*?)</script>', made.fragment, re.DOTALL)[1])


def unpacked(text: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)


def area(path: str) -> float:
    """Pixels within a path (shoelace formula), pieces and holes summed by their sense."""
    total = 0.0
    for piece in re.findall(r"M([^l]+)l([^z]+)z", path):
        start, steps = (np.array(p.split(), int).reshape(-1, 2) for p in piece)
        x, y = np.cumsum(np.concatenate([start, steps]), axis=0).T
        total += (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2
    return abs(total) / 4


def test_every_choice_has_a_list_and_every_view_its_place():
    found = content(explorer())
    assert found["lists"] == [["a", "b"], ["L3", "L4"], ["unet", "wide"], ["dropout", "ensemble"]]
    places = [tuple(lists[i] for lists, i in zip(found["lists"], v["at"], strict=True))
              for v in found["views"]]  # fmt: skip
    assert places == THERE
    assert found["panels"] == ["image", "raters", "prediction", "GT entropy", "epistemic"]
    assert found["limits"] == dict.fromkeys(["GT entropy", "epistemic"], LIMIT)


def test_views_without_choices_are_chosen_by_title():
    views = [view(choices={}, title=title) for title in ("a, L3", "a, L4", "a, L3")]
    found = content(explorer(views))
    assert found["lists"] == [["a, L3", "a, L4", "a, L3 (2)"]]
    assert [v["at"] for v in found["views"]] == [[0], [1], [2]]
    assert ">Slice<" in explorer(views).fragment


def test_a_map_has_a_scale_of_its_own_where_it_has_a_limit():
    made = explorer(limits={"epistemic": LIMIT / 2, "absent": 3.0}, crop=2.0)
    found = content(made)
    assert found["limits"] == {"GT entropy": LIMIT, "epistemic": LIMIT / 2}
    (number,) = {v["maps"]["epistemic"] for v in found["views"][:1]}
    np.testing.assert_array_equal(
        unpacked(found["arrays"][number]).reshape(8, 10),
        encode_map(view().maps["epistemic"], LIMIT / 2),
    )
    bars = re.findall(r"<div>([^<>]*)<div class=.pe-bar", made.fragment)
    assert bars == ["GT entropy (nats)", "epistemic (nats)"]
    assert re.findall(r">([^<>]*)</span></div></div>", made.fragment) == ["ln 2 = 0.69", "0.347"]
    assert "all maps" in explorer().fragment
    assert " checked>" in made.fragment  # begins with the close-up
    assert " checked>" not in explorer().fragment
    assert found["views"][0]["near"] == [0, 7, 2, 10]  # rows 2 to 4 of 2 mm, columns 2 to 5


def test_arrays_are_kept_and_equal_ones_once():
    found = content(explorer())
    for place, shown in zip(THERE, found["views"], strict=True):
        given = view(place)
        grey = unpacked(found["arrays"][shown["image"]]).reshape(shown["shape"])
        np.testing.assert_array_equal(grey, grey_levels(given.image))
        for name, number in shown["maps"].items():
            codes = unpacked(found["arrays"][number]).reshape(shown["shape"])
            np.testing.assert_array_equal(codes, encode_map(given.maps[name], LIMIT))
            np.testing.assert_allclose(
                codes * found["limits"][name] / found["top"],
                given.maps[name],
                atol=LIMIT / 2 / TOP_CODE,
            )
    # the pictures differ by a constant only, which the grey window takes away
    pictures = {v["image"] for v in found["views"]}
    maps = {v["maps"]["epistemic"] for v in found["views"]}
    assert len(pictures) == 1
    assert len({v["maps"]["GT entropy"] for v in found["views"]}) == 1
    assert len(maps) == 9
    paths = json.loads(unpacked(found["paths"]).tobytes())
    assert len(paths) == len(set(paths))


def test_outlines_hold_the_area_of_their_mask_less_the_cut_corners():
    mask = np.zeros((8, 10), bool)
    mask[2:5, 3:7] = True
    assert area(path_of(mask)) == 3 * 4 - 4 / 8  # an eighth of a pixel at each corner
    assert path_of(mask).count(" ") < 30  # straight lines are one step
    mask[0, 0] = mask[7, 9] = True
    assert path_of(mask).count("M") == 3
    assert area(path_of(mask)) == 12 - 0.5 + 2 * 0.5
    ring = np.ones((5, 5), bool)
    ring[2, 2] = False
    assert area(path_of(ring)) == 25 - 0.5 - 0.5
    assert path_of(np.zeros((3, 3), bool)) == ""


def test_every_class_has_its_outline_and_a_rater_one_for_all():
    labels = np.zeros((2, 8, 10), np.uint8)
    labels[:, 1:3, 1:3], labels[:, 4:7, 4:8] = 1, 2
    given = view(labels=labels, rated=np.array([False, True]), prediction=labels[0])
    made = explorer([given], classes=ClassTable(("background", "small", "large")))
    paths = json.loads(unpacked(content(made)["paths"]).tobytes())
    (shown,) = content(made)["views"]
    assert [area(paths[number]) for number in shown["prediction"]] == [4 - 0.5, 12 - 0.5]
    ((rater, number),) = shown["raters"]
    assert rater == 1
    assert area(paths[number]) == 16 - 1


def test_it_says_source_scale_and_names_and_loads_nothing():
    made = explorer(raters=["anna", "b<en"], detail="of 3 & 4", unit="variance")
    assert "synthetic phantom · of 3 &amp; 4" in made.fragment
    assert "all maps (variance)" in made.fragment
    assert "ln 2 = 0.69" in made.fragment
    assert "b&lt;en" in made.fragment
    assert "nodule" in made.fragment
    assert not re.findall(r"""(?:src|href)\s*=|url\(|import\s*\(|fetch\s*\(""", made.fragment)
    assert "not seen" not in made.fragment.split("<script")[0]
    holes = view(maps={"GT entropy": np.full((8, 10), np.nan)})
    assert "not seen" in explorer([holes]).fragment.split("<script")[0]
    assert made._repr_html_() == made.fragment
    assert len(repr(made)) < 200


def test_words_cannot_end_the_script():
    words = "</script><!--"
    made = explorer([view(notes={"aleatoric": words}, titles={"image": words})], title=words)
    assert words not in made.fragment
    assert content(made)["views"][0]["notes"] == {"aleatoric": words}


@pytest.mark.parametrize(
    ("views", "error", "words"),
    [
        ([view(), view(choices={})], SettingsError, "has the choices none"),
        ([view(), view(choices={"subject": "a"})], SettingsError, "first view has subject, level"),
        ([view(), view()], SettingsError, "a, L3, unet, dropout"),
        ([view(prediction=np.zeros((3, 3), int))], ShapeError, "prediction"),
        ([view(prediction=np.full((8, 10), 2))], LabelError, "prediction"),
    ],
)
def test_views_that_do_not_fit_are_refused(views, error, words):
    with pytest.raises(error, match=words):
        explorer(views)


def test_settings_are_checked():
    with pytest.raises(SettingsError, match="at least one"):
        figures.slice_explorer([], classes=TWO, source=SOURCE)
    with pytest.raises(SettingsError, match="synthetic phantom"):
        explorer(source=" ")
    with pytest.raises(SettingsError, match="expected 2 names"):
        explorer(raters=["anna"])


def test_a_page_of_many_slices_stays_small():
    """A slice of 128 x 128 through 14 ways of sampling costs less than 150 KB (3 MB for 20)."""
    rows, columns = np.mgrid[:128, :128]
    rng = np.random.default_rng(0)
    distance = np.hypot(rows - 70, columns - 64) - 30
    labels = np.stack([(distance < r) for r in range(3)]).astype(np.uint8)
    image = rng.random((128, 128))
    views = [
        view(
            image=image, labels=labels, prediction=(distance < way / 5).astype(np.uint8),
            maps={"epistemic": LIMIT * np.exp(-((distance - way / 5) ** 2) / 4)
                  + 0.004 * rng.random((128, 128))},
            choices={"method": str(way)},
        )
        for way in range(14)
    ]  # fmt: skip
    one, all_of_them = (len(explorer(v).fragment) for v in (views[:1], views))
    assert all_of_them < 150_000
    assert one < 50_000


# ------------------------------------------------------------------ in the browser


@pytest.fixture(scope="module")
def opened(browser, chromium, tmp_path_factory):
    """A page with the explorer twice, and what went wrong in it."""
    holes = view()
    holes.maps["epistemic"][0, 0] = np.nan
    lacking = view(THERE[3], maps={}, notes={"epistemic": "no samples of this network"})
    made = explorer(
        [holes, *(view(p) for p in THERE[1:3]), lacking, *map(view, THERE[4:])], crop=1.0
    )
    file = tmp_path_factory.mktemp("explorer") / "page.html"
    file.write_text(page(made) + made.fragment)
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium, args=browser.FLAGS)
        tab = program.new_page(viewport={"width": 800, "height": 1200})
        tab.problems = []
        tab.on("pageerror", lambda e: tab.problems.append(str(e)))
        tab.on("request", lambda r: tab.problems.append(r.url) if r.url[:4] == "http" else None)
        tab.goto(file.as_uri())
        yield tab
        program.close()


@pytest.fixture
def first(opened):
    """The first explorer as it is when the page opens."""
    opened.reload()
    opened.wait_for_function(
        "[...document.querySelectorAll('.paraspine-explorer')]"
        ".every(e => e.dataset.state === 'drawn')"
    )
    for box in opened.get_by_label("close-up").all():
        box.uncheck()
    for place in opened.locator(".paraspine-explorer").all():
        drawn(place)
    yield opened.locator(".paraspine-explorer").first
    assert opened.problems == []


def drawn(place) -> None:
    """Wait until what was chosen last is there."""
    expect(place).to_have_attribute("data-state", "drawn")


def choose(place, **values):
    for name, value in values.items():
        place.get_by_label(name.capitalize()).select_option(value)
    drawn(place)


def chosen(place) -> tuple:
    return tuple(place.locator("select").evaluate_all(
        "all => all.map(s => s.selectedOptions[0].textContent)"
    ))  # fmt: skip


def codes(place, panel: int) -> np.ndarray:
    """Colours of a panel, ``(H, W, 4)``."""
    shape, values = (
        place.locator("canvas")
        .nth(panel)
        .evaluate(
            "c => [[c.height, c.width], [...c.getContext('2d').getImageData("
            "0, 0, c.width, c.height).data]]"
        )
    )
    return np.array(values).reshape(*shape, 4)


def read(place, panel: int, row: int, column: int) -> str:
    """What the explorer says of a pixel of an 8 x 10 slice."""
    box = place.locator(".pe-box").nth(panel)
    size = box.bounding_box()
    place.page.mouse.move(0, 0)
    place.page.mouse.move(
        size["x"] + size["width"] * (column + 0.5) / 10,
        size["y"] + size["height"] * (row + 0.5) / 8,
    )
    return place.locator(".pe-read").text_content()


def test_the_lists_are_independent(first):
    seen = {}
    for place in THERE:
        choose(first, **dict(zip(("subject", "level", "network", "method"), place, strict=True)))
        assert chosen(first) == place
        seen[place] = read(first, 4, 7, 9)
    top = {p: float(re.search(r"epistemic: \w+ ([\d.]+)", s)[1]) for p, s in seen.items()
           if p != THERE[3]}  # fmt: skip
    expected = {p: view(p).maps["epistemic"][7, 9] for p in top}
    assert top == pytest.approx(expected, abs=LIMIT / TOP_CODE)


def test_what_is_not_there_cannot_be_chosen_and_comes_back(first):
    choose(first, level="L4", method="ensemble")
    choose(first, subject="b")
    assert chosen(first) == ("b", "L3", "unet", "ensemble")
    choose(first, network="wide")
    assert chosen(first) == ("b", "L3", "wide", "dropout")
    closed = first.locator("option:disabled").all_text_contents()
    assert closed == ["L4 (none)", "ensemble (none)"]
    choose(first, subject="a", network="unet")
    assert chosen(first) == ("a", "L4", "unet", "ensemble")


def test_lists_work_by_keyboard(first):
    first.get_by_label("Method").focus()
    first.page.keyboard.press("ArrowDown")
    drawn(first)
    assert chosen(first) == THERE[1]
    assert first.locator(".pe-title").all_text_contents()[-1] == "epistemic: ensemble"


def test_panels_show_their_arrays(first):
    picture, truth = codes(first, 0), codes(first, 3)
    np.testing.assert_array_equal(picture[..., 0], grey_levels(view().image))
    assert truth[0, 0].tolist() == [0, 0, 4, 255]  # the ends of Inferno
    assert truth[7, 9].tolist() == [252, 255, 164, 255]
    assert codes(first, 4)[0, 0].tolist() == [128, 136, 144, 255]  # not seen
    assert "epistemic: dropout not seen" in read(first, 0, 0, 0)
    assert "GT entropy 0.693" in read(first, 0, 7, 9)
    assert read(first, 0, 7, 9).startswith("9.0 mm, 14.0 mm")
    ratio = first.locator(".pe-box").first.evaluate("b => b.clientHeight / b.clientWidth")
    assert ratio == pytest.approx(8 * 2 / 10, rel=0.02)


def test_outlines_lie_around_what_they_outline(first):
    box = first.locator(".pe-box").nth(2)
    frame, line = box.bounding_box(), box.locator("path").first.bounding_box()
    left, top = (line[k] - frame[k] for k in "xy")
    assert left / frame["width"] == pytest.approx(2 / 10, abs=0.02)  # columns 2 to 5
    assert line["width"] / frame["width"] == pytest.approx(4 / 10, abs=0.03)
    assert top / frame["height"] == pytest.approx(2 / 8, abs=0.02)
    assert line["height"] / frame["height"] == pytest.approx(3 / 8, abs=0.03)


def test_a_note_stands_where_a_map_is_missing(first):
    choose(first, level="L4")
    assert first.locator(".pe-note:visible").all_text_contents() == [
        "not there", "no samples of this network"
    ]  # fmt: skip
    choose(first, method="ensemble")
    assert first.locator(".pe-note:visible").count() == 0


def test_another_explorer_on_the_page_is_its_own(first):
    other = first.page.locator(".paraspine-explorer").nth(1)
    choose(other, subject="b")
    assert chosen(first) == THERE[0]
    assert chosen(other)[0] == "b"


def test_close_up_stays_inside_the_slice(first):
    def seen() -> list[float]:
        return list(map(float, first.locator("svg").first.get_attribute("viewBox").split(",")))

    assert seen() == [-0.5, -1, 10, 16]
    first.get_by_label("close-up").check()
    drawn(first)
    left, top, wide, high = seen()
    assert wide / high == pytest.approx(10 / 16)
    assert wide < 10
    # columns 2 to 5 and rows 2 to 4 are marked: 1 to 6 mm and 3 to 9 mm with the margin
    assert -0.5 <= left <= 1 < 6 <= left + wide
    assert -1 <= top <= 3 < 9 <= top + high
    assert "GT entropy" in read(first, 0, 3, 3)
