"""Reading a manifest: what a good one gives, and every problem's message."""

import hashlib
import re
import shutil

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from paraspine import manifest, volumes
from paraspine.arrays import ManifestError, SettingsError
from paraspine.graph.cohort import read_cohort_info
from paraspine.manifest.problem import error
from paraspine.session import cohort_digest
from paraspine.volumes.parts import parts


def only(path, **options):
    """The one problem that there is."""
    found = manifest.problems(path, **options)
    assert len(found) == 1, "\n".join(map(str, found))
    with pytest.raises(ManifestError) as caught:
        manifest.read(path, **options)
    assert caught.value.problems == tuple(found)
    assert str(found[0]) in str(caught.value)
    assert found[0].remedy
    return found[0]


def says(problem, row, column, words, remedy):
    """Row, column, a piece of the problem and a piece of the remedy."""
    assert (problem.row, problem.column) == (row, column)
    assert re.search(words, problem.problem), problem
    assert re.search(remedy, problem.remedy), problem


def test_a_good_manifest(study):
    study.rows[1]["rater_B"] = ""
    study.rows[2]["age"] = "n/a"
    study.rows[0]["center"] = ""
    cohort = manifest.read(study.write())
    assert len(cohort) == 4
    assert cohort.raters == ("A", "B")
    assert cohort.subjects == ("sub-0", "sub-1", "sub-2", "sub-3")
    assert cohort.classes.names == ("background", "right MF", "left MF")
    assert cohort.table["age"].tolist()[:2] == [30, 35]
    assert np.isnan(cohort.table["age"][2])
    assert cohort.has("sex")
    assert not cohort.has("level")
    assert not cohort.has("center")  # a column without an entry
    assert cohort.image_path(0) == study.folder / "sub-0/t2.nii.gz"
    assert cohort.image_path(cohort.table.iloc[3]) == study.folder / "sub-3/t2.nii.gz"
    for row in (next(cohort.table.itertuples(index=index)) for index in (True, False)):
        assert cohort.image_path(row) == cohort.image_path(0)
    assert cohort.label_path(row, "B") == study.folder / "sub-0/B.nii.gz"
    assert cohort.label_path(1, "B") is None
    assert cohort.rated()["B"].tolist() == [True, False, True, True]
    with pytest.raises(SettingsError, match="one of A, B"):
        cohort.label_path(0, "C")
    assert (cohort.name, cohort.source, cohort.synthetic) == ("cohort", "cohort", False)
    assert cohort.intensity == {"kind": "MR", "window": None}
    assert cohort.notes == (
        "1 of 4 images are rated by some raters, not by all (a blank cell means not rated).",
    )
    some = cohort.select(cohort.table["sex"] == "F")
    assert some.table.index.tolist() == [0, 2]
    assert some.image_path(2) == cohort.image_path(2)


def test_words_of_the_json(study):
    study.json |= {"name": "Study", "source": "synthetic phantom", "synthetic": True}
    cohort = manifest.read(study.write())
    assert (cohort.name, cohort.source, cohort.synthetic) == ("Study", "synthetic phantom", True)
    del study.json["source"]
    assert manifest.read(study.write()).source == "synthetic: Study"


def test_blank_rows_spaces_and_byte_order_mark(study):
    path = study.write()
    lines = path.read_text().splitlines()
    lines[0] = lines[0].replace(",", " , ") + ",,"  # as spreadsheets leave them
    lines[1:] = [line + ",," for line in lines[1:]]
    lines[2] = lines[2].replace("sub-1,", " sub-1 ,")
    lines.insert(1, ",,,,,,,")
    lines.append("")
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert len(manifest.read(path)) == 4
    lines[2] = lines[2].replace("sub-0/A", "sub-0/none")
    path.write_text("\n".join(lines))
    says(only(path), 3, "rater_A", "no such file", "spelling")  # the blank row counts


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0].replace(",", ", "), *lines[1:]],
        lambda lines: [line + "," for line in lines],
        lambda lines: [lines[0], *(line + "," for line in lines[1:])],
        lambda lines: ["\ufeff" + lines[0], *lines[1:]],
        lambda lines: ["", *lines[:2], "", " , ,", *lines[2:]],
        lambda lines: [line.replace(",", " ,") + "  " for line in lines],
    ],
)
def test_check_plan_and_digest_read_the_same_cells(study, change):
    path = study.write()
    lines = path.read_text().splitlines()
    expected = manifest.read(path).table
    path.write_text("\r\n".join(change(lines)), encoding="utf-8")
    assert manifest.read(path).table.equals(expected)
    info = read_cohort_info(path)
    assert (info.raters, info.raters_of_an_image, info.subjects) == (("A", "B"), 2, 4)
    for name in ("sub-0/t2.nii.gz", "sub-3/A.nii.gz", "sub-3/B.nii.gz"):
        before = cohort_digest(path)
        file = study.folder / name
        file.write_bytes(file.read_bytes() + b"\n")
        assert cohort_digest(path) != before, name


@pytest.mark.parametrize("change", [(",", ";"), ("sub-2,", "sub-2,extra,"), ("sub-1,", "M\xfc,")])
def test_check_and_plan_refuse_the_same_text(study, change):
    text = study.write().read_text().replace(*change)
    study.path.write_bytes(text.encode("cp1252"))
    problem = only(study.path)
    with pytest.raises(ManifestError) as caught:
        read_cohort_info(study.path)
    assert caught.value.problems == (problem,)


def test_the_json_is_read_alike_with_a_byte_order_mark(study):
    study.json["parameters"] = {"epochs": 3}
    path = study.write()
    beside = path.with_suffix(".json")
    beside.write_bytes(b"\xef\xbb\xbf" + beside.read_bytes())
    assert manifest.read(path).metadata["parameters"] == {"epochs": 3}
    assert read_cohort_info(path).own == {"epochs": 3}


def test_a_key_that_stands_twice_in_the_json(study):
    beside = study.write().with_suffix(".json")
    beside.write_text(beside.read_text().replace('"1": "right MF"', '"1": "right MF", "1": "x"'))
    says(only(study.path), None, None, "key '1' stands twice", "all but one")


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr", ".hdr"])
def test_voxels_beside_their_header_count(study, suffix):
    name, image = f"sub-0/t2{suffix}", volumes.read(study.folder / "sub-0/t2.nii.gz")
    if suffix == ".hdr":
        whole = nibabel.load(study.folder / "sub-0/t2.nii.gz")
        pair = nibabel.Nifti1Pair(whole.get_fdata(dtype="f4"), whole.affine)
        pair.to_filename(study.folder / "sub-0/t2.hdr")
    else:
        picture = sitk.ReadImage(str(study.folder / "sub-0/t2.nii.gz"))
        sitk.WriteImage(picture, str(study.folder / name))
    study.rows[0]["image"] = name
    path = study.write()
    assert volumes.checksum(volumes.read(study.folder / name)) == volumes.checksum(image)
    assert len(manifest.read(path)) == 4
    (voxels,) = parts(study.folder / name)[1:]
    assert voxels.suffix in (".raw", ".img")
    study.rows[0]["sha256_image"] = hashlib.sha256((study.folder / name).read_bytes()).hexdigest()
    says(only(study.write()), 2, "image", "checksum", "restore")  # the header alone is no proof
    before = cohort_digest(path)
    voxels.write_bytes(voxels.read_bytes()[:-1] + b"\x07")
    assert cohort_digest(path) != before


@pytest.mark.parametrize(
    ("suffix", "change"),
    [
        (".mhd", (b"t2.raw", b"/etc/services")),
        (".mhd", (b"t2.raw", b"../sub-1/t2.raw")),
        (".mhd", (b"t2.raw", b"t2.%03d.raw 1 2 1")),
        (".mhd", (b"t2.raw", b"LIST\n/etc/services\n/etc/services")),
        (".nhdr", (b"t2.raw", b"../../../etc/services")),
        (".nhdr", (b"data file: t2.raw", b"datafile:  C:/secret.raw")),
    ],
)
def test_a_header_that_names_voxels_elsewhere(study, suffix, change):
    header = study.folder / f"sub-0/t2{suffix}"
    sitk.WriteImage(sitk.ReadImage(str(study.folder / "sub-0/t2.nii.gz")), str(header))
    header.write_bytes(header.read_bytes().replace(*change))
    study.rows[0]["image"] = f"sub-0/t2{suffix}"
    says(only(study.write()), 2, "image", "the header names the voxel file", "as one file")
    assert parts(header) == [header]


def test_no_manifest(tmp_path):
    says(only(tmp_path / "none.csv"), None, None, "no such manifest", "path")


@pytest.mark.parametrize(
    ("change", "row", "column", "words", "remedy"),
    [
        (lambda text: b"", None, None, "empty", "header"),
        (lambda text: b"\n\n", None, None, "empty", "header"),
        (lambda text: b"subject,image\n", None, None, "names no image", "one row per image"),
        (b"sub-1,:M\xfcller,", None, None, "line 3 holds a byte that is not UTF-8", "CSV UTF-8"),
        (lambda text: b"PK\x03\x04 and so on", None, None, "spreadsheet", "CSV UTF-8"),
        (b",:;", None, None, "parted by ';'", "commas"),
        (b",:\t", None, None, "parted by tabs", "commas"),
        (b'sub-2,:"sub-2,', None, None, "not a CSV", "quotation mark"),
        (b"sub-2,:sub-2,extra,", 4, None, "expected 6 cells.*, found 7", "quotation marks"),
        (b"image:Image", 1, "image", "no such column", "Rename 'Image'"),
        (b"image:picture", 1, "image", "no such column", "Add it"),
        (b"rater_B:rater_A", 1, "rater_A", "2 columns have this name", "Rename"),
        (b"rater_B:rater_", 1, "rater_", "no name", "rater_A"),
        (b"rater_B:rater_image", 1, "rater_image", "called 'image'", "another name"),
        (b"rater_B:Rater_B", 1, "Rater_B", "looks like a rater", "rater_B;"),
        (b"rater_B:rater b", 1, "rater b", "looks like a rater", "rater_b;"),
        (b"rater_B:RATER-B", 1, "RATER-B", "looks like a rater", "rater_B;"),
        (b",sex:,", 1, None, "column 4 has no name", "Name or remove"),
    ],
)
def test_text_that_is_no_manifest(study, change, row, column, words, remedy):
    text = study.write().read_bytes()
    study.path.write_bytes(change(text) if callable(change) else text.replace(*change.split(b":")))
    says(only(study.path), row, column, words, remedy)


def test_blank_subject_and_image(study):
    study.rows[1]["subject"] = ""
    says(only(study.write()), 3, "subject", "blank", "fill it in")
    study.rows[1]["subject"] = "sub-1"
    study.rows[2]["image"] = ""
    says(only(study.write()), 4, "image", "blank", "fill it in")


def test_ages_and_fat_fractions(study):
    for bad in ("forty", "-3", "420"):
        study.rows[0]["age"] = bad
        problem = only(study.write())
        says(problem, 2, "age", "0 to 125", "number")
        assert problem.value == bad
    study.rows[0] |= {"age": "", "fat": "1.2"}
    says(only(study.write()), 2, "fat", "fat fraction", "by 100")


def test_rater_who_rated_nothing(study):
    for row in study.rows:
        row["rater_C"] = ""
    says(only(study.write()), 1, "rater_C", "rated no image", "remove the column")


def test_two_sexes(study):
    study.rows[1]["subject"] = "sub-0"
    study.rows[1]["age"] = study.rows[0]["age"]
    problem = only(study.write())
    says(problem, 3, "sex", "subject sub-0 has sex F in row 2", "Correct one")
    assert problem.value == "M"


@pytest.mark.parametrize(("column", "values"), [("age", (30, 31)), ("center", ("x", "y"))])
def test_two_ages_or_centers_within_a_session(study, column, values):
    study.rows = study.rows[:2]
    for row, value in zip(study.rows, values, strict=True):
        row |= {"subject": "sub-0", "sex": "F", "age": 30, column: value}
    cohort = manifest.read(study.write())  # without sessions: perhaps two visits
    assert any(f"more than one {column}: 1" in n for n in cohort.notes)
    for row in study.rows:
        row["session"] = "1"
    says(only(study.write()), 3, column, f"session 1, has {column} {values[0]}", "Correct one")
    study.rows[1]["session"] = "2"
    assert len(manifest.read(study.write())) == 2


def test_a_file_named_twice(study):
    study.rows.append(dict(study.rows[0]) | {"rater_A": "", "rater_B": ""})
    says(only(study.write()), 6, "image", "stands in row 2 already", "one row per image")
    study.rows.pop()
    study.rows[1]["rater_A"] = "sub-0/./A.nii.gz"
    says(only(study.write()), 3, "rater_A", "stands in row 2 already", "this image")
    study.rows[1]["rater_A"] = study.rows[1]["rater_B"]
    says(only(study.write()), 3, "rater_B", "same file as rater_A in row 3", "own label map")


def test_path_that_leaves_the_folder(study, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    study.rows[0]["image"] = "sub-0/../../outside.nii.gz"
    says(only(study.write()), 2, "image", "leaves the manifest's folder", "--data-root")
    study.rows[0]["image"] = "..\\outside.nii.gz"
    says(only(study.write()), 2, "image", "leaves the manifest's folder", "--data-root")
    study.rows[0]["image"] = str(study.folder / "sub-0" / "t2.nii.gz")
    says(only(study.write()), 2, "image", "an absolute path", "--data-root")
    study.rows[0]["image"] = "C:\\data\\t2.nii.gz"
    says(only(study.write()), 2, "image", "an absolute path", "--data-root")
    study.rows[0]["image"] = "sub-0/../sub-0/t2.nii.gz"
    study.write()
    assert len(manifest.read(study.path)) == 4
    moved = other / "elsewhere.csv"
    shutil.copy(study.path, moved)
    shutil.copy(study.path.with_suffix(".json"), moved.with_suffix(".json"))
    assert len(manifest.problems(moved)) == 12
    cohort = manifest.read(moved, data_root=study.folder)
    assert cohort.image_path(1) == study.folder / "sub-1/t2.nii.gz"


@pytest.mark.parametrize(
    ("text", "words", "remedy"),
    [
        (None, "cohort.json: there is no such file", '"classes"'),
        (b'{"classes": {"0": "background",}\n', "line 1, column 3.: not valid JSON", "comma"),
        ('{"name": "Müller"}'.encode("latin-1"), "byte 11 is not UTF-8", "UTF-8"),
        (b"[1, 2]", "object in braces, found a list", "classes"),
    ],
)
def test_what_is_no_json(study, text, words, remedy):
    side = study.write().with_suffix(".json")
    side.unlink()
    if text is not None:
        side.write_bytes(text)
    says(only(study.path), None, None, words, remedy)


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        ({"classes": None}, "classes", "expected an object"),
        ({"classes": {"0": "background", "2": "x"}}, "classes", "without a gap"),
        ({"classes": {"a": "background"}}, "classes", "numbers as keys"),
        ({"mirror_pairs": [["right MF", "nose"]]}, "mirror_pairs", "nose"),
        ({"mirror_pairs": 3}, "mirror_pairs", "pairs of class names"),
        ({"colours": {"right MF": "#000000"}}, "colours", "left MF"),
        ({"synthetic": "no"}, "synthetic", "true or false"),
        ({"source": 3}, "source", "words"),
        ({"intensity": "MR"}, "intensity", "object in braces"),
        ({"intensity": {"kind": "PET"}}, "intensity.kind", "MR, CT, other"),
        ({"intensity": {"kind": "CT", "window": [250, -150]}}, "intensity.window", "low below"),
        ({"intensity": {"kind": "CT", "window": [250, 250]}}, "intensity.window", "low below"),
    ],
)
def test_what_the_json_says(study, change, key, words):
    study.json |= change
    says(only(study.write()), None, key, words, ".")


def test_a_json_that_is_silent_on_intensities(study):
    del study.json["intensity"]
    cohort = manifest.read(study.write())
    assert any("what the intensities are" in n for n in cohort.notes)
    assert cohort.intensity == {"kind": "other", "window": None}


def test_missing_file(study):
    study.rows[2]["rater_A"] = "sub-2/a.nii.gz"
    problem = only(study.write())
    says(problem, 4, "rater_A", "no such file", "capitals")
    assert problem.value == "sub-2/a.nii.gz"
    assert manifest.read(study.path, check_files=False).raters == ("A", "B")
    study.rows[2]["rater_A"] = "sub-2\\A.nii.gz"
    says(only(study.write()), 4, "rater_A", "no such file", "'/' in place of")


def test_missing_generated_file(study):
    study.json |= {"synthetic": True, "generator": {"name": "phantom"}}
    study.write()
    (study.folder / "sub-2/t2.nii.gz").unlink()
    says(only(study.path), 4, "image", "no such file", f"paraspine phantom {study.path}")


def test_unreadable_file(study):
    study.write()
    (study.folder / "sub-1/t2.nii.gz").write_bytes(b"nothing of the kind")
    says(only(study.path), 3, "image", "cannot be read", "damaged|viewer")
    study.put("sub-1/t2.nii.gz", np.random.default_rng(9).normal(size=(2, 6, 7)))
    (study.folder / "sub-1/note.txt").write_text("x")
    study.rows[1]["image"] = "sub-1/note.txt"
    says(only(study.write()), 3, "image", "not an image", "Convert|one of")


def test_fractions_in_a_label_map(study):
    study.put("sub-1/A.nii.gz", np.full((2, 6, 7), 0.3, np.float32))
    says(only(study.write()), 3, "rater_A", "whole numbers", "nearest-neighbour")


def test_shape_spacing_and_affine_that_differ(study):
    study.put("sub-0/A.nii.gz", np.ones((2, 6, 8), np.uint8))
    study.put("sub-1/A.nii.gz", np.ones((2, 6, 7), np.uint8), spacing=(4, 0.5, 0.6))
    image = volumes.read(study.folder / "sub-2/t2.nii.gz")
    affine = image.affine.copy()
    affine[0, 3] += 5
    study.put("sub-2/A.nii.gz", np.ones((2, 6, 7), np.uint8), image.spacing, affine)
    found = manifest.problems(study.write())
    assert [p.row for p in found] == [2, 3, 4]
    says(found[0], 2, "rater_A", "shape 2 x 6 x 8 against 2 x 6 x 7", "labels_onto")
    says(found[1], 3, "rater_A", "spacing 4 x 0.5 x 0.6 mm against 4 x 0.5 x 0.5", "labels_onto")
    says(found[2], 4, "rater_A", "first voxels lie 5 mm apart", "one header is wrong")


def test_another_orientation_of_the_same_grid_is_fine(study):
    import nibabel

    path = study.folder / "sub-0/A.nii.gz"
    image = nibabel.load(path)
    nibabel.save(nibabel.as_closest_canonical(image), path)
    assert nibabel.aff2axcodes(nibabel.load(path).affine) == ("R", "A", "S")
    assert not manifest.problems(study.write())


def test_label_values_outside_the_table(study):
    labels = volumes.read_labels(study.folder / "sub-3/B.nii.gz")
    array = labels.array.astype(np.int16)
    array[0, 0, :6] = 3, 4, 5, 6, 9, -1
    study.put("sub-3/B.nii.gz", array)
    problem = only(study.write())
    says(problem, 5, "rater_B", "values -1, 3, 4, 5, 6, 9 are not among", "JSON|renumber")
    assert "0 background, 1 right MF, 2 left MF" in problem.problem


def test_nan_and_constant_images(study):
    array = np.random.default_rng(1).normal(size=(2, 6, 7)).astype(np.float32)
    array[0, 0, :2] = np.nan, np.inf
    study.put("sub-0/t2.nii.gz", array)
    study.put("sub-1/t2.nii.gz", np.full((2, 6, 7), 7, np.int16))
    found = manifest.problems(study.write())
    assert len(found) == 2
    says(found[0], 2, "image", "2 of 84 voxels are NaN or infinite", "Replace")
    says(found[1], 3, "image", "every voxel is 7", "Export|remove")


def test_identical_images_under_two_subjects(study):
    image = volumes.read(study.folder / "sub-0/t2.nii.gz")
    # Another file: other bytes, other header, the same picture.
    study.put("sub-2/copy.nrrd", image.array, image.spacing)
    study.rows[2]["image"] = "sub-2/copy.nrrd"
    says(only(study.write()), 4, "image", r"same picture.*row 2 \(subject sub-0\)", "same subject")
    study.rows[2] |= {"subject": "sub-0"}
    study.rows[1] |= {"subject": "sub-0", "sex": "F"}  # another picture of the subject is fine
    assert "counts twice: rows 4." in notes_of(study)


def test_sagittal_slice(study):
    study.put("sub-0/t2.nii.gz", np.random.default_rng(0).normal(size=(6, 7, 1)))
    study.rows[0] |= {"rater_A": "", "rater_B": ""}
    says(only(study.write()), 2, "image", "not an axial slice.*right to left", "axial image")
    array = np.random.default_rng(0).normal(size=(6, 7, 2))
    for step, sagittal in ((0.7, False), (0.8, True)):  # nearly as fine along every axis, or not
        study.put("sub-0/t2.nii.gz", array, spacing=(0.5, 0.5, step))
        assert (
            "sagittal or coronal, rows 2"
            in notes_of(study).replace("; they are read as axial slices:", ",")
        ) is sagittal


def test_checksums(study):
    study.write()
    for row in study.rows:
        data = (study.folder / row["image"]).read_bytes()
        row["sha256_image"] = hashlib.sha256(data).hexdigest().upper()
        row["sha256_A"] = volumes.checksum(volumes.read_labels(study.folder / row["rater_A"]))
    assert not manifest.problems(study.write())  # of the file, or of the voxels
    study.rows[1]["sha256_image"] = "ab" * 32
    problem = only(study.write())
    data = (study.folder / study.rows[1]["image"]).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    says(problem, 3, "image", f"{found[:12]}.* is not the manifest's abababababab", found)
    assert not manifest.problems(study.path, check_sums=False)
    study.rows[1]["sha256_image"] = "12345"
    says(only(study.write()), 3, "sha256_image", "64 hexadecimal digits", "sha256sum")


def test_checksums_of_generated_images_are_a_note(study):
    """Another machine may round differently: said, with what to do, but no reason to stop."""
    study.json["generator"] = {"name": "phantom"}
    for row in study.rows[:2]:
        row |= {"sha256_image": "ab" * 32, "sha256_A": "cd" * 32}
    words = notes_of(study)
    assert "4 files have another checksum than the manifest states: rows 2, 3." in words
    assert f"paraspine phantom {study.path}" in words


def test_everything_at_once(study):
    study.rows[0] |= {"age": "old", "fat": "7"}
    study.rows[1]["rater_A"] = "nowhere.nii.gz"
    study.rows[2]["image"] = "../x.nii.gz"
    study.put("sub-3/t2.nii.gz", np.zeros((2, 6, 7), np.int16))
    study.json["intensity"] = {"kind": "PET"}
    study.write()
    found = manifest.problems(study.path)
    assert [(p.row, p.column) for p in found] == [
        (None, "intensity.kind"),
        (2, "age"),
        (2, "fat"),
        (3, "rater_A"),
        (4, "image"),
        (5, "image"),
    ]
    with pytest.raises(ManifestError) as caught:
        manifest.read(study.path)
    assert str(caught.value).startswith(f"{study.path}: 6 problems\n")


def test_a_long_list_is_cut_in_the_message_only(study):
    study.write()
    shutil.rmtree(study.folder / "sub-1")
    study.rows *= 9
    for i, row in enumerate(study.rows):
        study.rows[i] = dict(row) | {"image": f"{i}.nii.gz", "rater_A": "", "rater_B": f"{i}B.nii"}
        del study.rows[i]["rater_A"]
    with pytest.raises(ManifestError) as caught:
        manifest.read(study.write())
    assert len(caught.value.problems) == 72
    assert "and 52 more" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 22
    assert "more" not in str(error(study.path, caught.value.problems[:20]))


def notes_of(study):
    return " ".join(manifest.read(study.write()).notes)


def test_one_rater_or_none_is_allowed_and_said(study):
    for gone, words in (("B", "One rater only (A)"), ("A", "No rater")):
        for row in study.rows:
            del row[f"rater_{gone}"]
        assert words in notes_of(study)
    assert manifest.read(study.path).rated().shape == (4, 0)


def test_unknown_columns_are_kept_and_said(study):
    for row in study.rows:
        row["nodule"] = "7"
    assert "no meaning: nodule" in notes_of(study)
    assert manifest.read(study.path).table["nodule"].tolist() == ["7"] * 4


def test_background_alone_means_looked_and_saw_nothing(study):
    study.put("sub-0/A.nii.gz", np.zeros((2, 6, 7), np.uint8))
    assert "1 of 8 label maps are all background" in notes_of(study)
    study.rows[1] |= {"rater_A": "", "rater_B": ""}
    assert "1 of 4 images are rated by nobody" in notes_of(study)


def test_raters_who_are_copies(study):
    for row in study.rows:
        shutil.copy(study.folder / row["rater_A"], study.folder / row["rater_B"])
    for copies in (4, 3, 2, 1, 0):  # in the others both raters saw nothing, which is no copying
        words = f"A and B agree in every voxel of {copies} images"
        assert (words in notes_of(study)) == (copies > 1), copies
        for rater in "AB":
            study.put(study.rows[copies - 1][f"rater_{rater}"], np.zeros((2, 6, 7), np.uint8))


def test_names_that_hold_markup_are_said(study):
    study.json["name"] = "<img src=x onerror=alert(1)>"
    study.json["source"] = "age < 30 and > 20"  # no markup
    study.rows[0]["level"] = "[L4](javascript:alert(1))"
    (note,) = (n for n in manifest.read(study.write()).notes if "markup" in n)
    assert "<img src=x" in note
    assert "javascript:" in note
    assert "age <" not in note
