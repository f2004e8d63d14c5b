"""From phones and their times to the controls of the synthesiser: speakers, coarticulation, pitch."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from tasks.speech import inventory, synthesis
from tasks.speech.inventory import BURST_MS, OFF, PAUSE, PHONES
from tasks.speech.synthesis import CONTROL_MS, RATE

SCATTER = 0.08
"""Standard deviation of log formant targets from one time to the next that a speaker says a phone (chosen)."""
MUFFLED = 400.0
"""Hz above which a voice falls faster when it is heard through the walls of a closed or narrowed mouth (chosen)."""


class Speakers(NamedTuple):
    """One number for each of `count` speakers `(count,)`; all that a voice differs by."""

    scale: np.ndarray
    """All formants are multiplied by it: the inverse of the vocal tract's length, 1 for Peterson & Barney's men."""
    pitch: np.ndarray
    """Hz at the start of an utterance."""
    rate: np.ndarray
    """Durations are multiplied by it."""
    cutoff: np.ndarray
    """Hz: a low one makes a soft voice."""
    quotient: np.ndarray
    """Share of a period during which the glottis is open."""
    loudness: np.ndarray
    """Amplitude."""
    noise: np.ndarray
    """Signal-to-noise ratio in dB where the speaker is recorded."""


def draw_speakers(rng: np.random.Generator, count: int) -> Speakers:
    """Speakers as chosen: tract and pitch go together as in the men and women of Peterson & Barney (1952).

    Their women's formants are some 1.17 times their men's, and their pitch (223 Hz) 1.69 times the men's (132 Hz), the
    power 3.3 of it; ours is a tenth lower, as theirs is of single words.
    """
    scale = np.exp(rng.uniform(math.log(0.9), math.log(1.25), count))
    pitch = np.clip(118.0 * scale**3.3 * np.exp(rng.normal(0.0, 0.1, count)), 75.0, 320.0)
    return Speakers(
        scale=scale,
        pitch=pitch,
        rate=np.exp(rng.normal(0.0, 0.15, count)),
        cutoff=np.exp(rng.uniform(math.log(2000.0), math.log(6000.0), count)),
        quotient=rng.uniform(0.5, 0.7, count),
        loudness=10.0 ** (rng.normal(0.0, 3.0, count) / 20.0),
        noise=rng.uniform(15.0, 30.0, count),
    )


def phone_at(phones: np.ndarray, ends: np.ndarray, when: np.ndarray) -> np.ndarray:
    """The phone spoken at each of the times in ms, `(n, times)`."""
    return np.take_along_axis(phones, place_at(ends, when), axis=1)


def place_at(ends: np.ndarray, when: np.ndarray) -> np.ndarray:
    """Column of the phone that is spoken at each of the times in ms, `(n, times)`."""
    places = np.zeros((len(ends), len(when)), dtype=np.int64)
    for column in range(ends.shape[1] - 1):
        places += when >= ends[:, column : column + 1]
    return places


def _amplitude(levels: list[float]) -> np.ndarray:
    return np.float32(10.0) ** (np.array(levels, dtype=np.float32) / np.float32(20.0))


def _smooth(track: np.ndarray, milliseconds: float) -> np.ndarray:
    """Over time, the first axis, with a Gaussian of that standard deviation."""
    if milliseconds <= 0:
        return track
    return gaussian_filter1d(track, milliseconds / CONTROL_MS, axis=0, mode="nearest", truncate=3.0)


def controls(
    rng: np.random.Generator, voices: Speakers, phones: np.ndarray, ends: np.ndarray, overlap: float, steps: int
) -> tuple[synthesis.Controls, np.ndarray]:
    """The synthesiser's controls, and formants `(n, steps, 3)` in Hz to look at."""
    n = len(phones)
    when = (np.arange(steps) + 0.5) * CONTROL_MS
    place = place_at(ends, when)
    phone = np.take_along_axis(phones, place, axis=1).T  # (steps, n), as everything from here on
    left = np.take_along_axis(ends, place, axis=1).T - when[:, None]
    spent = when[:, None] - np.take_along_axis(np.pad(ends[:, :-1], ((0, 0), (1, 0))), place, axis=1).T
    scale = voices.scale.astype(np.float32)

    targets = _targets(phones, rng)
    tracks = np.stack([np.take_along_axis(targets[:, :, k], place, axis=1).T for k in range(3)], axis=1)
    widths = np.log(np.array([phone.bandwidths for phone in PHONES], dtype=np.float32))[phone].transpose(0, 2, 1)
    zero = np.where(inventory.KINDS == "nasal", 450.0, float(synthesis.NOSE[0, 0])).astype(np.float32)[phone]
    # The tract is slow and the larynx is quick: neighbours overlap in their formants, hardly in their sources.
    formants = np.exp(_smooth(tracks, overlap)) * scale
    bandwidths = np.exp(_smooth(widths, overlap))
    zero = _smooth(zero, overlap)
    higher = np.array(synthesis.HIGHER, dtype=np.float32)
    everywhere = np.broadcast_to(higher[:, :1] * scale, (steps, len(higher), n))
    beside = np.broadcast_to(higher[:, 1:], (steps, len(higher), n))

    # Stages of a stop: closed, burst, breath. What is not a stop has one stage.
    stop = (inventory.KINDS == "stop")[phone]
    onset = np.maximum([p.onset for p in PHONES], BURST_MS)[phone]
    open_for = np.minimum(onset, 0.6 * (left + spent)) - left  # ms since the release
    closed, burst = stop & (open_for < 0), stop & (open_for >= 0) & (open_for < BURST_MS)
    voicing = _amplitude([p.voicing for p in PHONES])[phone]
    aspiration = np.where(closed | burst, np.float32(1e-5), _amplitude([p.aspiration for p in PHONES])[phone])
    frication = np.where(stop & ~burst, np.float32(1e-5), _amplitude([p.frication for p in PHONES])[phone])
    stress = voices.loudness * 10.0 ** (rng.normal(0.0, 1.5, phones.shape) / 20.0).T
    loud = np.take_along_axis(stress, place.T, axis=0).astype(np.float32)
    muffled = (inventory.KINDS == "stop") | np.array([p.voicing > OFF and p.frication > OFF for p in PHONES])
    # Slower than the voice itself: a low-pass that shuts within one setting would ring with what is inside it.
    cutoff = _smooth(np.log(np.where(muffled[phone], MUFFLED, voices.cutoff)).astype(np.float32), 2.0 * CONTROL_MS)

    table = _pole_table()
    centres, pole_widths, shares = (table[:, k][:, phone].transpose(1, 0, 2) for k in range(3))
    centres = np.where(centres > 0, centres * scale, formants[:, 1:2])
    settings = synthesis.Controls(
        pitch=_pitch(rng, voices.pitch, when),
        voicing=loud * _smooth(voicing, CONTROL_MS),
        aspiration=loud * _smooth(aspiration, CONTROL_MS),
        frication=loud * frication,
        formants=np.concatenate([formants, everywhere], axis=1),
        bandwidths=np.concatenate([bandwidths, beside], axis=1),
        zeros=zero,
        cutoff=np.exp(cutoff),
        poles=np.minimum(centres, np.float32(0.47 * RATE)),
        widths=pole_widths,
        shares=shares,
        quotient=voices.quotient.astype(np.float32),
    )
    return settings, formants.transpose(2, 0, 1)


def _pole_table() -> np.ndarray:
    """Frequency, bandwidth and share of power of the two poles of every phone, `(2, 3, phones)`; no share, no pole."""
    table = np.zeros((2, 3, len(PHONES)), dtype=np.float32)
    table[:, 0], table[:, 1] = 4000.0, 1000.0
    for column, phone in enumerate(PHONES):
        for row, pole in enumerate(phone.poles):
            table[row, :, column] = pole
    return table


def _targets(phones: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Log formants `(n, longest, 3)` that every phone aims at, given its neighbours; no two times are the same.

    A consonant yields to the vowel after it, or to the one before where none follows at once; /hh/ and pauses have no
    place of their own and take all formants from the next phone, or from the last. This is what locus equations say of
    F2 (Sussman et al. 1991, JASA 90, 1309-1325); how much each yields is chosen.
    """
    own = np.log(np.array([phone.formants for phone in PHONES], dtype=np.float32))
    yields = np.array([phone.yields for phone in PHONES], dtype=np.float32)[phones][:, :, None]
    vowel = inventory.KINDS == "vowel"
    after = np.concatenate([phones[:, 1:], phones[:, -1:]], axis=1)
    before = np.concatenate([phones[:, :1], phones[:, :-1]], axis=1)
    placeless = (yields == 1.0)[:, :, 0]
    chosen = np.where(vowel[after] | (placeless & (after != PAUSE)), after, before)
    only_tongue = np.array([0.0, 1.0, 1.0], dtype=np.float32)
    giving = np.where(placeless[:, :, None], np.float32(1.0), yields * only_tongue)
    giving = giving * (placeless | vowel[chosen])[:, :, None]
    aimed = (1.0 - giving) * own[phones] + giving * own[chosen]
    return aimed + np.float32(SCATTER) * rng.standard_normal(aimed.shape, dtype=np.float32)


def _pitch(rng: np.random.Generator, start: np.ndarray, when: np.ndarray) -> np.ndarray:
    """Hz `(steps, n)`: falls by a tenth in a second, with accents (slow, 6 %) and jitter (1 %); all chosen."""
    n = len(start)
    # A Gaussian of s steps leaves white noise a standard deviation of 1 / sqrt(2 s sqrt(pi)).
    slow = 80.0
    accents = math.sqrt(2.0 * math.sqrt(math.pi) * slow / CONTROL_MS) * _smooth(
        rng.standard_normal((len(when), n)), slow
    )
    shape = 1.0 + 0.06 * accents + 0.01 * rng.standard_normal((len(when), n))
    return (start * np.exp(-0.1 * when / 1000.0)[:, None] * shape).astype(np.float32)
