"""Where a network runs, and how much memory is free there: facts for a badge and for reports."""

from __future__ import annotations

from dataclasses import dataclass

_GIGABYTE = 1 << 30


@dataclass(frozen=True)
class DeviceState:
    """A device at one moment; sizes in bytes."""

    name: str  # "CPU", "MPS", "cuda:0 NVIDIA H200"; "" while no network has chosen one
    free: int
    total: int
    threads: int = 0  # of a CPU: how many a network uses

    @property
    def words(self) -> str:
        """The device in one short line."""
        threads = f", {self.threads} thread{'s' * (self.threads != 1)}" if self.threads else ""
        memory = f"{_in_gigabytes(self.free)} of {_in_gigabytes(self.total)} GB free"
        return f"{self.name or 'Memory'}{threads} · {memory}"


def _in_gigabytes(size: int) -> str:
    gigabytes = size / _GIGABYTE
    return f"{gigabytes:.1f}" if gigabytes < 100 else f"{gigabytes:.0f}"
