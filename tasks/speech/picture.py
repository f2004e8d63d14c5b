"""How people who work with speech look at it: waveform, spectrogram with phones, and what a recogniser hears."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import rfft

from tasks.speech.intervals import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f3a5f"
SILENT = ("pause", "h#", "pau", "epi", "sil")


def draw(
    figure: Figure,
    title: str,
    asked: str,
    samples: np.ndarray,
    rate: int,
    phones: Sequence[Interval],
    heard: np.ndarray,
    hop_ms: float,
    window_ms: float = 25.0,
) -> None:
    """Draw an utterance: samples `(n,)`, its phones, and the frames `(frames, features)` that a network hears."""
    figure.suptitle(textwrap.fill(title, 90), x=0.01, ha="left", fontsize=13, fontweight="bold")
    wave, names, spectrum, bands = figure.subplots(4, 1, sharex=True, height_ratios=(1.0, 0.45, 2.2, 1.6))
    seconds = len(samples) / rate
    times = np.arange(len(samples)) / rate
    wave.plot(times, samples, color=INK, linewidth=0.5)
    wave.set_ylabel("pressure")
    wave.set_yticks([])
    wave.set_xlim(0.0, seconds)
    wave.spines[["top", "right"]].set_visible(False)
    _strip(names, phones)

    frequencies, middles, level = _spectrogram(samples, rate)
    spectrum.pcolormesh(
        middles, frequencies / 1000.0, level, cmap="magma", vmin=level.max() - 70.0, vmax=level.max(), rasterized=True
    )
    spectrum.set_ylabel("frequency (kHz)")
    for _, start, _ in phones:
        spectrum.axvline(start, color="white", linewidth=0.6, alpha=0.6)

    # A frame is drawn around the middle of its window, where its phone is read.
    start = (window_ms - hop_ms) / 2000.0
    extent = (start, start + len(heard) * hop_ms / 1000.0, 0.5, heard.shape[1] + 0.5)
    bands.imshow(heard.T, origin="lower", aspect="auto", extent=extent, cmap="RdBu_r", vmin=-2.5, vmax=2.5)
    bands.set_xlim(0.0, seconds)
    bands.set_ylabel("heard")
    bands.set_xlabel(f"time (s); {asked}")


def _spectrogram(samples: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hz, seconds, and dB `(frequencies, times)`: windows of 8 ms, in which formants show and harmonics do not."""
    window, hop, size = rate // 125, rate // 500, 512
    cut = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop] * np.hamming(window)
    level = 10.0 * np.log10(np.square(np.abs(rfft(cut, size, axis=1))) + 1e-9)
    middles = (np.arange(len(cut)) * hop + window / 2.0) / rate
    return np.arange(size // 2 + 1) * rate / size, middles, level.T


def _strip(axes: Axes, phones: Sequence[Interval]) -> None:
    """Phones written over their intervals, by turns in two rows so that short ones do not touch."""
    axes.set_ylim(0.0, 2.0)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(bottom=False)
    axes.set_ylabel("phones", rotation=0, ha="right", va="center")
    for number, (phone, start, end) in enumerate(phones):
        low = number % 2
        axes.axvspan(start, end, low / 2.0, low / 2.0 + 0.5, color="#e4e7ec" if phone in SILENT else "#cfe0f3", lw=0)
        label = "" if phone in SILENT else phone
        axes.text((start + end) / 2.0, low + 0.47, label, ha="center", va="center", fontsize=8, color=INK)
