"""Which phones were spoken, one after another? The corpus of `formants`, whose labels have no times here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tasks.labels import LabelSequences
from tasks.speech import formant_corpus
from tasks.speech.formant_corpus import HOP_MS, Corpus
from tasks.speech.inventory import PAUSE
from tasks.task import Split, SplitName

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FormantsCTC(LabelSequences):
    """Write down the phones of an utterance, for a speaker that was never heard, from a transcript without times.

    The utterances are those of `formants`, wave for wave, for the same parameters and seed: a few nonsense syllables
    between two pauses, from a formant synthesiser after Klatt (1980), heard as the log energies of mel bands. There the
    phone of every frame is the target; here only which phones were said, in order, and the network finds the times
    itself (connectionist temporal classification). Pauses are not labels: where nobody speaks there is nothing to
    write, which is what blank is for. Every phone lasts two frames or more, so all alignments that matter exist.

    Inputs float32 `(n, time, bands)`, each band less its mean and over its standard deviation on a corpus of its own
    that is no split of any seed; targets int64 `(n, longest)`, phones in 0..31, of which the first `target_lengths`
    `(n,)` count; lengths `(n,)` are those of the utterances; groups name the speaker, and no speaker is in two splits.
    Phones and sources: `tasks/speech/inventory.py`. The best possible score is not known.
    """

    name: ClassVar[str] = "formants_ctc"
    family: ClassVar[str] = "speech"
    description: ClassVar[str] = "phones of a synthesised utterance in order, learned without times; unseen speakers"

    time: int = 40
    """Frames of 20 ms in the longest utterance."""
    overlap: float = 25.0
    """Standard deviation, in ms, of the kernel that smooths formant tracks; 0 for steps."""
    noise: float = 1.0
    """Multiple of the noise of each speaker's room, which lies 15 to 30 dB below the speech."""
    speakers: int = 128
    """Training speakers; validation has an eighth as many, test a quarter."""
    utterances: int = 16
    """Utterances of each speaker."""
    bands: int = 16
    """Mel bands that are heard, from 64 Hz to 8 kHz."""

    def __post_init__(self) -> None:
        """Refuse dials that make no data."""
        if self.beam < 1:
            raise ValueError(f"beam is {self.beam}: it must be at least 1")
        self.corpus  # noqa: B018  # refuses what it cannot make

    @property
    def corpus(self) -> Corpus:
        """What is spoken and heard, which all seeds share."""
        return Corpus(self.time, self.overlap, self.noise, self.speakers, self.utterances, self.bands)

    @property
    def inputs(self) -> int:
        """One log energy per band."""
        return self.bands

    @property
    def outputs(self) -> int:
        """32 phones and blank."""
        return PAUSE + 1

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """Utterances of the split's own speakers; `fold` is ignored."""
        spoken = self.corpus.draw(split, seed)
        said = spoken.phones != PAUSE
        counts = said.sum(1)
        targets = np.zeros((len(said), counts.max()), dtype=np.int64)
        targets[np.arange(targets.shape[1]) < counts[:, None]] = spoken.phones[said]
        return Split(
            inputs=self.corpus.scaled(spoken.bands, spoken.lengths),
            targets=targets,
            lengths=spoken.lengths,
            groups=formant_corpus.group_names(seed, spoken.speakers),
            target_lengths=counts.astype(np.int64),
        )

    def amount(self, split: Split) -> tuple[float, str]:
        """Seconds from the beginning to the end of every utterance."""
        return formant_corpus.seconds(split), "seconds of speech"

    def example(self, seed: int = 0) -> str:
        """One utterance: the bands that the network hears, and the phones that it is to write."""
        corpus, spoken = self.corpus.one(seed)
        blocks, frames = formant_corpus.as_blocks(corpus, spoken), spoken.lengths[0]
        rows = ("".join(block[band] for block in blocks[:frames])[:100] for band in reversed(range(self.bands)))
        return (
            f"Heard: {frames} frames of {HOP_MS:.0f} ms from left to right, {self.bands} bands, high above low\n"
            + "\n".join(rows)
            + f"\nAsked: {formant_corpus.transcript(spoken)[:100]}"
        )

    def illustrate(self, figure: Figure, seed: int = 0) -> None:
        """Waveform, phones, spectrogram with formant tracks, and the bands that the network hears."""
        asked = "asked: the phones in order, without their times"
        formant_corpus.illustrate(figure, self.corpus, "Which phones were spoken? Formant synthesis", asked, seed)

    def sound(self, seed: int = 0) -> tuple[int, np.ndarray]:
        """Two and a half seconds of nonsense syllables by one speaker."""
        return formant_corpus.sound(self.corpus, seed)

    @classmethod
    def tiny(cls) -> FormantsCTC:
        """16 speakers with 8 utterances of 16 frames."""
        return cls(time=16, speakers=16, utterances=8)
