"""A manifest from a BIDS folder."""

import numpy as np
import pandas as pd
import pytest

from paraspine import manifest, volumes
from paraspine.arrays import ManifestError, SettingsError
from paraspine.manifest.bids import from_bids


def put(path, seed, labels=False):
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 3, (1, 5, 6)).astype(np.uint8)
    if not labels:
        array = rng.integers(0, 900, (1, 5, 6)).astype(np.int16)
    else:
        array[0, 0, 0] = 2
    return volumes.write(path, volumes.from_array(array, (4, 0.5, 0.5)))


@pytest.fixture
def bids(tmp_path):
    folder = tmp_path / "study"
    for i, sub in enumerate(("01", "02", "03")):
        put(folder / f"sub-{sub}/anat/sub-{sub}_T2w.nii.gz", i)
        put(folder / f"sub-{sub}/anat/sub-{sub}_T1w.nii.gz", 50 + i)
        for r, rater in enumerate(("anna", "ben")):
            if (sub, rater) != ("02", "ben"):
                name = f"sub-{sub}_desc-{rater}_dseg.nii.gz"
                put(folder / f"derivatives/manual/sub-{sub}/anat/{name}", 10 * i + r + 100, True)
    (folder / "derivatives/manual/dseg.tsv").write_text(
        "index\tname\tcolor\n1\tright multifidus\t#f00\n2\tleft multifidus\t#0f0\n"
    )
    (folder / "participants.tsv").write_text(
        "participant_id\tage\tsex\tsite\nsub-01\t34\tF\tMontreal\nsub-02\t89+\tM\tn/a\n"
    )
    (folder / "dataset_description.json").write_text('{"Name": "Back study"}')
    return folder


def test_a_data_set(bids):
    path = from_bids(bids)
    assert path == bids / "data_manifest.csv"
    cohort = manifest.read(path)
    assert cohort.raters == ("anna", "ben")
    assert cohort.subjects == ("sub-01", "sub-02", "sub-03")
    assert cohort.table["image"][0] == "sub-01/anat/sub-01_T2w.nii.gz"
    assert cohort.label_path(1, "ben") is None
    assert cohort.label_path(2, "ben").name == "sub-03_desc-ben_dseg.nii.gz"
    assert cohort.table["age"].tolist()[:2] == [34, 89]
    assert cohort.table["age"].isna().tolist() == [False, False, True]
    assert cohort.table["sex"].tolist()[:2] == ["F", "M"]
    assert cohort.table["center"][0] == "Montreal"
    assert cohort.classes.names == ("background", "right multifidus", "left multifidus")
    assert cohort.classes.pairs == (("right multifidus", "left multifidus"),)
    assert (cohort.name, cohort.synthetic) == ("Back study", False)
    assert cohort.table["sha256_image"].notna().all()
    first = path.read_bytes()
    assert from_bids(bids).read_bytes() == first
    other = pd.read_csv(from_bids(bids, suffix="T1w"))
    assert other["image"][0] == "sub-01/anat/sub-01_T1w.nii.gz"


def test_sessions_runs_and_other_entities(tmp_path):
    folder = tmp_path / "study"
    seed = 0
    for ses in ("1", "2"):
        for run in ("1", "2"):
            stem = f"sub-01_ses-{ses}_run-{run}"
            put(folder / f"sub-01/ses-{ses}/anat/{stem}_T2w.nii.gz", seed := seed + 1)
            label = f"{stem}_space-orig_res-2_den-1_label-MF_desc-A_dseg.nii"
            put(folder / f"derivatives/x/sub-01/ses-{ses}/anat/{label}", seed + 90, True)
    cohort = manifest.read(from_bids(folder))
    assert cohort.table["session"].tolist() == ["1", "1", "2", "2"]
    for row in cohort.table.itertuples():
        image, label = cohort.image_path(row).name, cohort.label_path(row, "A").name
        assert label.startswith(image.removesuffix("_T2w.nii.gz"))


def test_derivative_names_rater_without_desc(bids):
    for sub in ("01", "03"):
        name = f"sub-{sub}_T2w_dseg.nii.gz"
        put(bids / f"derivatives/second/sub-{sub}/anat/{name}", 300 + int(sub), True)
    cohort = manifest.read(from_bids(bids))
    assert cohort.raters == ("anna", "ben", "second")
    assert cohort.rated()["second"].tolist() == [True, False, True]
    only = manifest.read(from_bids(bids, derivatives="second"))
    assert only.raters == ("second",)


def test_same_rater_name_in_two_derivatives(bids):
    name = "sub-01_desc-anna_dseg.nii.gz"
    put(bids / f"derivatives/second/sub-01/anat/{name}", 300, True)
    cohort = manifest.read(from_bids(bids))
    assert set(cohort.raters) == {"manual-anna", "ben", "second-anna"}


@pytest.mark.parametrize(
    ("file", "text", "names"),
    [
        ("dseg.tsv", "index\tname\n2\tMF_R\n1\tMF_L\n", ("MF_L", "MF_R")),
        ("dseg.json", '{"2": "r psoas", "1": "L psoas"}', ("L psoas", "r psoas")),
        ("dseg.json", '{"Left-ES": 1, "right-es": 2}', ("Left-ES", "right-es")),
        ("dseg.json", '{"LabelMap": {"1": "ES (L)", "2": "ES (R)"}}', ("ES (L)", "ES (R)")),
        ("dseg.json", '{"classes": {"1": "left", "2": "leftover"}}', ("left", "leftover")),
        ("dseg.json", '{"Note": "names none"}', ("class 1", "class 2")),
    ],
)
def test_class_tables_and_their_left_right_pairs(bids, file, text, names):
    (bids / "derivatives/manual/dseg.tsv").unlink()
    (bids / "derivatives/manual" / file).write_text(text)
    classes = manifest.read(from_bids(bids)).classes
    assert classes.names == ("background", *names)
    assert classes.pairs == (() if names[1] in ("leftover", "class 2") else (names,))


@pytest.mark.parametrize("word", ["center", "Centre"])
def test_names_of_the_centre_column(bids, word):
    people = bids / "participants.tsv"
    people.write_text(people.read_text().replace("site", word))
    assert manifest.read(from_bids(bids)).table["center"][0] == "Montreal"


def test_output_elsewhere(bids, tmp_path):
    path = from_bids(bids, tmp_path / "cohort.csv")
    assert pd.read_csv(path)["image"][0] == "study/sub-01/anat/sub-01_T2w.nii.gz"
    assert len(manifest.read(path)) == 3
    assert from_bids(bids, tmp_path) == tmp_path / "data_manifest.csv"
    with pytest.raises(SettingsError, match=r"may not leave its folder.*write to .*study"):
        from_bids(bids, tmp_path / "other" / "cohort.csv")
    (bids / "derivatives/manual").rename(tmp_path / "manual")
    with pytest.raises(SettingsError, match=r"may not leave its folder.*manual lies outside"):
        from_bids(bids, derivatives=tmp_path / "manual")
    with pytest.raises(SettingsError, match=r"ends in \.csv"):
        from_bids(bids, bids / "cohort.tsv")


def test_annexed_files_are_links(bids, tmp_path):
    image = bids / "sub-01/anat/sub-01_T2w.nii.gz"
    image.rename(tmp_path / "object")
    image.symlink_to(tmp_path / "object")
    table = pd.read_csv(from_bids(bids))
    assert table["image"][0] == "sub-01/anat/sub-01_T2w.nii.gz"
    (tmp_path / "object").unlink()  # not fetched yet
    path = from_bids(bids)
    [problem] = manifest.problems(path)
    assert (problem.row, problem.problem) == (2, "no such file")


def test_nothing_found(bids, tmp_path):
    with pytest.raises(SettingsError, match="no such folder"):
        from_bids(tmp_path / "none")
    with pytest.raises(ManifestError, match=r"no image sub-\*/anat.*end in _T1w, _T2w.*suffix"):
        from_bids(bids, suffix="FLAIR")
    with pytest.raises(ManifestError, match="no image"):
        from_bids(bids / "derivatives")
    with pytest.raises(SettingsError, match=r"no folder .*nobody.*there are: manual"):
        from_bids(bids, derivatives="nobody")
    (bids / "derivatives").rename(bids / "labels")
    with pytest.raises(ManifestError, match=r"found 3 images but no label map derivatives"):
        from_bids(bids)


def test_names_that_do_not_match(bids):
    anat = bids / "derivatives/manual/sub-01/anat"
    put(anat / "sub-09_desc-anna_dseg.nii.gz", 1, True)
    put(anat / "sub-01_run-2_desc-anna_dseg.nii.gz", 2, True)
    put(bids / "sub-03/anat/sub-03_run-2_T2w.nii.gz", 3)
    put(bids / "sub-02/anat/sub-02_acq-x_run-1_T2w.nii.gz", 4)
    put(bids / "sub-02/anat/sub-02_acq-x_run-2_T2w.nii.gz", 5)
    put(bids / "derivatives/manual/sub-02/anat/sub-02_acq-x_desc-ben_dseg.nii.gz", 6, True)
    with pytest.raises(ManifestError) as caught:
        from_bids(bids)
    text = "\n".join(map(str, caught.value.problems))
    assert len(caught.value.problems) == 3
    assert "sub-09_desc-anna_dseg.nii.gz: no image has the same entities" in text
    assert "sub-01_run-2_desc-anna_dseg.nii.gz: no image" in text
    assert "sub-02_acq-x_desc-ben_dseg.nii.gz: fits 2 images" in text


def test_two_label_maps_of_one_rater(bids):
    anat = bids / "derivatives/manual/sub-01/anat"
    put(anat / "sub-01_space-orig_desc-anna_dseg.nii.gz", 1, True)
    with pytest.raises(ManifestError, match="rater anna has two label maps"):
        from_bids(bids)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("index\tname\n1\tMF\n5\tES\n", "without a gap"),
        ("number\tlabel\n1\tMF\n", "'index'"),
        ("index\tname\n1\tMF\n2\tMF\n", "different names"),
    ],
)
def test_bad_class_tables(bids, text, words):
    (bids / "derivatives/manual/dseg.tsv").write_text(text)
    with pytest.raises(ManifestError, match=words):
        from_bids(bids)


def test_bad_participants(bids):
    (bids / "participants.tsv").write_text("participant_id,age\nsub-01,3\n")
    with pytest.raises(ManifestError, match="parted by tabs"):
        from_bids(bids)
