"""The sounds of English as a formant synthesiser knows them, and which may follow which.

Where the numbers come from:
- vowel formants: Peterson & Barney 1952 (JASA 24, 175-184), table II, men
- vowel durations: Hillenbrand et al. 1995 (JASA 97, 3099-3111), table V, men, times `CONNECTED`
- bandwidths of vowels; formants and bandwidths of consonants; nasal pole and zero: Klatt 1980 (JASA 67, 971-995),
  tables II and III, his consonants before front vowels. /ng/ and /zh/ are not among them: /ng/ has the formants of his
  /k/ and the rest of his /n/, /zh/ the formants of his /sh/ and bandwidths between his /z/ and /sh/
- voice onset times: Lisker & Abramson 1964 (Word 20, 384-422), English, single words, times `CONNECTED`
- poles of frication: for /s z/ Klatt's sixth formant, for /sh zh/ his third to fifth, for /t d/ his fourth to sixth;
  for /k g/ the second formant wherever it is (Stevens & Blumstein 1978, JASA 64, 1358-1368: compact spectra; theirs too
  are the falling spectra of /p b/ and the rising ones of /t d/)
- chosen: durations of consonants (around the 70 ms that Klatt 1976, JASA 59, 1208-1221, gives as the median), second
  poles, all levels (roughly in the order of Fletcher's 1953 relative powers of speech sounds), `yields`, and the shares
  of the phonotactics, which are not those of any language; /hh/ and the pause have the formants of an even tube.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

CONNECTED = 0.6
"""Durations in connected speech, as a share of those in isolated words (chosen)."""
OFF = -100.0
"""Level in dB of a source that is silent: small enough not to be heard, large enough to keep arithmetic fast."""
BURST_MS = 10.0


class Phone(NamedTuple):
    """A sound, as an adult man makes it; levels are in dB, 0 being a vowel's.

    symbol      ARPAbet
    kind        vowel, glide, nasal, fricative, stop or pause
    formants    targets of F1, F2 and F3 in Hz
    bandwidths  of these, in Hz
    duration    mean in connected speech, in ms
    voicing     level of the voice; of a stop, while it is closed
    aspiration  level of breath noise; of a stop, between burst and voice
    frication   level of noise made in the mouth; of a stop, its burst
    poles       of that noise: (frequency in Hz, bandwidth in Hz, share of its power); frequency 0 follows F2
    onset       ms from the release of a stop to the voice
    yields      how far F2 and F3 give way to those of the neighbouring vowel, 0 to 1
    """

    symbol: str
    kind: str
    formants: tuple[int, int, int]
    bandwidths: tuple[int, int, int]
    duration: float
    voicing: float = OFF
    aspiration: float = OFF
    frication: float = OFF
    poles: tuple[tuple[float, float, float], ...] = ()
    onset: float = 0.0
    yields: float = 0.0


def _vowel(symbol: str, formants: tuple[int, int, int], bandwidths: tuple[int, int, int], isolated: float) -> Phone:
    return Phone(symbol, "vowel", formants, bandwidths, CONNECTED * isolated, 0.0, -36.0)


_S = ((4900.0, 1000.0, 0.65), (6900.0, 1200.0, 0.35))
_SH = ((2750.0, 300.0, 0.6), (3600.0, 900.0, 0.4))
_TH = ((4900.0, 1000.0, 0.15),)
_P = ((800.0, 900.0, 0.7),)
_T = ((3600.0, 600.0, 0.3), (4900.0, 1000.0, 0.7))
_K = ((0.0, 300.0, 0.8), (3600.0, 900.0, 0.1))

PHONES = (
    _vowel("iy", (270, 2290, 3010), (45, 200, 400), 243),
    _vowel("ih", (390, 1990, 2550), (50, 100, 140), 192),
    _vowel("eh", (530, 1840, 2480), (60, 90, 200), 189),
    _vowel("ae", (660, 1720, 2410), (70, 150, 320), 278),
    _vowel("aa", (730, 1090, 2440), (130, 70, 160), 267),
    _vowel("ao", (570, 840, 2410), (90, 100, 80), 283),
    _vowel("uh", (440, 1020, 2240), (80, 100, 80), 192),
    _vowel("uw", (300, 870, 2240), (65, 110, 140), 237),
    _vowel("ah", (640, 1190, 2390), (80, 50, 140), 188),
    _vowel("er", (490, 1350, 1690), (100, 60, 110), 263),
    Phone("w", "glide", (290, 610, 2150), (50, 80, 60), 70, -3),
    Phone("y", "glide", (260, 2070, 3020), (40, 250, 500), 70, -3),
    Phone("r", "glide", (310, 1060, 1380), (70, 100, 120), 70, -3),
    Phone("l", "glide", (310, 1050, 2880), (50, 100, 280), 70, -3),
    Phone("m", "nasal", (480, 1270, 2130), (40, 200, 200), 75, -4, yields=0.4),
    Phone("n", "nasal", (480, 1340, 2470), (40, 300, 300), 70, -4, yields=0.1),
    Phone("ng", "nasal", (480, 1990, 2850), (40, 300, 300), 80, -4, yields=0.4),
    Phone("f", "fricative", (340, 1100, 2080), (200, 120, 150), 95, frication=-20, yields=0.4),
    Phone("v", "fricative", (220, 1100, 2080), (60, 90, 120), 70, -9, frication=-25, yields=0.4),
    Phone("th", "fricative", (320, 1290, 2540), (200, 90, 200), 90, frication=-23, poles=_TH, yields=0.1),
    Phone("dh", "fricative", (270, 1290, 2540), (60, 80, 170), 60, -9, frication=-28, poles=_TH, yields=0.1),
    Phone("s", "fricative", (320, 1390, 2530), (200, 80, 200), 105, frication=-10, poles=_S, yields=0.1),
    Phone("z", "fricative", (240, 1390, 2530), (70, 60, 180), 85, -9, frication=-15, poles=_S, yields=0.1),
    Phone("sh", "fricative", (300, 1840, 2750), (200, 100, 300), 110, frication=-8, poles=_SH, yields=0.1),
    Phone("zh", "fricative", (300, 1840, 2750), (70, 80, 280), 85, -9, frication=-13, poles=_SH, yields=0.1),
    Phone("hh", "fricative", (500, 1500, 2500), (300, 160, 250), 65, aspiration=-12, yields=1.0),
    Phone("p", "stop", (400, 1100, 2150), (300, 150, 220), 100, OFF, -20, -14, _P, CONNECTED * 58, yields=0.4),
    Phone("b", "stop", (200, 1100, 2150), (60, 110, 130), 75, -17, OFF, -16, _P, CONNECTED * 1, yields=0.4),
    Phone("t", "stop", (400, 1600, 2600), (300, 120, 250), 100, OFF, -20, -8, _T, CONNECTED * 70, yields=0.1),
    Phone("d", "stop", (200, 1600, 2600), (60, 100, 170), 75, -17, OFF, -12, _T, CONNECTED * 5, yields=0.1),
    Phone("k", "stop", (300, 1990, 2850), (250, 160, 330), 105, OFF, -20, -8, _K, CONNECTED * 80, yields=0.5),
    Phone("g", "stop", (200, 1990, 2850), (60, 150, 280), 80, -17, OFF, -11, _K, CONNECTED * 21, yields=0.5),
    Phone("sil", "pause", (500, 1500, 2500), (100, 100, 150), 120, yields=1.0),
)
SYMBOLS = tuple(phone.symbol for phone in PHONES)
PAUSE = SYMBOLS.index("sil")
"""The last of all, so that the labels of what is spoken are 0 to `PAUSE` - 1."""
KINDS = np.array([phone.kind for phone in PHONES])

# --- phonotactics -----------------------------------------------------------------------------------------------------

ONSET, GLIDE, NUCLEUS, CODA, REST = range(5)
"""Places in a syllable; GLIDE is the second consonant of an onset, REST the pause between syllables."""
OBSTRUENTS = ("fricative", "stop")
MEMBERS = {
    ONSET: [k for k, phone in enumerate(PHONES) if phone.kind not in ("vowel", "pause") and phone.symbol != "ng"],
    GLIDE: [k for k, phone in enumerate(PHONES) if phone.kind == "glide"],
    NUCLEUS: [k for k, phone in enumerate(PHONES) if phone.kind == "vowel"],
    CODA: [k for k, p in enumerate(PHONES) if p.kind not in ("vowel", "pause") and p.symbol not in ("hh", "w", "y")],
    REST: [PAUSE],
}
STATES = tuple((place, phone) for place, members in MEMBERS.items() for phone in members)
"""A state is a place in the syllable with the phone that fills it."""
PLACE_OF = np.array([place for place, _ in STATES])
PHONE_OF = np.array([phone for _, phone in STATES])


def _next_places(place: int, phone: int) -> dict[int, float]:
    """Shares of the places that may come after a state."""
    if place == ONSET:
        cluster = 0.15 if PHONES[phone].kind in OBSTRUENTS and PHONES[phone].symbol != "hh" else 0.0
        return {GLIDE: cluster, NUCLEUS: 1.0 - cluster}
    return {
        GLIDE: {NUCLEUS: 1.0},
        NUCLEUS: {CODA: 0.4, ONSET: 0.5, NUCLEUS: 0.05, REST: 0.05},
        CODA: {ONSET: 0.65, NUCLEUS: 0.25, REST: 0.1},
        REST: {ONSET: 0.85, NUCLEUS: 0.15},
    }[place]


def likeness() -> np.ndarray:
    """How much two phones of one class repel each other, `(phone, phone)`: 0 for one phone twice, more the less alike.

    The squared distance of their formants in log Hz, and half a unit more when they differ in kind or in voice.
    """
    logs = np.log([phone.formants for phone in PHONES])
    voiced = np.array([phone.voicing > OFF for phone in PHONES])
    differ = (KINDS[:, None] != KINDS) | (voiced[:, None] != voiced)
    return np.square(logs[:, None] - logs[None]).sum(-1) + 0.5 * differ


@functools.cache
def _bigram() -> np.ndarray:
    apart, table = likeness(), np.zeros((len(STATES), len(STATES)))
    vowel = KINDS == "vowel"
    for row, (place, phone) in enumerate(STATES):
        for following, share in _next_places(place, phone).items():
            members = np.equal(PLACE_OF, following)
            # Neighbours of one class avoid those that sound alike (obligatory contour principle); others do not mind.
            alike = following != REST and place != REST and vowel[phone] == (following == NUCLEUS)
            weight = members * (apart[phone, PHONE_OF] if alike else 1.0)
            table[row] += share * weight / weight.sum()
    return table


def bigram() -> np.ndarray:
    """Phonotactics: probability `(state, next state)`. No phone comes twice in a row."""
    return _bigram().copy()
