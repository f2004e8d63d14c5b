"""What a speech recogniser hears: log energies of mel bands, frame by frame, and their slopes."""

from __future__ import annotations

import numpy as np
from scipy.fft import next_fast_len, rfft

BLOCK = 1 << 22
"""Samples transformed at a time, so that spectra of a whole corpus are never held at once."""


def mel(hertz: np.ndarray | float) -> np.ndarray:
    """Mel scale, 2595 log10(1 + f / 700) (O'Shaughnessy 1987; the HTK toolkit's)."""
    return 2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0)


def mel_filters(bands: int, rate: int, size: int, low: float = 64.0, high: float | None = None) -> np.ndarray:
    """Triangular filters `(size // 2 + 1, bands)` over the bins of a Fourier transform of `size` samples.

    Centres are equally spaced on the mel scale between `low` and `high` Hz (half the rate when None), and each triangle
    reaches to its neighbours' centres (Davis & Mermelstein 1980, IEEE TASSP 28).
    """
    edges = np.linspace(mel(low), mel(high or rate / 2.0), bands + 2)
    bins = mel(np.arange(size // 2 + 1) * rate / size)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling))


def frame_count(samples: int, rate: int, hop_ms: float, window_ms: float) -> int:
    """Whole windows that fit into so many samples."""
    return max(0, 1 + (samples - round(rate * window_ms / 1000)) // round(rate * hop_ms / 1000))


def log_mel(
    samples: np.ndarray,
    rate: int,
    *,
    bands: int = 40,
    hop_ms: float = 10.0,
    window_ms: float = 25.0,
    low: float = 64.0,
    high: float | None = None,
    energy: bool = False,
) -> np.ndarray:
    """Log energies `(n, frames, bands)`, float32, of sounds `(n, samples)` in -1..1; natural logs.

    Pre-emphasis 0.97, Hamming windows, power spectrum, mel filters. Frame t starts at t x hop and its middle is half a
    window later. `energy` appends the log energy of the window itself, before pre-emphasis, as one more column.
    A floor of 1e-10 keeps silence finite.
    """
    window, hop = round(rate * window_ms / 1000), round(rate * hop_ms / 1000)
    frames, size = frame_count(samples.shape[1], rate, hop_ms, window_ms), next_fast_len(window, real=True)
    filters, taper = mel_filters(bands, rate, size, low, high).astype(np.float32), np.hamming(window).astype(np.float32)
    found = np.empty((len(samples), frames, bands + energy), dtype=np.float32)
    rows = max(1, BLOCK // max(1, frames * window))
    for start in range(0, len(samples), rows):
        sound = samples[start : start + rows].astype(np.float32)
        louder = np.concatenate([sound[:, :1], sound[:, 1:] - np.float32(0.97) * sound[:, :-1]], axis=1)
        cut = np.lib.stride_tricks.sliding_window_view(louder, window, axis=1)[:, ::hop][:, :frames]
        spectrum = rfft(cut * taper, size, axis=2)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        found[start : start + rows, :, :bands] = np.log(np.maximum(power @ filters, 1e-10))
        if energy:
            plain = np.lib.stride_tricks.sliding_window_view(sound, window, axis=1)[:, ::hop][:, :frames]
            found[start : start + rows, :, bands] = np.log(np.maximum(np.square(plain).sum(2), 1e-10))
    return found


def with_slopes(features: np.ndarray, orders: int = 2, reach: int = 2) -> np.ndarray:
    """Features `(..., frames, k)` followed by their slopes over time, and the slopes of these: `(..., frames, 3 k)`.

    A slope is the least-squares line through 2 `reach` + 1 frames, the ends repeated (Furui 1986; HTK's deltas).
    """
    found, last = [features], features
    weights = np.arange(-reach, reach + 1, dtype=np.float32)
    frames = features.shape[-2]
    for _ in range(orders):
        padding = [(0, 0)] * (last.ndim - 2) + [(reach, reach), (0, 0)]
        padded = np.pad(last, padding, mode="edge")
        last = sum(w * padded[..., k : k + frames, :] for k, w in enumerate(weights)) / np.square(weights).sum()
        found.append(last)
    return np.concatenate(found, axis=-1).astype(np.float32)
