"""A formant synthesiser after Klatt 1980 (JASA 67, 971-995): sources, resonators, sound. NumPy, many voices at once.

Voice and breath noise pass through a cascade of resonators (voice quality, nasal pole and zero, six formants); noise
that is made in the mouth passes through two resonators beside it, and past them. As with Klatt, everything that varies
is set every 5 ms. The sound is sampled at 16 kHz, not at his 10 kHz, as /s/ and /f/ have their energy above 5 kHz.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RATE = 16000
CONTROL_MS = 5.0
BLOCK = round(RATE * CONTROL_MS / 1000)
"""Samples between two settings of the controls."""
NOSE = np.array([270.0, 100.0], dtype=np.float32)[:, None]
"""Hz: frequency and bandwidth of the nasal pole; a nasal zero of the same frequency cancels it (Klatt 1980)."""
HIGHER = ((3500.0, 250.0), (4500.0, 300.0), (5500.0, 400.0))
"""F4 to F6 of an adult man and their bandwidths in Hz: those of an even tube of 17.5 cm; the bandwidths are chosen.
Klatt's own (3300, 3750 and 4900 Hz) are crowded below the 5 kHz where his synthesiser ends."""
PULSE_POWER = 0.08
"""Mean square of `pulses` at the open quotient of 0.6; aspiration noise is set against it."""
VOWEL_LEVEL = 0.08
"""Root mean square of a vowel, of full scale, which frication is set against."""
GAIN = 0.14
"""Brings the mean vowel to `VOWEL_LEVEL`."""


class Controls(NamedTuple):
    """What is set every 5 ms: `steps` settings of `n` voices, float32; frequencies and bandwidths in Hz.

    pitch       `(steps, n)` of the voice
    voicing     `(steps, n)` amplitude of the voice, 1 for a vowel
    aspiration  `(steps, n)` amplitude of breath noise, against a vowel's voice at the larynx
    frication   `(steps, n)` amplitude of noise from the mouth, against a vowel's sound
    formants    `(steps, 6, n)`, `bandwidths` the same
    zeros       `(steps, n)` the nasal zero; at the frequency of `NOSE` the nose is shut
    cutoff      `(steps, n)` where the voice begins to fall by a further 6 dB per octave
    poles       `(steps, 2, n)` of frication, `widths` the same, `shares` the parts of its power that pass through each
    quotient    `(n,)` share of a period during which the glottis is open
    """

    pitch: np.ndarray
    voicing: np.ndarray
    aspiration: np.ndarray
    frication: np.ndarray
    formants: np.ndarray
    bandwidths: np.ndarray
    zeros: np.ndarray
    cutoff: np.ndarray
    poles: np.ndarray
    widths: np.ndarray
    shares: np.ndarray
    quotient: np.ndarray


def resonator(frequency: np.ndarray, bandwidth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Klatt's digital resonator y[t] = a x[t] + b y[t-1] + c y[t-2]: (a, b, c), with a gain of 1 at 0 Hz."""
    radius = np.exp((-np.pi / RATE) * bandwidth)
    b, c = 2.0 * radius * np.cos((2.0 * np.pi / RATE) * frequency), -np.square(radius)
    return 1.0 - b - c, b, c


def noise_gain(b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Root mean square of what a resonator with a = 1 makes of white noise of unit variance."""
    return np.sqrt((1.0 - c) / ((1.0 + c) * (np.square(1.0 - c) - np.square(b))))


def pulses(phase: np.ndarray, step: np.ndarray, quotient: np.ndarray) -> np.ndarray:
    """Rate of change of glottal flow at a `phase` of 0 to 1 that grows by `step` per sample.

    2u - 3u² while the glottis is open, u from 0 to 1, and 0 while it is closed: the derivative of KLGLOTT88's flow
    (Klatt & Klatt 1990, JASA 87, 820-857). The step at closure is smoothed over two samples (polynomial band-limited
    step), without which its aliases would be heard as hoarseness.
    """
    opened = phase / quotient
    flow = (opened < 1.0) * (opened * (2.0 - 3.0 * opened))
    from_closure = (phase - quotient) / step
    near = np.maximum(1.0 - np.abs(from_closure), 0.0)
    return flow - np.copysign(np.float32(0.5) * np.square(near), from_closure)


class _State(NamedTuple):
    """One sample of all resonators, `(rows, n)`, seen in the ways that the loop over samples needs."""

    driven: np.ndarray
    driving: np.ndarray
    sources: np.ndarray
    outputs: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, rows: np.ndarray) -> _State:
        return cls(rows[1:], rows[:-1], rows[0:5:2], (rows[-1], rows[1], rows[3]))


def speak(controls: Controls, rng: np.random.Generator) -> np.ndarray:
    """Sound `(n, steps * BLOCK)`, float32. Amplitudes run from one setting straight to the next."""
    steps, n = controls.pitch.shape
    a, b, c = _resonators(controls)
    a_zeros, b_zeros, c_zeros = resonator(controls.zeros, NOSE[1])
    into_poles, past_poles = _shares(controls, b, c)
    rows = b.shape[1] + 1
    # Every row of the state is a resonator fed by the row above it a sample ago, but rows 0, 2 and 4: these are the
    # sources, noise for either pole of frication and what enters the cascade. One expression moves all rows at once.
    older, old, new = (_State.of(np.zeros((rows, n), np.float32)) for _ in range(3))
    scratch = np.empty((rows - 1, n), np.float32)
    ramp = (np.arange(1, BLOCK + 1, dtype=np.float32) / np.float32(BLOCK))[:, None]
    count = np.arange(1, BLOCK + 1, dtype=np.float32)[:, None]
    phase, quotient = rng.random(n, dtype=np.float32), controls.quotient
    history, entering = np.zeros((2, n), np.float32), np.empty((BLOCK, 3, n), np.float32)
    sound, block = np.empty((n, steps * BLOCK), np.float32), np.empty((BLOCK, n), np.float32)
    for step in range(steps):
        voicing, aspiration, frication = (
            level[max(step - 1, 0)] + ramp * (level[step] - level[max(step - 1, 0)])
            for level in (controls.voicing, controls.aspiration, controls.frication)
        )
        # Uniform noise of unit variance; while there is voice it is halved when the glottis is shut (Klatt 1980).
        noise = (rng.random((BLOCK, n), dtype=np.float32) - np.float32(0.5)) * np.float32(np.sqrt(12.0))
        period = controls.pitch[step] / np.float32(RATE)
        turned = phase + count * period
        turned -= np.floor(turned)
        phase = turned[-1]
        noise *= 1.0 - np.float32(0.5) * np.minimum(voicing, 1.0) * (turned > quotient)
        source = voicing * pulses(turned, period, quotient) + np.float32(np.sqrt(PULSE_POWER)) * aspiration * noise
        extended = np.concatenate([history, source])
        history = source[-2:]
        shaped = extended[2:] - b_zeros[step] * extended[1:-1] - c_zeros * extended[:-2]
        np.multiply(shaped, np.float32(GAIN) / a_zeros[step], out=entering[:, 2])
        mouth = frication * noise
        entering[:, :2] = into_poles[step] * mouth[:, None]
        np.multiply(past_poles[step], mouth, out=block)
        direct, feedback, further = a[step], b[step], c[step]
        for sample in range(BLOCK):
            np.multiply(feedback, old.driven, out=new.driven)
            np.multiply(further, older.driven, out=scratch)
            np.add(new.driven, scratch, out=new.driven)
            np.multiply(direct, old.driving, out=scratch)
            np.add(new.driven, scratch, out=new.driven)
            new.sources[...] = entering[sample]
            heard = block[sample]
            for output in new.outputs:
                heard += output
            older, old, new = old, new, older
        sound[:, step * BLOCK : (step + 1) * BLOCK] = block.T
    return sound


def _resonators(controls: Controls) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients a, b and c `(steps, 12, n)` of rows 1 to 12 of the state.

    Each resonator has its own a, so that its gain at 0 Hz stays 1 while it moves: one gain for all, at the entrance,
    would put a step into the sound at every setting.
    """
    steps, formants, n = controls.formants.shape
    a, b, c = np.ones((steps, 6 + formants, n), np.float32), *np.zeros((2, steps, 6 + formants, n), np.float32)
    for pole in range(2):
        _, b[:, 2 * pole], c[:, 2 * pole] = resonator(controls.poles[:, pole], controls.widths[:, pole])
    b[:, 4] = np.exp((-2.0 * np.pi / RATE) * controls.cutoff)
    a[:, 4] -= b[:, 4]
    a[:, 5], b[:, 5], c[:, 5] = resonator(*NOSE)
    a[:, 6:], b[:, 6:], c[:, 6:] = resonator(controls.formants, controls.bandwidths)
    return a, b, c


def _shares(controls: Controls, b: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes of noise that enters the poles `(steps, 2, n)` and passes them `(steps, n)`.

    Frication of amplitude 1 has the power of a vowel whatever its poles, to 1.5 dB: all of them filter the same noise.
    """
    level = np.float32(VOWEL_LEVEL)
    into = level * np.sqrt(controls.shares) / noise_gain(b[:, 0:3:2], c[:, 0:3:2])
    past = level * np.sqrt(np.maximum(1.0 - controls.shares.sum(1), 0.0))
    return into.astype(np.float32), past.astype(np.float32)
