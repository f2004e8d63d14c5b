"""TIMIT: files of any kind are read alike, splits and phones are the standard ones, and nothing leaks out of train."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy.io import wavfile

from tasks.speech import sphere, timit, timit_layout, timit_made_up, timit_speakers
from tasks.speech.timit import Timit
from tasks.task import SplitName

SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    timit_made_up.write(tmp_path / "corpus")
    return tmp_path / "corpus"


def of(folder: Path) -> Timit:
    return Timit(folder=str(folder), complete=False)


def one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


# --- sound files ------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(samples=st.lists(st.integers(-32768, 32767), min_size=1, max_size=40), order=st.sampled_from("<>"))
def test_sphere_is_read_in_both_byte_orders(samples: list[int], order: str) -> None:
    content = timit_made_up.sphere(np.array(samples), order=order)
    header = sphere.parse(content, Path("made.wav"))
    assert header == sphere.Header(1024, len(samples), 16000, order)
    body = np.frombuffer(content, f"{header.order}i2", header.samples, header.start)
    assert body.tolist() == samples


def test_sphere_and_riff_say_the_same(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-3000, 3000, 500).astype(np.int16)
    paths = [tmp_path / name for name in ("little.wav", "big.wav", "riff.wav")]
    paths[0].write_bytes(timit_made_up.sphere(samples))
    paths[1].write_bytes(timit_made_up.sphere(samples, order=">"))
    wavfile.write(paths[2], 16000, samples)
    for path in paths:
        rate, found = sphere.read(path)
        assert rate == 16000 and (found == samples).all() and found.dtype == np.int16
        assert sphere.length(path) == (16000, 500)


def test_a_header_written_as_timit_has_it_is_read() -> None:
    header = (
        "NIST_1A\n   1024\ndatabase_id -s5 TIMIT\ndatabase_version -s3 1.0\nutterance_id -s8 cjf0_sa1\n"
        "channel_count -i 1\nsample_count -i 3\nsample_rate -i 16000\nsample_min -i -1191\nsample_max -i 1790\n"
        "sample_n_bytes -i 2\nsample_byte_format -s2 01\nsample_sig_bits -i 16\nend_head\n"
    )
    content = header.encode().ljust(1024) + np.array([1, -2, 3], "<i2").tobytes()
    assert sphere.parse(content, Path("SA1.WAV")) == sphere.Header(1024, 3, 16000, "<")


WHOLE = timit_made_up.sphere(np.arange(50))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (timit_made_up.sphere(np.arange(50), coding="pcm,embedded-shorten-v2.00"), "compressed .*sph2pipe"),
        (WHOLE[:-10], "cut short"),
        (WHOLE[:40], "no end"),
        (WHOLE[:30].ljust(1100), "no end"),
        (WHOLE.replace(b"sample_rate -i 16000", b"sample_rate -i often"), "often"),
        (WHOLE.replace(b"sample_rate", b"simple_rate"), "sample_rate"),
        (WHOLE.replace(b"channel_count -i 1", b"channel_count -i 2"), "2 channels"),
        (WHOLE.replace(b"sample_n_bytes -i 2", b"sample_n_bytes -i 1"), "1 bytes"),
        (b"NIST_1A", "header"),
        (b"ID3 music", "neither SPHERE nor RIFF"),
        (b"RIFF0000junk", "cannot be read"),
        (b"", "neither SPHERE nor RIFF"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "SI1.WAV"
    path.write_bytes(content)
    for read in (sphere.read, sphere.length):
        with pytest.raises(sphere.UnreadableSound, match=message) as caught:
            read(path)
        assert str(path) in one_line(caught)


def test_sound_that_is_not_there_or_is_stereo(tmp_path: Path) -> None:
    with pytest.raises(sphere.UnreadableSound, match="cannot be read"):
        sphere.read(tmp_path / "none.wav")
    wavfile.write(tmp_path / "two.wav", 16000, np.zeros((9, 2), np.int16))
    with pytest.raises(sphere.UnreadableSound, match="one channel"):
        sphere.read(tmp_path / "two.wav")


# --- speakers and phones ----------------------------------------------------------------------------------------------


def test_speakers_are_the_standard_ones() -> None:
    assert len(timit_speakers.VALIDATION) == 50 and len(timit_speakers.TEST) == 24
    assert not timit_speakers.VALIDATION & timit_speakers.TEST
    assert sum(name.startswith("F") for name in timit_speakers.TEST) == 8, "a woman and two men of each region"
    for name in timit_speakers.VALIDATION | timit_speakers.TEST:
        assert len(name) == 5 and name[0] in "FM" and name[1:4].isalpha() and name[4].isdigit()


def test_61_phones_are_scored_as_39() -> None:
    assert len(timit_speakers.PHONES) == len(set(timit_speakers.PHONES)) == 61
    assert len(timit_speakers.CLASSES) == 39
    scored = Timit().scored(np.arange(61))
    assert len(scored) == 60 and set(scored.tolist()) == set(range(39))

    def classes(*phones: str) -> list[str]:
        numbers = np.array([timit_speakers.PHONES.index(phone) for phone in phones])
        return [timit_speakers.CLASSES[n] for n in Timit().scored(numbers)]

    assert classes("h#", "sh", "ix", "hv", "eh", "dcl", "jh", "q") == ["sil", "sh", "ih", "hh", "eh", "sil", "jh"]
    assert classes("ao", "zh", "ux", "axr", "ax-h", "nx", "eng", "el", "em") == [
        "aa", "sh", "uw", "er", "ah", "n", "ng", "l", "m",
    ]  # fmt: skip
    assert classes("pcl", "p", "epi", "pau") == ["sil", "p", "sil", "sil"], "neighbours stay two"
    assert len(Timit().scored(np.array([], dtype=np.int64))) == 0


def test_a_perfect_answer_has_no_errors_and_q_costs_nothing() -> None:
    torch = pytest.importorskip("torch")
    task = Timit()
    said = [timit_speakers.PHONES.index(phone) for phone in ("h#", "q", "ix", "pau")]
    wanted = [timit_speakers.PHONES.index(phone) for phone in ("h#", "ih", "h#")]
    outputs = torch.nn.functional.one_hot(torch.tensor([said]), task.outputs).float() * 9.0
    errors, counts = task.label_errors(outputs, None, torch.tensor([wanted]), torch.tensor([3]))
    assert errors.tolist() == [0.0] and counts.tolist() == [3.0]


# --- a folder ---------------------------------------------------------------------------------------------------------


def test_splits_have_their_own_speakers_and_no_sa(corpus: Path) -> None:
    task = of(corpus)
    told = timit_layout.sentences(task.folder, False)
    assert {one.name for one in told} == {"SI1027", "SX37", "SX127"}, "SA sentences are read by everybody"
    groups = {split: set(task.data(split, 0).groups) for split in SPLITS}  # type: ignore[arg-type]
    assert groups["train"] == set(timit_made_up.SPEAKERS["TRAIN"])
    assert groups["validation"] < timit_speakers.VALIDATION and groups["test"] < timit_speakers.TEST
    assert groups["validation"] | groups["test"] == set(timit_made_up.SPEAKERS["TEST"])


def test_a_test_speaker_of_no_split_is_left_out(corpus: Path) -> None:
    before = Timit(folder=str(corpus), complete=False).data_digest()
    other = corpus.parent / "other"
    corpus.rename(other)
    (other / "TEST" / "DR1" / "FADG0").parent.mkdir(exist_ok=True)
    extra = other / "TEST" / "DR8" / "FXYZ0"
    extra.mkdir(parents=True)
    (extra / "SX1.WAV").write_bytes(WHOLE)
    assert of(other).data_digest() == before


def test_labels_and_frames_are_those_of_the_files(corpus: Path) -> None:
    task = of(corpus)
    made = task.data("test", 0)
    assert made.lengths is not None and made.target_lengths is not None
    assert made.inputs.shape == (9, task.time, 123) and made.lengths.max() <= task.time
    for row, one in enumerate(task._sentences("test")):
        lines = one.phones.read_text().splitlines()
        phones = [line.split()[2] for line in lines]
        labels = made.targets[row, : made.target_lengths[row]]
        assert [timit_speakers.PHONES[n] for n in labels] == phones and phones[0] == phones[-1] == "h#"
        samples = int(lines[-1].split()[1])
        assert made.lengths[row] == 1 + (samples - 400) // 160, "windows of 25 ms every 10 ms"
        assert not made.inputs[row, made.lengths[row] :].any() and not made.targets[row, len(phones) :].any()
    assert task.amount(made) == (pytest.approx(made.lengths.sum() / 100), "seconds of speech")


def test_normalisation_uses_train_alone(corpus: Path, tmp_path: Path) -> None:
    train = of(corpus).data("train", 0)
    assert train.lengths is not None
    frames = train.inputs[np.arange(train.inputs.shape[1]) < train.lengths[:, None]].astype(np.float64)
    assert np.abs(frames.mean(0)).max() < 1e-3 and np.abs(frames.std(0) - 1.0).max() < 1e-2
    louder = tmp_path / "louder"
    timit_made_up.write(louder)
    for path in louder.glob("TEST/*/*/*.WAV"):
        _, samples = sphere.read(path)
        path.write_bytes(timit_made_up.sphere(3 * samples))
    assert (of(louder).data("train", 0).inputs == train.inputs).all()
    assert of(louder).data("test", 0).inputs.mean() > of(corpus).data("test", 0).inputs.mean() + 0.05


def test_the_seed_changes_nothing_and_a_byte_changes_the_digest(corpus: Path, tmp_path: Path) -> None:
    task = of(corpus)
    assert (task.data("test", 0).inputs == task.data("test", 2**62).inputs).all()
    other = tmp_path / "other"
    timit_made_up.write(other)
    assert of(other).data_digest() == task.data_digest(), "not over the path"
    third = tmp_path / "third"
    timit_made_up.write(third)
    path = next(third.glob("TRAIN/*/*/SX37.PHN"))
    path.write_text(path.read_text().replace("h#", "pau", 1))
    assert of(third).data_digest() != task.data_digest()


def test_copies_of_every_kind_give_the_same_data(corpus: Path, tmp_path: Path) -> None:
    """Lower case, a folder around it, RIFF beside compressed SPHERE, and files of macOS and others in between."""
    expected = {split: of(corpus).data(split, 0) for split in SPLITS}
    copy = tmp_path / "copy"
    for path in corpus.glob("*/*/*/*"):
        half, region, speaker = path.relative_to(corpus).parts[:3]
        place = copy / "timit" / half.lower() / region.lower() / speaker.lower()
        place.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".WAV":
            rate, samples = sphere.read(path)
            wavfile.write(place / f"{path.name}.wav", rate, samples)
            compressed = timit_made_up.sphere(samples, coding="pcm,embedded-shorten-v2.00")
            (place / path.name).write_bytes(compressed)
        else:
            (place / path.name.lower()).write_text(path.read_text())
            (place / path.with_suffix(".WRD").name).write_text("0 1 word\n")
            (place / f"._{path.name}").write_bytes(b"\x00\x05")
    for split in SPLITS:
        found = of(copy).data(split, 0)
        for name, array in vars(expected[split]).items():
            assert (array == vars(found)[name]).all(), name


# --- what is refused, in one line -------------------------------------------------------------------------------------


def test_without_a_folder_it_says_what_it_needs() -> None:
    task = Timit()
    for asked in (lambda: task.data("train", 0), task.data_digest, lambda: task.illustrate(Figure())):
        with pytest.raises(FileNotFoundError) as caught:
            asked()
        assert one_line(caught) == timit.NO_FOLDER and "set folder" in timit.NO_FOLDER
    assert task.sound() is None and task.example().startswith("timit needs the folder") and task.time > 0


def test_a_folder_that_is_none_or_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such folder") as caught:
        Timit(folder=str(tmp_path / "nowhere"))
    one_line(caught)
    (tmp_path / "TRAIN").mkdir()
    with pytest.raises(ValueError, match="no TRAIN and TEST") as caught:
        Timit(folder=str(tmp_path))
    one_line(caught)
    (tmp_path / "TEST").mkdir()
    with pytest.raises(ValueError, match="no sentence of any train or validation or test speaker") as caught:
        Timit(folder=str(tmp_path))
    one_line(caught)


def test_a_copy_that_is_not_complete_is_refused_unless_asked_for(corpus: Path) -> None:
    with pytest.raises(ValueError, match="8 of 462 train speakers") as caught:
        Timit(folder=str(corpus))
    assert "complete" in one_line(caught)


def test_a_complete_copy_is_taken_and_one_without_a_sentence_is_not(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(timit_speakers, "TRAIN_SPEAKERS", 8)
    monkeypatch.setattr(timit_speakers, "SENTENCES", 3)
    monkeypatch.setattr(timit_speakers, "VALIDATION", frozenset(timit_made_up.SPEAKERS["TEST"][:3]))
    monkeypatch.setattr(timit_speakers, "TEST", frozenset(timit_made_up.SPEAKERS["TEST"][3:]))
    whole = Timit(folder=str(corpus)).data("validation", 0)
    assert (whole.inputs == of(corpus).data("validation", 0).inputs).all(), "statistics kept in the cache are the same"
    assert len(list((tmp_path / "cache" / "speech").iterdir())) == 1
    moved = corpus.parent / "moved"
    corpus.rename(moved)
    for path in moved.glob("TRAIN/*/MDAC0/SX37.*"):
        path.unlink()
    with pytest.raises(ValueError, match="23 of 24 train sentences"):
        Timit(folder=str(moved))


@pytest.mark.parametrize(("suffix", "message"), [("PHN", r"SX37 has no \.PHN"), ("WAV", r"SX37 has no \.WAV")])
def test_a_sentence_with_one_file_is_told(corpus: Path, suffix: str, message: str) -> None:
    next(corpus.glob(f"TEST/*/*/SX37.{suffix}")).unlink()
    with pytest.raises(ValueError, match=message) as caught:
        of(corpus)
    one_line(caught)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0 480 h#\n480 900 zz\n", "line 2: TIMIT has no phone 'zz'"),
        (b"0 480\n", "line 1: '0 480' is not"),
        (b"0 many h#\n", "is not `first last phone`"),
        (b"\n\n", "has no phones"),
        (b"\xff\xfe0 1 h#", "no plain text"),
    ],
)
def test_phones_that_cannot_be_read_are_told(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "SX1.PHN"
    path.write_bytes(content)
    with pytest.raises(timit_layout.Layout, match=message) as caught:
        timit_layout.phones(path)
    assert str(path) in one_line(caught)


def test_another_rate_is_refused(corpus: Path) -> None:
    path = next(corpus.glob("TRAIN/*/*/SX37.WAV"))
    path.write_bytes(path.read_bytes().replace(b"sample_rate -i 16000", b"sample_rate -i 22050"))
    with pytest.raises(ValueError, match="22050 samples per second") as caught:
        of(corpus).data("train", 0)
    one_line(caught)


# --- for people -------------------------------------------------------------------------------------------------------


def test_it_can_be_heard_and_seen(corpus: Path) -> None:
    task = of(corpus)
    sounded = task.sound()
    assert sounded is not None
    rate, samples = sounded
    assert rate == 16000 and 0.05 < np.abs(samples).max() <= 1.0
    figure = Figure(layout="constrained")
    task.illustrate(figure)
    assert "TIMIT, speaker" in figure.get_suptitle() and len(figure.axes) == 4
    assert "Asked:" in task.example() and "Scored: sil" in task.example()


def test_the_made_up_corpus_is_the_same_every_time(tmp_path: Path) -> None:
    timit_made_up.write(tmp_path / "one")
    timit_made_up.write(tmp_path / "two")
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 14 * 4 * 2
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)
    assert Timit.tiny() == Timit.tiny()
