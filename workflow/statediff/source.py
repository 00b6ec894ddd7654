"""Opening users' files: h5ad of any age and origin, zarr stores, MuData, counts of 10x.

Any other file is refused with what it is and how to convert it.
"""

import errno
from contextlib import contextmanager
from pathlib import Path

import h5py

from statediff import InputError
from statediff.elements import attribute, children, is_array
from statediff.h5ad import Source, TenX

__all__ = ["open_source"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# What a file that is not HDF5 begins with, what that is, and what to do about it.
FOREIGN = (
    (
        b"version https://git-lfs",
        "a pointer of Git LFS, not the data",
        "fetch it with git lfs pull",
    ),
    (b"\x1f\x8b", "compressed by gzip, or an RDS file of R", "unpack it with gunzip"),
    (b"PK\x03\x04", "a zip archive", "unpack it"),
    (b"BZh", "compressed by bzip2", "unpack it with bunzip2"),
    (b"\xfd7zXZ", "compressed by xz", "unpack it with unxz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it with unzstd"),
    (b"RDX", "an R workspace", "convert it in R"),
    (b"<", "a web page, perhaps that of a failed download", "download the file itself"),
    (b"%%MatrixMarket", "a Matrix Market file", "read it with scanpy.read_mtx"),
)
OF_R = (
    "in R, anndataR::write_h5ad (or zellkonverter::writeH5AD) converts a SingleCellExperiment or "
    "Seurat object to h5ad"
)
# Endings of files of R.
R_FILES = (".rds", ".rda", ".rdata", ".qs", ".qs2")
ZARR = (".zgroup", "zarr.json", ".zmetadata")
# Groups that hold several AnnData: of MuData, and of SpatialData.
CONTAINERS = ("mod", "tables")


@contextmanager
def open_source(path, modality=None):
    """Open a user's file for reading.

    Parameters
    ----------
    path : path
        An h5ad or h5mu file, a zarr store, or an h5 file of counts by 10x Genomics.
    modality : str, optional
        Which of several AnnData, where the file holds several.

    Yields
    ------
    Source

    Raises
    ------
    InputError
        If the file can't be read; the message says what it is and how to convert it.
    """
    path = Path(path)
    root = _open_zarr(path) if path.is_dir() else _open_hdf5(path)
    try:
        _refuse_other_files(root, path)
        yield _recognised(root, path, modality)
    finally:
        if isinstance(root, h5py.File):
            root.close()


def _open_zarr(path):
    if not any((path / name).is_file() for name in ZARR):
        hint = (
            "; scanpy.read_10x_mtx reads it" if [*path.glob("*matrix.mtx*")] else ""
        )  # fmt: skip
        raise InputError(
            f"{path}: a folder, but no zarr store{hint}; expected an h5ad file (dataset.source)"
        )
    import zarr

    try:
        return zarr.open_group(path, mode="r", use_consolidated=False)
    except Exception as error:
        raise InputError(f"{path}: a zarr store that can't be opened ({error})") from None


def _open_hdf5(path):
    import hdf5plugin  # noqa: F401 - compression filters beside those of HDF5

    try:
        with open(path, "rb") as file:
            begin = file.read(4096)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(
            f"{path}: can't be opened ({error.strerror}); expected leave to read"
        ) from None
    # HDF5 allows a block of the user's own before its signature.
    if not any(begin[offset:].startswith(SIGNATURE) for offset in (0, 512, 1024, 2048)):
        _refuse_foreign(path, begin)
    try:
        # Where the file system has no locks, none is asked for.
        return h5py.File(path, "r", locking="best-effort")
    except OSError as error:
        if error.errno == errno.EAGAIN or "lock" in str(error):
            raise InputError(
                f"{path}: locked: another program has it open for writing, such as a notebook "
                'with backed="r+"; close it there'
            ) from None
        if "truncated" in str(error):
            raise InputError(
                f"{path}: truncated ({error}); copy or download the file again"
            ) from None
        raise InputError(
            f"{path}: a damaged HDF5 file ({error}); copy or download the file again"
        ) from None


def _refuse_other_files(root, path):
    """Refuse a file that takes data from other files: results could carry any of this machine."""
    if isinstance(root, h5py.File):
        outside = _linked_outside(root)
    else:
        inside = path.resolve()
        links = (link for link in path.rglob("*") if link.is_symlink())
        outside = next(
            (
                f"{link.relative_to(path)} is a link to {str(link.readlink())!r}"
                for link in links
                if not link.resolve().is_relative_to(inside)
            ),
            None,
        )
    if outside:
        raise InputError(
            f"{path}: {outside}, outside the file; write the data themselves into the file "
            "(dataset.source)"
        )


def _linked_outside(file):
    """The first link or data set of an HDF5 file whose data are in another file; or None."""

    def look(name, link):
        if isinstance(link, h5py.ExternalLink):
            return f"{name} is an external link to {link.filename!r}"
        if isinstance(link, h5py.HardLink) and isinstance(element := file[name], h5py.Dataset):
            if element.external:
                return f"{name} has external storage, {element.external[0][0]!r}"
            if element.is_virtual:
                sources = {source.file_name for source in element.virtual_sources()}
                return f"{name} is a virtual data set of {', '.join(map(repr, sorted(sources)))}"
        return None

    return file.visititems_links(look)


def _refuse_foreign(path, begin):
    """Say what a file is that is not HDF5."""
    what, do = "not an h5ad file", "expected an AnnData written with write_h5ad"
    if path.suffix.lower() in R_FILES:
        what, do = "a file of R", OF_R
    elif not begin:
        what, do = "empty", "copy or download the file again"
    else:
        for start, kind, remedy in FOREIGN:
            if begin.lstrip().startswith(start):
                what, do = f"not an h5ad file, but {kind}", remedy
                break
    raise InputError(f"{path}: {what}; {do} (dataset.source)")


def _recognised(root, path, modality):
    """The AnnData in an open file, by what the file holds."""
    found = set(children(root))
    for container in CONTAINERS:
        if container in found and (container == "tables" or "MuData" in _encoding(root, path)):
            return _modality(root, path, container, modality)
    if modality is not None:
        raise InputError(
            f"dataset.modality: found {modality!r}, expected null: {path} is no MuData (h5mu)"
        )
    if {"obs", "var"} <= found:
        return Source(root, path)
    if group := _tenx_group(root):
        return TenX(root[group], path)
    if {"row_attrs", "col_attrs", "matrix"} <= found:
        what, do = "a loom file", "scanpy.read_loom(…).write_h5ad(…) converts it"
    elif "cell.names" in found or {"assays", "meta.data"} <= found:
        what, do = "a file of SeuratDisk (h5Seurat)", f"SeuratDisk::Convert converts it; or {OF_R}"
    elif h5_like := {"X", "layers"} & found:
        what, do = (
            f"no h5ad: it holds {', '.join(sorted(h5_like))}, but not obs and var",
            "complete it",
        )
    else:
        names = ", ".join(sorted(found)[:10]) or "nothing"
        what = f"an HDF5 file but no h5ad: it holds {names}, not obs and var"
        do = "expected an AnnData written with write_h5ad"
    raise InputError(f"{path}: {what}; {do} (dataset.source)")


def _encoding(root, path):
    encoding = str(attribute(root, "encoding-type", ""))
    return "MuData" if not encoding and path.suffix == ".h5mu" else encoding


def _modality(root, path, container, modality):
    """One of several AnnData in a file, with the annotation that all of them share."""
    names = sorted(children(root[container]))
    if modality is None and len(names) == 1:
        (modality,) = names
    if modality not in names:
        raise InputError(
            f"dataset.modality: found {modality!r}, expected one of those of {path}: "
            f"{', '.join(names)}"
        )
    shared = root if container == "mod" and "obs" in root else None
    return Source(root[container][modality], path, shared, prefix=f"{modality}:")


def _tenx_group(root):
    """Name of the group of counts in a file by 10x Genomics; those of old ones are genomes."""
    for name in children(root):
        if is_array(root[name]):
            continue
        if {"barcodes", "data", "indices", "indptr"} <= set(children(root[name])):
            return name
    return None
