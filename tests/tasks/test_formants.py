"""Synthesised speech, as `formants` (a phone for every frame) and as `formants_ctc` (phones in order)."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from tasks import ctc
from tasks.speech import articulation, formant_corpus, inventory, synthesis
from tasks.speech.formant_corpus import HOP_MS, SHORTEST_MS, Corpus, Spoken
from tasks.speech.formants import Formants, counted, discriminant_loss
from tasks.speech.formants_ctc import FormantsCTC
from tasks.speech.inventory import CODA, KINDS, NUCLEUS, ONSET, PAUSE, PHONES, PLACE_OF, SYMBOLS
from tasks.task import Split, SplitName
from tests.tasks.test_synthesis import predicted_peaks

SMALL = Formants(time=24, speakers=64, utterances=8)


@pytest.fixture(scope="module")
def small() -> dict[SplitName, Split]:
    return {split: SMALL.data(split, 7) for split in ("train", "validation", "test")}


@pytest.fixture(scope="module")
def spoken() -> Spoken:
    return Corpus(time=40, overlap=25.0, noise=0.0, speakers=64, utterances=8, bands=16).draw("test", 3, sound=True)


def reduction(task: Formants, lags: tuple[int, ...], seed: int = 7) -> float:
    """Relative reduction of the trivial loss by frames of these lags alone, on unseen speakers."""
    train, test = task.data("train", seed), task.data("validation", seed)
    return 1.0 - discriminant_loss(train, test, lags) / task.trivial_loss(train, test)


# --- phones and their order -------------------------------------------------------------------------------------------


def test_the_inventory_is_whole() -> None:
    assert len(set(SYMBOLS)) == len(PHONES) == 33 and SYMBOLS[PAUSE] == "sil" == SYMBOLS[-1]
    kinds = {kind: int((kind == KINDS).sum()) for kind in set(KINDS.tolist())}
    assert kinds == {"vowel": 10, "glide": 4, "nasal": 3, "fricative": 9, "stop": 6, "pause": 1}
    for phone in PHONES:
        assert list(phone.formants) == sorted(phone.formants)
        assert sum(share for _, _, share in phone.poles) <= 1.0 and phone.duration >= SHORTEST_MS
        sources = (phone.voicing, phone.aspiration, phone.frication)
        assert (max(sources) > inventory.OFF) == (phone.kind != "pause")


def test_phonotactics() -> None:
    table, place, phone = inventory.bigram(), PLACE_OF, inventory.PHONE_OF
    np.testing.assert_allclose(table.sum(1), 1.0)
    assert (table[phone[:, None] == phone] == 0).all(), "no phone comes twice in a row"
    assert not table[place == ONSET][:, (place == CODA) | (place == ONSET)].any(), "an onset leads to a vowel"
    np.testing.assert_allclose(table[place == NUCLEUS][:, place == CODA].sum(1), 0.4)
    ng, onset = SYMBOLS.index("ng"), SYMBOLS.index("hh")
    assert set(place[phone == ng]) == {CODA} and set(place[phone == onset]) == {ONSET}


def test_sounds_that_are_alike_avoid_each_other() -> None:
    table, state = inventory.bigram(), list(inventory.STATES)
    s, z, m = (state.index((place, SYMBOLS.index(name))) for place, name in ((CODA, "s"), (ONSET, "z"), (ONSET, "m")))
    assert table[s, m] > table[s, z] > 0.0


@given(st.integers(0, 2**32), st.floats(0.5, 2.0), st.integers(16, 60))
@settings(max_examples=30, deadline=None)
def test_an_utterance_is_whole(seed: int, rate: float, time: int) -> None:
    total = time * HOP_MS
    phones, ends, lengths = formant_corpus._plan(np.random.default_rng(seed), np.full(20, rate), total)
    for row, until, length in zip(phones, ends, lengths, strict=True):
        count = int(np.flatnonzero(row != PAUSE)[-1]) + 1
        assert row[0] == PAUSE and (row[count:] == PAUSE).all() and count >= 2, "a pause, something, and a pause"
        assert KINDS[row[count - 1]] != "glide" or SYMBOLS[row[count - 1]] in ("r", "l")
        assert (np.diff(until[:count]) >= SHORTEST_MS - 1e-6).all()
        assert until[count - 1] <= total - 40.0 + 1e-6 and until[count] >= total
        assert until[count - 1] + 40.0 <= length * HOP_MS + 1e-6 and length <= time
        assert (row[1:count] != row[: count - 1]).all()
        assert not any(row[k] == PAUSE and SYMBOLS[row[k + 1]] == "ng" for k in range(count))


def test_durations_are_those_of_the_inventory() -> None:
    phones, ends, _ = formant_corpus._plan(np.random.default_rng(0), np.ones(200), 10000.0)
    durations, inside = np.diff(ends), (phones[:, 1:] != PAUSE) & (ends[:, 1:] <= 10000.0)
    found = np.bincount(phones[:, 1:][inside], durations[inside]) / np.bincount(phones[:, 1:][inside])
    np.testing.assert_allclose(found, [phone.duration for phone in PHONES[:PAUSE]], rtol=0.1)


def test_every_phone_is_common_enough_to_learn(small: dict[SplitName, Split]) -> None:
    train = small["train"]
    share = np.bincount(train.targets[counted(train)], minlength=33) / counted(train).sum()
    assert share.min() > 0.002 and share[:PAUSE].max() < 0.1, dict(zip(SYMBOLS, share, strict=True))


# --- sound ------------------------------------------------------------------------------------------------------------


def test_a_shorter_vocal_tract_has_higher_formants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured in the sound: /eh/ by three voices that differ in nothing else."""
    monkeypatch.setattr(articulation, "SCATTER", 0.0)
    scale = np.array([0.9, 1.0, 1.25])
    rest = {name: np.full(3, value) for name, value in (
        ("pitch", 110.0), ("rate", 1.0), ("cutoff", 4000.0), ("quotient", 0.6), ("loudness", 1.0), ("noise", 60.0)
    )}  # fmt: skip
    phones, ends = np.tile([SYMBOLS.index("eh"), PAUSE], (3, 1)), np.tile([400.0, 900.0], (3, 1))
    rng = np.random.default_rng(0)
    controls, _ = articulation.controls(rng, articulation.Speakers(scale=scale, **rest), phones, ends, 25.0, 70)
    peaks = [predicted_peaks(voice[1600:4800]) for voice in synthesis.speak(controls, rng)]
    for times, found in zip(scale, peaks, strict=True):
        assert found[np.abs(found - 1840.0 * times).argmin()] == pytest.approx(1840.0 * times, rel=0.05)


def test_speakers_with_short_tracts_have_high_voices() -> None:
    drawn = articulation.draw_speakers(np.random.default_rng(0), 2000)
    men, women = (drawn.pitch[np.abs(drawn.scale - scale) < 0.03].mean() for scale in (1.0, 1.17))
    assert 100.0 < men < 132.0 < 180.0 < women < 223.0
    assert drawn.scale.min() >= 0.9 and drawn.scale.max() <= 1.25


def test_phones_sound_as_they_should(spoken: Spoken) -> None:
    """Energies of bands, in dB, at the frames in which each phone is spoken."""
    found = {
        symbol: spoken.bands[spoken.frames == number] * 10.0 / math.log(10.0) for number, symbol in enumerate(SYMBOLS)
    }
    level = {symbol: np.median(bands.max(1)) for symbol, bands in found.items()}
    assert level["aa"] > level["m"] > level["sil"] + 20.0 and level["s"] > level["f"] > level["sil"] + 10.0
    high = {symbol: np.median(bands[:, 12:].mean(1) - bands[:, :4].mean(1)) for symbol, bands in found.items()}
    assert min(high["s"], high["sh"]) > high["f"] > max(high["aa"], high["m"], high["b"])
    assert high["s"] > high["z"] + 5.0, "z has a voice as well"


def test_a_stop_is_closed_and_then_bursts(spoken: Spoken) -> None:
    assert spoken.sound is not None
    voiceless = {SYMBOLS.index(symbol) for symbol in "ptk"}
    ratios = []
    for row, (phones, ends) in enumerate(zip(spoken.phones, spoken.ends, strict=True)):
        for number in range(1, len(phones) - 1):
            if phones[number] in voiceless and phones[number - 1] != PAUSE:
                onset = min(PHONES[phones[number]].onset, 0.6 * (ends[number] - ends[number - 1]))
                release = round((ends[number] - onset) * 16)
                closure, burst = (
                    spoken.sound[row, release - 240 : release - 80],
                    spoken.sound[row, release : release + 160],
                )
                ratios.append(np.square(burst).mean() / np.square(closure).mean())
    assert len(ratios) > 20 and np.median(10.0 * np.log10(ratios)) > 10.0


def test_noise_is_as_loud_as_it_is_said_to_be() -> None:
    rng = np.random.default_rng(0)
    speech = 0.1 * rng.standard_normal((3, 32000)).astype(np.float32)
    ratio = np.array([10.0, 20.0, 30.0])
    for noise in (1.0, 2.0):
        added = formant_corpus._recorded(rng, speech, ratio, noise) - speech
        found = 10.0 * np.log10(np.square(speech).mean(1) / np.square(added).mean(1))
        np.testing.assert_allclose(found, ratio - 20.0 * math.log10(noise), atol=0.3)
    assert np.abs(formant_corpus._recorded(rng, speech, ratio, 0.0) - speech).max() < 1e-3


def test_the_sound_can_be_played() -> None:
    rate, sound = Formants().sound(seed=4)
    assert rate == 16000 and 1.5 < len(sound) / rate <= 2.5 and sound.ndim == 1
    assert np.abs(sound).max() == pytest.approx(0.9, rel=1e-5)
    assert (FormantsCTC().sound(seed=4)[1] == sound).all() and len(Formants().sound(seed=5)[1])


@pytest.mark.parametrize("task", [Formants(), FormantsCTC(bands=8)])
def test_the_picture_shows_sound_phones_formants_and_what_is_heard(task: Formants | FormantsCTC) -> None:
    figure = Figure(figsize=(10, 6), layout="constrained")
    task.illustrate(figure, seed=1)
    assert len(figure.axes) == 4 and figure.get_suptitle()
    assert len([line for line in figure.axes[2].lines if np.size(line.get_xdata()) > 100]) == 3, "F1, F2, F3"


# --- tasks ------------------------------------------------------------------------------------------------------------


def test_phones_overlap_so_one_frame_is_not_enough() -> None:
    one, five = reduction(SMALL, (2,)), reduction(SMALL, (0, 1, 2, 3, 4))
    print(one, five)
    assert 0.25 < one < five - 0.04


def test_noise_makes_it_harder() -> None:
    found = [reduction(replace(SMALL, noise=noise), (0, 1, 2, 3, 4)) for noise in (1.0, 20.0)]
    assert found[0] > found[1] + 0.1


def test_undershoot_grows_with_overlap() -> None:
    def spread(overlap: float) -> float:
        return float(np.log(replace(SMALL, overlap=overlap).corpus.draw("test", 0).formants[..., 1]).std())

    assert spread(0.0) > spread(25.0) > spread(100.0)


def test_the_best_frame_for_a_baseline_is_the_one_that_is_labelled(small: dict[SplitName, Split]) -> None:
    by_lag = {lag: discriminant_loss(small["train"], small["test"], (lag,)) for lag in range(5)}
    assert min(by_lag, key=by_lag.__getitem__) == SMALL.delay


def test_speakers_of_test_and_validation_were_never_heard(small: dict[SplitName, Split]) -> None:
    heard = {split: [] if data.groups is None else data.groups.tolist() for split, data in small.items()}
    sets = {split: set(names) for split, names in heard.items()}
    assert {split: len(names) for split, names in sets.items()} == {"train": 64, "validation": 8, "test": 16}
    assert len(set.union(*sets.values())) == 64 + 8 + 16, "no speaker is in two splits"
    assert all(heard["test"].count(name) == 8 for name in sets["test"])
    other = replace(SMALL, speakers=8, utterances=1).data("train", 8).groups
    assert other is not None and not sets["train"] & set(other.tolist()), "a seed has its own speakers"


def test_the_label_is_the_phone_of_some_frames_ago() -> None:
    tiny = Formants.tiny()
    now, later = replace(tiny, delay=0).data("test", 3), replace(tiny, delay=3).data("test", 3)
    assert (now.inputs == later.inputs).all()
    assert (later.targets[:, 3:] == now.targets[:, :-3]).all() and (later.targets[:, :3] == PAUSE).all()


def test_both_tasks_read_one_corpus() -> None:
    frames, labels = replace(Formants.tiny(), delay=0, time=24), replace(FormantsCTC.tiny(), time=24)
    for split in ("train", "validation", "test"):
        one, other = frames.data(split, 11), labels.data(split, 11)
        assert one.inputs.tobytes() == other.inputs.tobytes()
        assert one.lengths is not None and other.lengths is not None and other.target_lengths is not None
        assert one.lengths.tolist() == other.lengths.tolist()
        assert one.groups is not None and other.groups is not None and one.groups.tolist() == other.groups.tolist()
        for row, length, said, count in zip(one.targets, one.lengths, other.targets, other.target_lengths, strict=True):
            row = row[:length]
            spoken = row[np.concatenate([[True], row[1:] != row[:-1]])]
            assert (spoken[spoken != PAUSE] == said[:count]).all(), "every phone is in the middle of a frame at least"


def test_labels_can_be_aligned() -> None:
    split = FormantsCTC(speakers=16, utterances=4).data("train", 0)
    assert split.lengths is not None and split.target_lengths is not None
    assert (ctc.shortest(split.targets, split.target_lengths) <= split.lengths).all()
    assert split.target_lengths.min() >= 1 and split.targets.max() < FormantsCTC().blank


def test_amount_is_the_length_of_all_utterances(small: dict[SplitName, Split]) -> None:
    test = small["test"]
    assert test.lengths is not None
    assert SMALL.amount(test) == (pytest.approx(0.02 * test.lengths.sum()), "seconds of speech")
    assert not test.inputs[~counted(test)].any(), "nothing is heard after the end"


def test_inputs_are_scaled_without_looking_at_them(small: dict[SplitName, Split]) -> None:
    heard = small["train"].inputs[counted(small["train"])]
    assert np.abs(heard.mean(0)).max() < 0.3 and 0.8 < heard.std(0).min() < heard.std(0).max() < 1.2
    fewer = replace(SMALL, speakers=8, utterances=1)
    assert (fewer.corpus.scaled(*_zeros(fewer)) == SMALL.corpus.scaled(*_zeros(SMALL))).all()


def _zeros(task: Formants) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((1, task.time, task.bands), np.float32), np.array([task.time])


@pytest.mark.parametrize(
    "dial",
    [{"time": 15}, {"time": 501}, {"utterances": 0}, {"speakers": 7}, {"overlap": -1.0}, {"noise": -1.0}, {"bands": 1}],
)
def test_dials_that_make_no_data_are_refused(dial: dict) -> None:
    for task in (Formants, FormantsCTC):
        with pytest.raises(ValueError, match=f"^{next(iter(dial))} is "):
            task(**dial)


@pytest.mark.parametrize("delay", [-1, 40])
def test_a_delay_that_leaves_nothing_is_refused(delay: int) -> None:
    with pytest.raises(ValueError, match="^delay is "):
        Formants(delay=delay)


@pytest.mark.parametrize(
    "dials",
    [
        {"speakers": 8, "utterances": 1},
        {"delay": 15},
        {"overlap": 200.0},
        {"overlap": 0.0, "noise": 0.0},
        {"bands": 32},
    ],
)
def test_extreme_dials_make_data(dials: dict) -> None:
    task = replace(Formants.tiny(), **dials)
    train, test = task.data("train", 0), task.data("test", 0)
    assert np.isfinite(train.inputs).all() and train.inputs.shape[1:] == (task.time, task.bands)
    assert all(np.isfinite(loss) for loss in task.baselines(train, test).values())
