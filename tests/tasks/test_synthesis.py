"""The synthesiser against the acoustics it claims: resonances, pitch, spectra of noise, and sound without clicks."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_toeplitz
from scipy.signal import find_peaks, lfilter, welch

from tasks.speech import synthesis
from tasks.speech.inventory import PHONES, SYMBOLS, Phone
from tasks.speech.synthesis import BLOCK, HIGHER, RATE, VOWEL_LEVEL, Controls, noise_gain, pulses, resonator, speak


def steady(phones: list[Phone], milliseconds: float = 300.0, **changes: Any) -> Controls:
    """Controls that hold each phone, one per voice, with a plain voice of 110 Hz; `changes` replace single controls."""
    steps, n = round(milliseconds / synthesis.CONTROL_MS), len(phones)

    def held(values: Any, rows: int = 0) -> np.ndarray:
        shape = (steps, rows, n) if rows else (steps, n)
        return np.broadcast_to(np.asarray(values, dtype=np.float32), shape).copy()

    higher = np.repeat(np.array(HIGHER).T[:, :, None], n, axis=2)
    formants = np.concatenate([np.array([phone.formants for phone in phones]).T, higher[0]])
    bandwidths = np.concatenate([np.array([phone.bandwidths for phone in phones]).T, higher[1]])
    poles = np.tile([[4000.0], [1000.0], [0.0]], (2, 1, n))
    for column, phone in enumerate(phones):
        for row, pole in enumerate(phone.poles):
            poles[row, :, column] = pole
    controls = Controls(
        pitch=held(110.0),
        voicing=held(1.0),
        aspiration=held(0.0),
        frication=held(0.0),
        formants=held(formants, len(formants)),
        bandwidths=held(bandwidths, len(bandwidths)),
        zeros=held(270.0),
        cutoff=held(4000.0),
        poles=held(poles[:, 0], 2),
        widths=held(poles[:, 1], 2),
        shares=held(poles[:, 2], 2),
        quotient=np.full(n, 0.6, np.float32),
    )
    return controls._replace(**{name: held(value) for name, value in changes.items()})


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def phone(symbol: str) -> Phone:
    return PHONES[SYMBOLS.index(symbol)]


def predicted_peaks(sound: np.ndarray) -> np.ndarray:
    """Hz of the peaks of the all-pole spectrum (linear prediction), the usual way to measure formants."""
    louder = np.diff(sound.astype(np.float64)) * np.hanning(len(sound) - 1)
    products = np.correlate(louder, louder, "full")[len(louder) - 1 :][:19]
    predictor = solve_toeplitz(products[:-1], products[1:])
    spectrum = 1.0 / np.abs(np.fft.rfft(np.concatenate([[1.0], -predictor]), 4096))
    return find_peaks(spectrum)[0] * RATE / 4096.0


# --- resonators -------------------------------------------------------------------------------------------------------


@given(st.floats(250.0, 5000.0), st.floats(40.0, 120.0))
@settings(max_examples=50, deadline=None)
def test_a_resonator_peaks_at_its_frequency_and_is_as_wide_as_its_bandwidth(frequency: float, bandwidth: float) -> None:
    a, b, c = resonator(np.array(frequency), np.array(bandwidth))
    hertz = np.arange(0.0, RATE / 2.0, 2.0)
    z = np.exp(-2j * np.pi * hertz / RATE)
    gain = np.abs(a / (1.0 - b * z - c * z**2))
    assert gain[0] == pytest.approx(1.0)
    assert abs(hertz[gain.argmax()] - frequency) < bandwidth / 4.0 + 2.0
    wide = hertz[gain > gain.max() / np.sqrt(2.0)]
    assert wide[-1] - wide[0] == pytest.approx(bandwidth, rel=0.15, abs=4.0)


@given(st.floats(200.0, 7000.0), st.floats(50.0, 1500.0))
@settings(max_examples=50, deadline=None)
def test_the_gain_for_noise_is_the_energy_of_the_impulse_response(frequency: float, bandwidth: float) -> None:
    _, b, c = resonator(np.array(frequency), np.array(bandwidth))
    response = lfilter([1.0], [1.0, -b, -c], np.eye(1, 4000)[0])
    assert noise_gain(b, c) == pytest.approx(np.sqrt(np.square(response).sum()), rel=1e-3)


# --- voice ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pitch", [85.0, 120.0, 210.0, 300.0])
def test_pitch_is_found_again_by_autocorrelation(pitch: float) -> None:
    sound = speak(steady([phone("aa"), phone("iy")], pitch=pitch), generator())[:, 1600:]
    for voice in sound:
        products = np.correlate(voice, voice, "full")[len(voice) - 1 :]
        lags = np.arange(RATE // 400, RATE // 60)
        # A multiple of the period is as good a match: the shortest lag that is nearly the best.
        found = next(lag for lag in lags if products[lag] > 0.9 * products[lags].max() and products[lag] >= max(
            products[lag - 1], products[lag + 1]
        ))  # fmt: skip
        assert RATE / found == pytest.approx(pitch, rel=0.02)


def test_pulses_have_no_mean_and_the_power_that_aspiration_is_set_against() -> None:
    phase = np.arange(200000) * 0.00731 % 1.0
    flow = pulses(phase, np.array(0.00731), np.array(0.6))
    assert abs(flow.mean()) < 2e-3
    assert np.square(flow).mean() == pytest.approx(synthesis.PULSE_POWER, rel=0.05)


def test_closure_is_band_limited() -> None:
    """Energy between harmonics is aliased energy: less than a tenth of what the plain pulse has."""
    step, quotient = 437.0 / RATE, 0.6
    phase = np.arange(1 << 15) * step % 1.0
    opened = phase / quotient
    plain = np.where(opened < 1.0, 2.0 * opened - 3.0 * opened**2, 0.0)
    aliased = []
    for flow in (plain, pulses(phase, np.array(step), np.array(quotient))):
        power = np.abs(np.fft.rfft(flow * np.blackman(len(flow)))) ** 2
        hertz = np.fft.rfftfreq(len(flow), 1.0 / RATE)
        between = np.abs((hertz / 437.0 + 0.5) % 1.0 - 0.5) > 0.05
        aliased.append(power[between & (hertz < 4000.0)].sum())
    assert aliased[1] < 0.1 * aliased[0]


@pytest.mark.parametrize("source", ["voice", "breath"])
def test_vowels_have_their_formants(source: str) -> None:
    vowels = [phone for phone in PHONES if phone.kind == "vowel"]
    how = {"voicing": 0.0, "aspiration": 1.0} if source == "breath" else {}
    sound = speak(steady(vowels, 1200.0, **how), generator())[:, 1600:]
    for vowel, voice in zip(vowels, sound, strict=True):
        peaks = predicted_peaks(voice)
        for target in vowel.formants[:2]:
            nearest = peaks[np.abs(peaks - target).argmin()]
            # Harmonics are 110 Hz apart, so that a formant of a voice is known to half of that.
            assert abs(nearest - target) < max(65.0, 0.08 * target), f"{vowel.symbol}: {peaks[:4]}, {vowel.formants}"


def test_vowels_are_about_as_loud_as_noise_is_measured_against() -> None:
    vowels = [phone for phone in PHONES if phone.kind == "vowel"]
    levels = np.sqrt(np.square(speak(steady(vowels), generator())[:, 1600:]).mean(1))
    assert np.exp(np.log(levels).mean()) == pytest.approx(VOWEL_LEVEL, rel=0.25), dict(
        zip(SYMBOLS, levels, strict=False)
    )


def test_an_open_nose_takes_energy_from_where_its_zero_is() -> None:
    shut, opened = (speak(steady([phone("ih")], 600.0, voicing=0.0, aspiration=1.0, zeros=zero), generator())[0]
                    for zero in (270.0, 450.0))  # fmt: skip
    hertz, before = welch(shut, RATE, nperseg=1024)
    _, after = welch(opened, RATE, nperseg=1024)
    change = 10.0 * np.log10(after / before)
    assert change[np.abs(hertz - 450.0).argmin()] < change[np.abs(hertz - 270.0).argmin()] - 10.0


# --- noise ------------------------------------------------------------------------------------------------------------


def frication(symbol: str) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and spectrum of a held fricative."""
    sound = speak(steady([phone(symbol)], 1000.0, voicing=0.0, frication=1.0), generator())[0]
    return welch(sound, RATE, nperseg=512)


def test_fricatives_have_their_spectra() -> None:
    share = {}
    for symbol in ("s", "z", "sh", "f", "th"):
        hertz, power = frication(symbol)
        share[symbol] = power[hertz > 4000.0].sum() / power.sum()
        peak = hertz[power.argmax()]
        if symbol in ("s", "z"):
            assert power[hertz > 3000.0].sum() > 0.9 * power.sum() and 4000.0 < peak < 7500.0
        if symbol == "sh":
            assert 2000.0 < peak < 4500.0
        if symbol == "f":
            assert 10.0 * np.log10(power[5:-5].max() / power[5:-5].min()) < 6.0, "flat"
    assert share["sh"] < share["f"] < share["s"]


@pytest.mark.parametrize("symbol", ["s", "sh", "f", "th", "p", "t"])
def test_the_level_of_frication_hardly_depends_on_its_poles(symbol: str) -> None:
    """Within 1.5 dB."""
    hertz, power = frication(symbol)
    assert np.sqrt(power.sum() * (hertz[1] - hertz[0])) == pytest.approx(VOWEL_LEVEL, rel=0.18)


# --- all of it --------------------------------------------------------------------------------------------------------


def test_moving_formants_make_no_clicks() -> None:
    """A formant that sweeps from 800 to 2600 Hz in 60 ms leaves the air above 6 kHz as quiet as one that stays."""
    controls = steady([phone("uw"), phone("uw")], 300.0)
    start, steps = 24, 12
    sweep = np.concatenate(
        [np.full(start, 800.0), np.linspace(800.0, 2600.0, steps), np.full(60 - start - steps, 2600.0)]
    )
    controls.formants[:, 1, 0] = sweep
    controls.formants[:, 1, 1] = 2600.0
    sound = speak(controls, generator())[:, start * BLOCK : (start + steps) * BLOCK]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.shape[1]), axis=1)) ** 2
    high = np.fft.rfftfreq(sound.shape[1], 1.0 / RATE) > 6000.0
    assert spectrum[0, high].sum() < 4.0 * spectrum[1, high].sum()


def test_the_same_generator_gives_the_same_bytes_and_another_does_not() -> None:
    controls = steady([phone("ae"), phone("s"), phone("n")], 100.0, aspiration=0.1, frication=0.1)
    first, again, other = (speak(controls, np.random.default_rng(seed)).tobytes() for seed in (1, 1, 2))
    assert first == again != other


def test_every_phone_can_be_held_without_running_away() -> None:
    sound = speak(steady(list(PHONES), 1000.0, aspiration=0.1, frication=0.3), generator())
    assert sound.dtype == np.float32 and sound.shape == (len(PHONES), RATE)
    assert np.isfinite(sound).all() and np.abs(sound).max() < 1.0
    assert (np.square(sound[:, -4000:]).mean(1) < 2.0 * np.square(sound[:, 4000:8000]).mean(1)).all()
