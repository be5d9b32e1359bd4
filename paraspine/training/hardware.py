"""Where and how precisely to compute: device, precision, threads, and their global switches."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

import torch

from paraspine.arrays import SettingsError
from paraspine.processor import computes_bf16
from paraspine.training.settings import Settings

__all__ = ["autocast", "choose_device", "choose_precision", "conditions", "switches"]


def choose_device(name: str) -> torch.device:
    """Return the device that a name stands for; "auto" is CUDA where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SettingsError(f'device: expected "auto", "cpu" or "cuda", got {name!r}.') from error
    if device.type not in ("cpu", "cuda"):
        raise SettingsError(f'device: expected "auto", "cpu" or "cuda", got {name!r}.')
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise SettingsError(
                f'device: {name!r} was asked for, but torch sees no CUDA device; use "auto".'
            )
        index = torch.cuda.current_device() if device.index is None else device.index
        if index >= torch.cuda.device_count():
            raise SettingsError(
                f"device: {name!r} was asked for, but there are {torch.cuda.device_count()}."
            )
        return torch.device("cuda", index)
    return torch.device("cpu")


def choose_precision(name: str, device: torch.device) -> str:
    """Return "float32", "tf32" or "bf16"; "auto" is bf16 where the hardware computes in it."""
    if name == "auto":
        if device.type == "cuda":
            return "bf16" if torch.cuda.get_device_capability(device)[0] >= 8 else "float32"
        return "bf16" if computes_bf16() else "float32"
    if name == "tf32" and device.type != "cuda":
        raise SettingsError('precision: "tf32" is for NVIDIA GPUs; use "float32" or "auto".')
    return name


def autocast(device: torch.device, precision: str):
    """Return the context in which the network runs; losses stay outside."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def conditions(device: torch.device, precision: str, threads: int) -> dict:
    """What the last bits of a result depend on besides settings and data."""
    found = {"device": device.type, "precision": precision, "torch": str(torch.__version__)}
    if device.type == "cuda":
        return found | {"processor": torch.cuda.get_device_name(device)}
    words = [platform.machine(), torch.backends.cpu.get_cpu_capability()]
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()
        words += re.findall(r"^model name\s*:\s*(.+)$", text, re.M)[:1]
    return found | {"threads": threads, "processor": " ".join(words)}


@contextlib.contextmanager
def switches(
    settings: Settings, device: torch.device, precision: str, threads: int | None
) -> Iterator[None]:
    """Set torch's global switches, fork its random numbers, and put everything back afterwards.

    Only dropout uses the global random numbers inside; the loop seeds them.
    """
    with contextlib.ExitStack() as stack:
        before = torch.get_num_threads()
        if threads is not None and threads != before:
            stack.callback(torch.set_num_threads, before)
            torch.set_num_threads(threads)
        cuda = device.type == "cuda"
        if cuda:
            stack.enter_context(torch.cuda.device(device))
            stack.enter_context(_tf32(precision == "tf32"))
            stack.enter_context(_repeatable(settings.deterministic))
        stack.enter_context(torch.random.fork_rng([device.index] if cuda else []))
        yield


@contextlib.contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    """Say for both libraries whether float32 may be rounded to TF32; they differ by default."""
    matmul = torch.backends.cuda.matmul
    if hasattr(matmul, "fp32_precision"):
        names = ((matmul, "fp32_precision"), (torch.backends.cudnn.conv, "fp32_precision"))
        value = "tf32" if allowed else "ieee"
    else:  # torch before 2.9
        names = ((matmul, "allow_tf32"), (torch.backends.cudnn, "allow_tf32"))
        value = allowed
    before = [getattr(module, name) for module, name in names]
    for module, name in names:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name), old in zip(names, before, strict=True):
            setattr(module, name, old)


@contextlib.contextmanager
def _repeatable(wanted: bool) -> Iterator[None]:
    """Choose CUDA algorithms that give the same bits each time, or the fastest ones."""
    cudnn, fill = torch.backends.cudnn, torch.utils.deterministic
    before = (
        cudnn.deterministic,
        cudnn.benchmark,
        fill.fill_uninitialized_memory,
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    if wanted:
        # Read by cuBLAS when it is first used; without it torch cannot promise the same bits.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn.deterministic, cudnn.benchmark = wanted, not wanted
    fill.fill_uninitialized_memory = False
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark, fill.fill_uninitialized_memory, *rest = before
        torch.use_deterministic_algorithms(rest[0], warn_only=rest[1])
