"""Where does a run compute, and in which numbers?"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass

import torch

from recipe_core.kernel.errors import Misuse
from recipe_core.training.config import RunConfig

MB = 2**20
SAFE_CHANNELS = 16
"""Channels that oneDNN handles together, at most."""


@dataclass(frozen=True)
class Place:
    """Where and how a run computes.

    dtype          of the forward pass: bfloat16 by autocast, else float32
    channels_last  whether convolutions get their pixels channel by channel within each pixel
    """

    device: torch.device
    dtype: torch.dtype
    channels_last: bool

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The forward pass's precision; no context at all in float32."""
        if self.dtype is torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def model(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model on this device, in the memory layout of this place."""
        if self.channels_last:
            model = model.to(memory_format=torch.channels_last)
        return model.to(self.device)

    def describe(self) -> str:
        """For a log: the device's name, the precision, the layout."""
        number = "bfloat16" if self.dtype is torch.bfloat16 else "float32"
        layout = ", channels last" if self.channels_last else ""
        return f"{device_name(self.device)}, {number}{layout}"


def spent() -> float:
    """Seconds that this process has worked: on a GPU those of the clock, else those of its cores.

    What other processes take of a busy machine does not count.
    """
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        return time.perf_counter()
    return time.process_time() / torch.get_num_threads()


def device_of(name: str) -> torch.device:
    """The device of this name; auto: a CUDA GPU, else Apple's, else the CPU.

    Raises Misuse where one is asked for that torch does not see, with how to run without it.
    """
    if name == "auto":
        return torch.device(_best())
    wanted = torch.device(name)
    if wanted.type == "cuda":
        _need_cuda(wanted)
    if wanted.type == "mps" and not torch.backends.mps.is_available():
        raise Misuse(
            "mps was asked for, but torch sees no Apple GPU here; --device cpu runs it on the CPU."
        )
    return wanted


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _need_cuda(wanted: torch.device) -> None:
    if not torch.cuda.is_available():
        raise Misuse(
            f"{wanted} was asked for, but torch sees none: {_why_none()}; --device cpu runs it "
            "here."
        )
    count = torch.cuda.device_count()
    if wanted.index is not None and wanted.index >= count:
        raise Misuse(
            f"{wanted} was asked for, but torch sees {count}: cuda:0 … cuda:{count - 1}; "
            "--device cuda takes the first."
        )


def _why_none() -> str:
    if torch.version.cuda is None:
        return f"this torch ({torch.__version__}) was built without CUDA"
    if sys.platform == "darwin":
        return "Macs have no CUDA (--device mps takes Apple's GPU)"
    return "no NVIDIA driver answers, or CUDA_VISIBLE_DEVICES hides it"


def place_of(config: RunConfig) -> Place:
    """Where this run computes and how. Raises Misuse as `device_of` does."""
    device = device_of(config.device)
    return Place(device, _precision(config, device), _channels_last(config, device))


def _precision(config: RunConfig, device: torch.device) -> torch.dtype:
    if config.precision == "auto":
        pays = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if pays else torch.float32
    return torch.bfloat16 if config.precision == "bfloat16" else torch.float32


def _channels_last(config: RunConfig, device: torch.device) -> bool:
    """On a GPU wherever there are convolutions; on a CPU where it pays and is safe.

    There it takes 10 to 30 % off a step, but oneDNN (torch 2.14, AVX2) writes beyond its buffers in
    the backward pass of channels-last convolutions with 3, 6 or 13 channels, and a task's own
    network may have any number.
    """
    if config.channels_last == "auto" and device.type == "cpu":
        base = {"small_cnn": 32, "linear": 0}.get(config.model, 64)
        known = base and (base == 32 or config.model.startswith("resnet"))
        return bool(known and not config.task and base * config.width % SAFE_CHANNELS == 0)
    if config.channels_last == "auto":
        return device.type == "cuda" and config.model != "linear"
    return config.channels_last == "on"


def device_name(device: torch.device) -> str:
    """cuda:0 (NVIDIA H100 80GB HBM3), mps, or cpu (2 threads)."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        return f"cpu ({torch.get_num_threads()} threads)"
    return str(device)


def limit_memory(megabytes: int, device: torch.device) -> None:
    """Bounds what this process may take: of the GPU's memory there, else beyond what it has now.

    On a CPU it is address space that is counted, and libraries reserve gigabytes that they never
    use. Nothing is bounded where `megabytes` is 0.
    """
    if not megabytes:
        return
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, megabytes * MB / total), device)
        return
    import resource

    import psutil

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    mapped = int(psutil.Process().memory_info().vms)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + megabytes * MB, hard))


def out_of_memory(error: BaseException) -> bool:
    """Whether this is how torch or Python says that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    words = str(error)
    return isinstance(error, RuntimeError) and any(
        said in words
        for said in ("DefaultCPUAllocator", "can't allocate memory", "Cannot allocate memory",
                     "not enough memory", "out of memory", "could not create a memory")
    )  # fmt: skip
