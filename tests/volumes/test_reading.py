"""Reading: orientation, formats, and what a user is told when a file is no good."""

import gzip
import re

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from paraspine import volumes
from paraspine.arrays import GeometryError, ImageError, LabelError, ShapeError, SpacingError


def numbered(shape):
    """Every voxel has a value of its own, so that it can be found again."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def oblique(rng, degrees=180.0, flip=True):
    """A random right-angled affine: rotation up to `degrees`, spacing, permutation and flips."""
    axis = rng.normal(size=3)
    angle = np.radians(rng.uniform(0, degrees))
    matrix = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()
    if flip:
        matrix = matrix[:, rng.permutation(3)] * rng.choice([-1, 1], 3)
    affine = np.eye(4)
    affine[:3, :3] = matrix * rng.uniform(0.3, 5, 3)
    affine[:3, 3] = rng.uniform(-100, 100, 3)
    return affine


def save(path, array, affine):
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


def test_reads_lps_by_hand(tmp_path):
    # Voxel axes R, A, S: in LPS order rows and columns are flipped and axes reversed.
    array = numbered((2, 3, 4))  # R, A, S
    volume = volumes.read(save(tmp_path / "a.nii", array, np.diag([0.5, 0.7, 4, 1])))
    assert volume.array.shape == (4, 3, 2)
    assert volume.array.dtype == np.float32
    assert volume.spacing == pytest.approx((4, 0.7, 0.5))
    assert volume.array[0, 0, 0] == array[1, 2, 0]
    # Column 0 is the patient's right: the highest R coordinate.
    world = volume.affine @ [0, 0, 0, 1]
    assert world[:3] == pytest.approx([0.5, 1.4, 0])
    assert volume.array[3, 2, 1] == array[0, 0, 3]


@pytest.mark.parametrize("seed", range(6))
def test_orientation_matches_simpleitk_dicomorient(tmp_path, seed):
    rng = np.random.default_rng(seed)
    affine = oblique(rng, degrees=35)
    path = save(tmp_path / "a.nii.gz", numbered((3, 4, 5)), affine)
    image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    volume = volumes.read(path)
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(volume.spacing, image.GetSpacing()[::-1], rtol=1e-5)
    np.testing.assert_allclose(volume.affine[:3, 3] * (-1, -1, 1), image.GetOrigin(), atol=1e-3)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([".nii", ".nrrd", ".mha"]))
def test_every_voxel_stays_where_it_was(tmp_path_factory, seed, suffix):
    rng = np.random.default_rng(seed)
    affine = oblique(rng)
    array = numbered(tuple(rng.integers(1, 5, 3)))
    path = tmp_path_factory.mktemp("v") / f"a{suffix}"
    if suffix == ".nii":
        save(path, array, affine)
    else:
        image = sitk.GetImageFromArray(array.T)
        lps = np.diag([-1.0, -1, 1, 1]) @ affine
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        image.SetSpacing(spacing)
        image.SetDirection((lps[:3, :3] / spacing).ravel())
        image.SetOrigin(lps[:3, 3])
        sitk.WriteImage(image, str(path))
    volume = volumes.read(path)
    assert volume.array.size == array.size
    for value in rng.choice(array.ravel(), min(5, array.size)):
        old = affine @ [*(int(n[0]) for n in np.where(array == value)), 1]
        new = volume.affine @ [*(int(n[0]) for n in np.where(volume.array == value)), 1]
        np.testing.assert_allclose(new, old, atol=1e-3)


def test_sform_comes_before_qform(tmp_path):
    image = nibabel.Nifti1Image(numbered((2, 2, 2)), np.diag([1, 2, 3, 1]))
    image.set_qform(np.diag([9, 9, 9, 1]), code=1)
    image.set_sform(np.diag([1, 2, 3, 1]), code=1)
    nibabel.save(image, tmp_path / "a.nii.gz")
    assert volumes.read(tmp_path / "a.nii.gz").spacing == pytest.approx((3, 2, 1))


def test_raw_slope_is_applied(tmp_path):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((1, 1, 3))
    header["scl_slope"], header["scl_inter"] = 2.0, 5.0
    header.set_sform(np.eye(4), code=1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    path = tmp_path / "a.nii"
    path.write_bytes(header.binaryblock + b"\0" * 4 + np.array([0, 1, 2], dtype="<i2").tobytes())
    assert volumes.read(path).array.ravel().tolist() == [5, 7, 9]


def test_units_other_than_millimetres(tmp_path):
    for unit, factor in (("meter", 1000), ("micron", 0.001), ("mm", 1)):
        image = nibabel.Nifti1Image(numbered((2, 2, 2)), np.diag([0.5, 0.7, 2, 1]))
        image.header.set_xyzt_units(unit)
        nibabel.save(image, tmp_path / "a.nii")
        spacing = volumes.read(tmp_path / "a.nii").spacing
        assert spacing == pytest.approx((2 * factor, 0.7 * factor, 0.5 * factor))


def test_two_dimensional_files(tmp_path):
    affine = np.diag([0.5, 0.5, 3, 1])
    save(tmp_path / "a.nii", numbered((4, 5)), affine)
    assert volumes.read(tmp_path / "a.nii").array.shape == (1, 5, 4)
    save(tmp_path / "b.nii", numbered((4, 5, 1, 1)), affine)
    assert volumes.read(tmp_path / "b.nii").array.shape == (1, 5, 4)
    image = sitk.GetImageFromArray(numbered((4, 5)))
    image.SetSpacing((0.5, 0.7))
    for suffix in ("nrrd", "mha"):
        sitk.WriteImage(image, str(tmp_path / f"c.{suffix}"))
        volume = volumes.read(tmp_path / f"c.{suffix}")
        np.testing.assert_array_equal(volume.array[0], numbered((4, 5)))
        assert volume.spacing == pytest.approx((1, 0.7, 0.5))


def test_labels_come_as_small_integers(tmp_path):
    labels = np.zeros((2, 2, 2), np.float32)
    labels[0, 0, 0] = 3
    volume = volumes.read_labels(save(tmp_path / "a.nii", labels, np.eye(4)))
    assert volume.array.dtype == np.uint8
    assert volume.array.max() == 3
    labels[0, 0, 0] = -1
    assert volumes.read_labels(save(tmp_path / "b.nii", labels, np.eye(4))).array.min() == -1
    labels[0, 0, 0] = 300
    assert volumes.read_labels(save(tmp_path / "c.nii", labels, np.eye(4))).array.max() == 300
    for bad in (0.5, 2.99, np.nan):
        labels[0, 0, 0] = bad
        with pytest.raises(LabelError, match=r"whole numbers.*nearest-neighbour"):
            volumes.read_labels(save(tmp_path / "d.nii", labels, np.eye(4)))


def rejects(path, *words):
    """The error names the file and holds each word."""
    with pytest.raises(ImageError) as caught:
        volumes.read(path)
    message = str(caught.value)
    assert str(path) in message
    for word in words:
        assert re.search(word, message), message
    return message


def test_missing_empty_and_foreign_files(tmp_path):
    rejects(tmp_path / "none.nii.gz", "no such file", "check the path")
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    rejects(tmp_path / "empty.nii.gz", "empty", "again")
    text, zeros = b"this is no image\n" * 100, gzip.compress(b"\0" * 400)
    for name, data in (("a.nii", text), ("a.nii.gz", text), ("b.nii.gz", zeros)):
        (tmp_path / name).write_bytes(data)
        rejects(tmp_path / name, "cannot be read", "damaged")
    (tmp_path / "text.mha").write_text("ElementSpacing = 1 1\nnothing else")
    message = rejects(tmp_path / "text.mha", "cannot be read")
    assert "\n" not in message
    assert "Exception" not in message
    (tmp_path / "notes.docx").write_text("x")
    rejects(tmp_path / "notes.docx", "not an image", r"\.nii\.gz", r"\.nrrd")
    (tmp_path / "unknown").write_text("x")
    rejects(tmp_path / "unknown", "not an image")
    (tmp_path / "fake.dcm").write_text("x" * 300)
    rejects(tmp_path / "fake.dcm", "cannot be read")
    (tmp_path / "folder").mkdir()
    rejects(tmp_path / "folder", "no DICOM series")


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_cut_short(tmp_path, suffix, share):
    rng = np.random.default_rng(0)
    volume = volumes.from_array(rng.normal(size=(2, 30, 30)), (1, 1, 1))
    path = volumes.write(tmp_path / f"a{suffix}", volume)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    rejects(path, "cannot be read|no voxel spacing|no usable")


def test_several_numbers_per_voxel(tmp_path):
    save(tmp_path / "time.nii", np.zeros((2, 3, 4, 5), np.float32), np.eye(4))
    rejects(tmp_path / "time.nii", "one number per voxel", r"\(2, 3, 4, 5\)", "file of its own")
    colour = sitk.GetImageFromArray(np.zeros((4, 5, 3), np.uint8), isVector=True)
    sitk.WriteImage(colour, str(tmp_path / "colour.mha"))
    rejects(tmp_path / "colour.mha", "3 components", "file of its own")
    rgb = np.zeros((2, 2, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    save(tmp_path / "rgb.nii", rgb, np.eye(4))
    rejects(tmp_path / "rgb.nii", "one number per voxel")
    save(tmp_path / "complex.nii", np.zeros((2, 2, 2), np.complex64), np.eye(4))
    rejects(tmp_path / "complex.nii", "complex")


def test_without_spacing(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5), np.uint8)), str(tmp_path / "a.png"))
    rejects(tmp_path / "a.png", "PNG picture states no voxel spacing", "from_array")
    data = np.zeros((4, 5), np.uint8).tobytes()
    (tmp_path / "a.nrrd").write_bytes(
        b"NRRD0004\ntype: uchar\ndimension: 2\nsizes: 5 4\nencoding: raw\n\n" + data
    )
    rejects(tmp_path / "a.nrrd", "states no voxel spacing", "space directions")
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), None)
    image.header["sform_code"] = 1
    nibabel.save(image, tmp_path / "a.nii")
    rejects(tmp_path / "a.nii", "no usable voxel spacing", "export it again")


def test_real_images(shared_data):
    folder = shared_data / "lidc-0181"
    image = volumes.read(folder / "sub-0181_crop-00_ct.nii.gz")
    assert image.array.shape == (1, 96, 96)
    assert image.spacing[1:] == pytest.approx((0.78125, 0.78125))
    assert -1100 < image.array.min() < -900  # air, in Hounsfield units
    labels = volumes.read_labels(folder / "sub-0181_crop-00_rater-1.nii.gz")
    assert set(np.unique(labels.array)) == {0, 1}
    assert volumes.geometry_difference(image, labels) is None
    folder = shared_data / "myosegmentum-tum01"
    water, labels = (
        volumes.read(folder / "water.nii.gz"),
        volumes.read_labels(folder / "labels.nii.gz"),
    )
    assert water.array.shape == labels.array.shape == (29, 400, 400)
    assert water.spacing == pytest.approx((4, 1.0185, 1.0185), abs=1e-4)
    # 1 and 2 lie on the patient's right: low columns.
    columns = [np.nonzero(labels.array == c)[2].mean() for c in (1, 2, 3, 4)]
    assert columns == sorted(columns)


def test_geometry_difference_says_what():
    a = volumes.from_array(np.zeros((2, 10, 12)), (4, 0.5, 0.5))
    assert volumes.geometry_difference(a, a) is None
    b = volumes.from_array(np.zeros((2, 10, 13)), (4, 0.5, 0.5))
    assert volumes.geometry_difference(a, b) == "shape 2 x 10 x 12 against 2 x 10 x 13 (D x H x W)"
    c = volumes.from_array(np.zeros((2, 10, 12)), (4, 0.5, 0.6))
    assert "spacing 4 x 0.5 x 0.5 mm against 4 x 0.5 x 0.6 mm" in volumes.geometry_difference(a, c)
    moved = a.affine.copy()
    moved[0, 3] += 3
    d = volumes.from_array(a.array, a.spacing, moved)
    assert "first voxels lie 3 mm apart" in volumes.geometry_difference(a, d)
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("z", 5, degrees=True).as_matrix()
    e = volumes.from_array(a.array, a.spacing, turn @ a.affine)
    assert "turned by 5.00 degrees" in volumes.geometry_difference(a, e)
    for shift, same in ((0.004, True), (0.006, False)):  # a hundredth of the smallest side, 0.5 mm
        near = a.affine.copy()
        near[0, 3] += shift
        found = volumes.geometry_difference(a, volumes.from_array(a.array, a.spacing, near))
        assert (found is None) == same
    assert volumes.geometry_difference(a, volumes.Grid((2, 10, 12), a.affine)) is None


def test_volume_checks_itself():
    with pytest.raises(ShapeError, match=r"array\[None\]"):
        volumes.Volume(np.zeros((2, 2)), (1, 1, 1), np.eye(4))
    with pytest.raises(SpacingError):
        volumes.from_array(np.zeros((2, 2)), (0, 1))
    with pytest.raises(GeometryError, match="columns"):
        volumes.Volume(np.zeros((2, 2, 2)), (1, 1, 2), np.eye(4))
    flat = np.eye(4)
    flat[:3, 1] = flat[:3, 0]
    with pytest.raises(GeometryError, match="same way"):
        volumes.Volume(np.zeros((2, 2, 2)), (1, 1, 1), flat)
    assert volumes.from_array(np.zeros((2, 3)), (0.5, 0.7)).spacing == (1, 0.5, 0.7)


def test_checksum_sees_the_picture_alone(tmp_path):
    rng = np.random.default_rng(0)
    volume = volumes.from_array(rng.normal(size=(2, 5, 6)).astype(np.float32), (4, 0.5, 0.5))
    sums = {
        volumes.checksum(volumes.read(volumes.write(tmp_path / f"a{s}", volume)))
        for s in volumes.WRITABLE
    }
    assert sums == {volumes.checksum(volume)}
    other = volumes.from_array(volume.array + 1, volume.spacing)
    assert volumes.checksum(other) not in sums
    flat = volumes.from_array(volume.array.reshape(1, 10, 6), volume.spacing)
    assert volumes.checksum(flat) not in sums
    zeros = [volumes.from_array(np.full((2, 2), sign * 0.0), (1, 1)) for sign in (1, -1)]
    assert volumes.checksum(zeros[0]) == volumes.checksum(zeros[1])
