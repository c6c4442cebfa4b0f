"""Chooses and opens the scorer: onnxruntime on a CPU, torch on a GPU that answers."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from model.runtime_file import runtime_path
from model.weights_file import SHIPPED, CheckpointError, DeviceError, weights_hash, weights_path
from monitor.config.schema import ModelSection
from monitor.errors import BadInputError, WeightsError
from monitor.scoring.scorer import StatefulScorer

if TYPE_CHECKING:
    from monitor.scoring.onnx_network import OnnxNetworks

OpenScorer = Callable[[int], StatefulScorer]
"""Returns a scorer for so many streams."""
GPU_EXTRA = "pip install 'deepfake-speech-monitor[gpu]', or in a checkout: uv sync --extra gpu"


def open_scorer(section: ModelSection, rows: int, *, recorded: bool = False) -> StatefulScorer:
    """Return the scorer of the configuration for so many streams. recorded: for recordings, in long segments.

    Raises WeightsError and BadInputError.
    """
    return scorers(section, recorded=recorded)(rows)


def scorers(section: ModelSection, *, recorded: bool = False) -> OpenScorer:
    """Load the network of the configuration once. Returns what gives a scorer with it for so many streams.

    Raises WeightsError and BadInputError.
    """
    try:
        device = choose_device(section.device)
        return _load(weights_path(section.weights), device, section.threads, recorded)
    except DeviceError as error:
        raise BadInputError(str(error), "set model.device to auto") from error
    except CheckpointError as error:
        raise _weights_error(section.weights, error) from error


def check_weights(section: ModelSection) -> None:
    """Find out whether weights can be used without loading what uses them. Raises WeightsError."""
    try:
        path = weights_path(section.weights)
        _check_files(path) if path.suffix == ".onnx" else weights_hash(path)
    except CheckpointError as error:
        raise _weights_error(section.weights, error) from error


def _check_files(path: Path) -> None:
    """Raises CheckpointError where one of the two networks of weights is missing."""
    for single in (True, False):
        if not (file := runtime_path(path, single=single)).is_file():
            raise CheckpointError(f"there is no file {file}")


def _weights_error(weights: str, error: CheckpointError) -> WeightsError:
    shipped, near = weights in SHIPPED, get_close_matches(weights, SHIPPED, 1)
    hint = "install the program again, or " * shipped + "name another file with --weights"
    return WeightsError(str(error), f"did you mean --weights {near[0]}?" if near and not shipped else hint)


def choose_device(wanted: str) -> str:
    """Choose cpu, cuda or mps. Raises DeviceError for one that is not there, or that torch is missing for."""
    if wanted == "cpu" or (wanted == "auto" and not (may_have_gpu() and is_installed("torch"))):
        return "cpu"
    if not is_installed("torch"):
        raise DeviceError(f"the device {wanted} needs torch: {GPU_EXTRA}")
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next((device for device, found in there.items() if found), "cpu")
    if not there[wanted]:
        raise DeviceError(f"this machine has no {wanted} device")
    return wanted


def is_installed(package: str) -> bool:
    """Return whether a package can be imported, without doing so."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def may_have_gpu() -> bool:
    """Return whether torch could find a GPU, asked of the driver, since importing torch takes seconds."""
    return (sys.platform == "darwin" and platform.machine() == "arm64") or nvidia_devices() > 0


def nvidia_devices() -> int:
    """Return how many GPUs the driver of NVIDIA counts; 0 without a driver."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int()
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    except (OSError, AttributeError):
        pass
    return 0


def unused_gpu(wanted: str) -> str:
    """Return what to do where a GPU answers and is not used; "" where there is none, or the CPU is asked for."""
    if wanted != "auto" or not nvidia_devices():
        return ""
    return "install a torch that is built for its driver" if is_installed("torch") else GPU_EXTRA


def describe_device(device: str) -> str:
    """Return the library that scores on it, for people."""
    if device == "cpu":
        return f"onnxruntime {version('onnxruntime')} on {device}"
    import torch

    name = f" ({torch.cuda.get_device_name()})" if device == "cuda" else ""
    return f"torch {torch.__version__} on {device}{name}"


def _load(path: Path, device: str, threads: int, recorded: bool) -> OpenScorer:
    if device == "cpu":
        networks = _networks(path, threads)
        from monitor.scoring.onnx_scorer import OnnxScorer

        OnnxScorer(networks, 1, recorded=recorded)  # what is wrong with the networks shows here
        return lambda rows: OnnxScorer(networks, rows, recorded=recorded)
    import torch

    from model.checkpoint import load_detector
    from monitor.scoring.torch_scorer import TorchScorer

    torch.set_num_threads(threads)
    weights = path.with_suffix(".safetensors") if path.suffix == ".onnx" else path
    detector = load_detector(weights, device)
    return lambda rows: TorchScorer(detector, rows)


def _networks(path: Path, threads: int) -> OnnxNetworks:
    """Return the networks beside a weights file, else those that torch makes of it. Raises CheckpointError."""
    if path.suffix == ".onnx":
        _check_files(path)
    else:
        wanted = weights_hash(path)
    from monitor.scoring.onnx_network import OnnxNetworks

    if path.suffix == ".onnx":
        return OnnxNetworks.read(path, threads)
    there = all(runtime_path(path, single=single).is_file() for single in (True, False))
    if there:
        found = OnnxNetworks.read(path, threads)
        if found.segments.facts.weights_hash == wanted:
            return found
    if not is_installed("torch") or not is_installed("onnx"):
        stands = "another one" if there else "no network"
        raise CheckpointError(f"beside {path} stands {stands} for this processor: run 'training export {path}'")
    from model.checkpoint import load_detector
    from model.export.step import network_graph

    detector = load_detector(path)
    single, segments = (network_graph(detector, single=single) for single in (True, False))
    return OnnxNetworks(single, segments, str(path), threads)
