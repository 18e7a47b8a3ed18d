"""Scalars in files that TensorBoard reads: records of `Event` messages, with masked CRC-32C sums.

The messages are few and simple, so they are encoded here: field numbers are those of TensorFlow's event.proto and
summary.proto.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from os import PathLike
from pathlib import Path

from rosin.stdlib.train.fit import Callback, Training


class TensorBoard(Callback):
    """Losses and norms of gradients by step, and the values of epochs, in a folder that TensorBoard is shown."""

    def __init__(self, folder: str | PathLike[str], *, every: int = 1) -> None:
        self.every = every
        self._writer = EventWriter(folder)

    def on_step(self, training: Training) -> None:
        if training.step % self.every == 0:
            values = {"loss": training.loss, "gradient_norm": training.gradient_norm}
            self._writer.scalars(training.step, values)

    def on_epoch(self, training: Training) -> None:
        self._writer.scalars(training.step, training.values)


class EventWriter:
    """Writes scalars to a new file in a folder; each call is on the disk when it returns."""

    def __init__(self, folder: str | PathLike[str]) -> None:
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        number = 0
        while (place / f"{name}.{number}").exists():
            number += 1
        self.path = place / f"{name}.{number}"
        self._append(_double(1, time.time()) + _text(3, "brain.Event:2"))

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Add numbers under their names."""
        found = b"".join(_message(1, _text(1, name) + _float(2, value)) for name, value in values.items())
        self._append(_double(1, time.time()) + _varint(2 << 3) + _varint(step) + _message(5, found))

    def _append(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        record = length + struct.pack("<I", masked(crc32c(length))) + event + struct.pack("<I", masked(crc32c(event)))
        with self.path.open("ab") as file:
            file.write(record)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _double(field: int, number: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", number)


def _float(field: int, number: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", number)


def _table() -> list[int]:
    table: list[int] = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The cyclic redundancy check of Castagnoli's polynomial (RFC 3720)."""
    total = 0xFFFFFFFF
    for byte in data:
        total = _TABLE[(total ^ byte) & 255] ^ total >> 8
    return total ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """The sum as records have it: rotated, and moved by a number."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
