"""Synthesised speech: the synthesiser repeats itself, its phones are where they sound, voices of test are unseen."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from tasks import ctc
from tasks.speech import cache, discriminant, sentences, spoken, voice
from tasks.speech.espeak import Espeak
from tasks.speech.espeak_ctc import EspeakCtc
from tasks.speech.intervals import Interval, frame_labels, without_short
from tasks.task import Split

try:
    voice.package()
    INSTALLED = True
except ModuleNotFoundError:
    INSTALLED = False

speaks = pytest.mark.skipif(not INSTALLED, reason="needs the extra `speech`")
SEED = 11
PARTS = [spoken.part("survey", "train", SEED, number, count=1) for number in range(24)]


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRATA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "speech"


@pytest.fixture(scope="module")
def survey() -> list[spoken.Spoken]:
    return [spoken.speak(part, 16, 20.0) for part in PARTS]


# --- the synthesiser --------------------------------------------------------------------------------------------------

DIGEST = """
import hashlib
from tests.tasks.test_espeak import digest_of, PARTS
print(digest_of(PARTS[11::-1]))
"""


def digest_of(parts: list[spoken.Part]) -> str:
    """Digest of everything that is said and of its phones, whatever the order in which it was said."""
    said = {}
    for part in parts:
        heard = voice.say(part.text, part.voice, rate=part.rate, pitch=part.pitch, pitch_range=part.pitch_range)
        said[part] = hashlib.sha256(heard.samples.tobytes() + repr(heard.phones).encode()).hexdigest()
    return hashlib.sha256("".join(sorted(said.values())).encode()).hexdigest()


@speaks
def test_it_says_the_same_again_in_any_order_and_in_another_process() -> None:
    here = digest_of(PARTS[:12])
    assert digest_of(PARTS[6:12] + PARTS[:6]) == here
    environment = {**os.environ, "MALLOC_PERTURB_": "165"}  # memory that nobody has set shows as another sound
    done = subprocess.run(
        [sys.executable, "-c", DIGEST], cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == here, done.stderr


@speaks
def test_rate_pitch_and_voice_are_heard() -> None:
    def said(voice_name: str = "gmw/en-US+m3", rate: int = 150, pitch: int = 50) -> np.ndarray:
        return voice.say("A yellow bird.", voice_name, rate=rate, pitch=pitch).samples

    usual = said()
    assert len(said(rate=230)) < 0.8 * len(usual)
    for other in (said(pitch=80), said("gmw/en-US+f2"), said("gmw/en-GB-scotland+m3")):
        assert len(other) != len(usual) or (other != usual).any()


@speaks
def test_links_to_the_data_change_nothing_and_a_long_path_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no links can be made, if the path is short; one of 160 characters is refused by the library itself."""
    parts = PARTS[:10]
    linked = digest_of(parts)
    assert len(str(voice._data_folder())) < 150
    with monkeypatch.context() as without:
        without.setattr(voice, "_links", lambda process: (_ for _ in ()).throw(OSError("no links")))
        assert voice._data_folder() == voice.package() / "espeak-ng-data"
        assert digest_of(parts) == linked
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.parent.mkdir()
    deep.symlink_to(voice.package())
    monkeypatch.setattr(voice, "package", lambda: deep)
    with monkeypatch.context() as without:
        without.setattr(voice, "_links", lambda process: (_ for _ in ()).throw(OSError("no links")))
        with pytest.raises(RuntimeError, match="install espeakng-loader again") as caught:
            voice.say("Well.", "gmw/en+m1")
        assert "\n" not in str(caught.value)
    monkeypatch.setattr(voice, "_links", voice._links.__wrapped__)
    assert digest_of(parts) == linked


@speaks
@pytest.mark.parametrize(
    ("name", "rate", "message"),
    [
        ("gmw/en-US+zz9", 150, "there is no variant 'zz9'"),  # the library would take the plain voice and say nothing
        ("gmw/en-US", 150, "there is no variant ''"),
        ("gmw/klingon+m1", 150, "there is no language file"),
        ("gmw/en-US+m1", 600, "keeps to 80 to 449"),
    ],
)
def test_a_voice_or_rate_there_is_not_is_told_in_one_line(name: str, rate: int, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        voice.say("Well.", name, rate=rate)
    assert "\n" not in str(caught.value)


def test_without_the_extra_there_are_parameters_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    kept = (voice.package, voice.digest, voice.check, voice._library)
    for function in kept:
        function.cache_clear()
    try:
        for task in (Espeak.tiny(), EspeakCtc.tiny(), Espeak(), EspeakCtc()):
            assert task.inputs and task.outputs == 45 and task.parameters()
            for asked in (lambda task=task: task.data("train", SEED), task.data_digest):
                with pytest.raises(ModuleNotFoundError) as caught:
                    asked()
                assert str(caught.value) == "espeak needs the synthesiser: pip install 'strata-lstm[speech]'"
    finally:
        for function in kept:
            function.cache_clear()


# --- words, phones and voices -----------------------------------------------------------------------------------------


def test_sentences_are_many_and_spelled() -> None:
    rng = np.random.default_rng(SEED)
    said = [sentences.sentence(rng) for _ in range(4000)]
    assert len(set(said[:2000]) & set(said[2000:])) < 20, "sentences of test would be those of train"
    known = {word.lower() for words in sentences.WORDS.values() for word in words} | {"an"}
    for sentence in said:
        words = sentence.split()
        assert sentence[0].isupper() and 2 <= len(words) <= 35 and {word.lower() for word in words} <= known
        pairs = zip(words, words[1:], strict=False)
        assert all((one.lower() == "an") == (two[0] in "aeiou") for one, two in pairs if one.lower() in ("a", "an"))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**63))
def test_no_speaker_is_in_two_splits(seed: int) -> None:
    drawn = [spoken.variants("espeak", split, seed) for split in ("train", "validation", "test")]
    assert [len(speakers) for speakers in drawn] == [22, 4, 6]
    assert sorted(itself for speakers in drawn for itself in speakers) == sorted(spoken.VARIANTS)


def test_a_seed_draws_other_speakers() -> None:
    assert len({spoken.variants("espeak", "test", seed) for seed in range(20)}) == 20


def test_the_inventory_has_45_phones_and_no_name_twice() -> None:
    theirs = [name for names in spoken.MERGED.values() for name in names.split()]
    assert len(spoken.PHONES) == 45 and len(theirs) == len(set(theirs))
    assert set(spoken.STOPS) < set(spoken.PHONES) and len(set(spoken.VARIANTS)) == 32


@speaks
def test_every_phone_is_in_the_inventory(survey: list[spoken.Spoken]) -> None:
    """All accents: an unknown phone would raise. Nearly all of ours are said in two dozen sentences."""
    assert {part.voice.split("+")[0] for part in PARTS} == {f"gmw/{accent}" for accent in spoken.ACCENTS}
    said = {phone.phone for one in survey for phone in one.phones}
    assert said <= set(spoken.PHONES) and len(said) >= 42


@speaks
@pytest.mark.parametrize("accent", spoken.ACCENTS)
def test_every_word_is_said_with_known_phones_in_every_accent(accent: str) -> None:
    for words in sentences.WORDS.values():
        said = voice.say(". ".join(sorted(set(words))) + ".", f"gmw/{accent}+m3", rate=240)
        assert {spoken._merge(phone.phone) for phone in said.phones} <= set(spoken.PHONES)


def test_an_unknown_phone_is_told_in_one_line() -> None:
    with pytest.raises(ValueError, match="MERGED") as caught:
        spoken._merge("'Q#")
    assert "\n" not in str(caught.value)
    assert spoken._merge("'aI") == spoken._merge(",aI@") == "ay"


# --- intervals --------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(lengths=st.lists(st.floats(0.0, 0.05), min_size=1, max_size=20))
def test_short_intervals_are_merged_and_no_time_is_lost(lengths: list[float]) -> None:
    ends = np.cumsum(lengths).tolist()
    given_ones = [Interval(str(n), *pair) for n, pair in enumerate(zip([0.0, *ends[:-1]], ends, strict=True))]
    kept = without_short(given_ones, 0.01)
    assert all(one.end - one.start >= 0.01 for one in kept)
    if kept:
        assert kept[0].start == 0.0 and kept[-1].end == ends[-1]
        assert all(one.end == two.start for one, two in zip(kept, kept[1:], strict=False))
    else:
        assert ends[-1] < 0.01 or max(lengths) < 0.01


def test_a_frame_has_the_phone_at_its_middle() -> None:
    said = (Interval("a", 0.010, 0.050), Interval("b", 0.050, 0.100))
    # Windows of 20 ms every 10 ms: middles at 10, 20, 30, ... ms.
    labels = frame_labels(said, {"a": 1, "b": 2}, 11, 10.0, 20.0, 0)
    assert labels.tolist() == [1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0]
    assert frame_labels(said, {"a": 1, "b": 2}, 3, 10.0, 10.0, 0).tolist() == [0, 1, 1]


def test_a_stop_begins_with_its_closure() -> None:
    samples = np.ones(1000)
    samples[300:400] = samples[700:800] = 0.0
    phones = [Interval("ae", 0.0, 0.4), Interval("t", 0.4, 0.6), Interval("pause", 0.6, 0.8), Interval("k", 0.8, 1.0)]
    moved = spoken.with_closures(phones, samples, 1000)
    assert [one.phone for one in moved] == ["ae", "t", "pause", "k"]
    assert moved[0].end == moved[1].start == pytest.approx(0.3)
    assert moved[2:] == phones[2:], "a pause keeps its silence"


@speaks
def test_silent_frames_belong_to_stops_and_pauses(survey: list[spoken.Spoken]) -> None:
    silent = np.concatenate([one.said[one.heard.max(1) <= -1.2] for one in survey])
    closed = [spoken.NUMBERS[phone] for phone in (*spoken.STOPS, "pause")]
    assert len(silent) > 50 and np.isin(silent, closed).mean() > 0.95


@speaks
def test_labels_lie_where_the_phones_sound() -> None:
    """Telling phones from frames is worse with labels two frames early or late than with labels in place."""
    made = Espeak(time=40, delay=4, sequences=96).data("train", SEED)
    losses = {}
    for shift in (-2, 0, 2):
        steps = np.arange(8, 36)
        moved = Split(made.inputs[:, steps - 4 + shift], made.targets[:, steps])
        train, held = (Split(moved.inputs[rows], moved.targets[rows]) for rows in (slice(0, 72), slice(72, None)))
        losses[shift] = discriminant.discriminant_loss(train, held, 45, (0,))
    assert losses[0] < min(losses[-2], losses[2]) - 0.05, losses


# --- what is heard ----------------------------------------------------------------------------------------------------


@speaks
@pytest.mark.parametrize(("bands", "hop_ms"), [(8, 20.0), (16, 20.0), (40, 10.0)])
def test_constants_bring_bands_near_zero_and_one(bands: int, hop_ms: float) -> None:
    heard = np.concatenate([spoken.speak(part, bands, hop_ms).heard for part in PARTS[:8]])
    assert np.abs(heard.mean(0)).max() < 0.6 and abs(heard.mean()) < 0.3 and 0.7 < heard.std() < 1.2
    assert heard.min() >= spoken.QUIET and heard.dtype == np.float32


def test_resampling_keeps_tones_and_drops_what_16_khz_cannot_hold() -> None:
    times = np.arange(22050) / 22050.0
    low, high = np.sin(2 * np.pi * 1000 * times), np.sin(2 * np.pi * 9500 * times)
    found = spoken.resampled((0.4 * low + 0.4 * high).astype(np.float32))
    assert len(found) == 16000 and found.dtype == np.float32
    inner = slice(800, -800)  # at the ends the tone starts and stops, which rings
    wanted = 0.4 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000.0)
    assert np.abs(found[inner] - wanted[inner]).max() < 0.01


@speaks
def test_labels_lag_by_the_delay() -> None:
    at_once, later = (Espeak(time=16, bands=8, delay=delay, sequences=16).data("train", SEED) for delay in (0, 5))
    assert (at_once.inputs[0, 5:] == later.inputs[0, :-5]).all()
    assert (at_once.targets[0] == later.targets[0]).all()


@speaks
def test_windows_are_whole_and_voices_many() -> None:
    task = Espeak.tiny()
    made = task.data("train", SEED)
    assert made.inputs.shape == (64, 16, 8) and made.targets.max() < 45 and made.groups is not None
    assert len(set(made.groups)) > 4
    assert task.amount(made) == (pytest.approx(64 * 16 * 0.02), "seconds of speech")


@speaks
def test_phrases_fit_and_can_be_said() -> None:
    task = EspeakCtc.tiny()
    made = task.data("train", SEED)
    assert made.lengths is not None and made.target_lengths is not None and made.groups is not None
    assert made.targets.max() < task.blank == 44 and spoken.PAUSE == 44
    assert (ctc.shortest(made.targets, made.target_lengths) <= made.lengths).all() and made.lengths.max() <= task.time
    for row in range(len(made.inputs)):
        assert not made.inputs[row, made.lengths[row] :].any() and made.inputs[row, made.lengths[row] - 1].any()
        assert not made.targets[row, made.target_lengths[row] :].any()
    part, said, heard, labels = next(task._kept("train", SEED))
    assert [spoken.PHONES[n] for n in labels] == [one.phone for one in said.phones if one.phone != "pause"]
    assert (made.inputs[0, : len(heard)] == heard).all() and made.groups[0] == spoken.group(part)
    assert task.amount(made)[0] == pytest.approx(made.lengths.sum() * 0.04)


@pytest.mark.parametrize(
    ("kind", "dials", "message"),
    [
        (Espeak, {"time": 3}, "time is 3"),
        (Espeak, {"bands": 2}, "bands is 2"),
        (Espeak, {"hop_ms": 1.0}, "hop_ms is 1"),
        (Espeak, {"sequences": 15}, "sequences is 15"),
        (Espeak, {"delay": -1}, "delay is -1"),
        (EspeakCtc, {"time": 20}, "set time to 26 or more"),
        (EspeakCtc, {"beam": 0}, "beam is 0"),
    ],
)
def test_dials_that_make_no_data_are_refused_in_one_line(kind: type, dials: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        kind(**dials)
    assert "\n" not in str(caught.value)


# --- for people -------------------------------------------------------------------------------------------------------


@speaks
@pytest.mark.parametrize("kind", [Espeak, EspeakCtc])
def test_it_can_be_heard_and_seen(kind: type[Espeak] | type[EspeakCtc]) -> None:
    task = kind.tiny()
    rate, samples = task.sound(SEED)
    assert rate == 16000 and 0.05 < np.abs(samples).max() <= 1.0 and samples.ndim == 1
    figure = Figure(layout="constrained")
    task.illustrate(figure, SEED)
    assert "Synthesised speech (eSpeak NG)" in figure.get_suptitle() and len(figure.axes) == 4
    written = {text.get_text() for text in figure.axes[1].texts} - {""}
    assert written and written < set(spoken.PHONES), "phones are written over their intervals"
    assert "Said: " in task.example(SEED)


# --- the cache --------------------------------------------------------------------------------------------------------


def test_what_was_made_is_read_again_and_damage_is_made_good(cache_of_its_own: Path) -> None:
    made = []

    def make() -> cache.Arrays:
        made.append(1)
        return {"inputs": np.arange(2000.0), "groups": np.array(["one", "two"])}

    for _ in range(2):
        found = cache.kept("name", make)
        assert (found["inputs"] == np.arange(2000.0)).all() and found["groups"].tolist() == ["one", "two"]
        found["inputs"][:] = 0  # a caller may write into what it got
    assert len(made) == 1 and [path.name for path in cache_of_its_own.iterdir()] == ["name.npz"]
    file = cache_of_its_own / "name.npz"
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damaged in (b"", whole[: len(whole) // 2], bytes(flipped), b"no archive"):
        file.write_bytes(damaged)
        assert (cache.kept("name", make)["inputs"] == np.arange(2000.0)).all()
        assert file.read_bytes()[:4] == whole[:4], "the damaged file is replaced"
    assert len(made) == 5


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("STRATA_CACHE", str(tmp_path / "file"))
    assert cache.kept("name", lambda: {"one": np.ones(3)})["one"].tolist() == [1.0, 1.0, 1.0]


def test_a_failure_while_making_leaves_nothing_behind(cache_of_its_own: Path) -> None:
    def fail() -> cache.Arrays:
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError):
        cache.kept("name", fail)
    assert not cache_of_its_own.exists() or not list(cache_of_its_own.iterdir())


def test_the_key_holds_what_the_arrays_depend_on() -> None:
    keys = {cache.key(facts, [spoken]) for facts in (["espeak", 1], ["espeak", 2], ["espeak_ctc", 1])}
    assert len(keys | {cache.key(["espeak", 1], [spoken, sentences])}) == 4
    assert cache.key(["espeak", 1], [spoken]) in keys


@speaks
@pytest.mark.parametrize("kind", [Espeak, EspeakCtc])
def test_data_are_the_same_from_the_cache(
    kind: type[Espeak] | type[EspeakCtc], cache_of_its_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = kind.tiny()
    fresh = task.data("validation", SEED)
    assert not cache_of_its_own.exists(), "what is made in no time is not kept"
    monkeypatch.setattr(spoken, "KEPT_FROM", 0.0)
    made = task.data("validation", SEED)
    assert len(list(cache_of_its_own.iterdir())) == 1
    with monkeypatch.context() as silent:
        silent.setattr(voice, "say", lambda *_, **__: pytest.fail("the synthesiser was asked again"))
        read = task.data("validation", SEED)
    for split in (made, read):
        for name, array in vars(fresh).items():
            assert array is None or (array == vars(split)[name]).all(), name
    task.data("validation", SEED + 1)
    assert len(list(cache_of_its_own.iterdir())) == 2
