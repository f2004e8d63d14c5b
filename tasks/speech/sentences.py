"""English sentences by chance: a phrase-structure grammar over a list of common words.

They mean little and are spoken well: what a recogniser needs of them is every phone of English in many surroundings,
and so many sentences that one of test is hardly ever one of train.
"""

from __future__ import annotations

import numpy as np

WORDS: dict[str, tuple[str, ...]] = {
    kind: tuple(words.split())
    for kind, words in {
        "noun": """apple army baby bag ball bank basket bath beach bear bed bell bird boat book bottle box boy bread
            bridge brother bush cake camera castle cat chair cheese chicken child church circle city cloud coat coffee
            coin corner cow crowd cup daughter day desk dinner doctor dog door dress driver ear earth egg engine eye
            face farmer father feather field finger fire fish flower foot forest friend garden garage girl glass goat
            gold guide hand hat head heart hill horse hospital house island jacket judge juice kettle key kitchen knife
            lady lake lamp leader leaf leather letter lion machine measure moon mother mountain mouth music nation neck
            neighbour noise nose ocean office oil orange owl page paint paper park path pencil piano picture pilot place
            plate pleasure pocket poet point queen question rabbit river road rocket roof room rope salad school sea
            shadow sheep shelf ship shirt shoe shop sister snow soldier song soup spoon star station stone storm story
            street sugar sun table teacher television thief thumb tiger tooth town toy train treasure tree uncle valley
            van village vision visitor voice wall watch water week wheel window wolf woman wood word world year yard
            zebra zoo""",
        "adjective": """afraid ancient angry bad beautiful big bitter black blue brave bright brown busy calm careful
            cheap clean clever cold common cool cruel dark deep dirty dry dull early easy empty enormous famous fast
            final fresh full funny gentle good great green grey happy heavy hungry huge large lazy light little long
            loud lovely mild modern narrow new noisy old orange pale pink plain poor pretty proud pure quick quiet rare
            red rich rough royal sad safe sharp short shy silver simple slow small smooth soft sour square strange
            strong sweet tall thick thin tired tiny usual useful warm weak white wide wild wise wooden yellow young""",
        "transitive": """admired annoyed answered avoided borrowed bought broke brought built burned carried caught
            chose cleaned closed counted covered crossed described destroyed discovered drew dropped enjoyed feared felt
            followed forgot found gave guarded hated heard held helped hid joined kept kicked knew left liked lost loved
            made measured met missed moved noticed opened owned painted passed pulled pushed put reached remembered
            saved saw sold showed stole studied thanked threw took touched used visited wanted washed watched wore""",
        "intransitive": """agreed appeared arrived began cried danced died drove escaped fell flew grew hurried jumped
            laughed lay lied listened lived moved played prayed ran rested returned rose sang sat shook shouted slept
            smiled spoke stayed stood stopped swam talked travelled vanished waited walked wept woke worked yawned""",
        "adverb": """again alone already always away badly early easily finally gladly hardly here inside later loudly
            never nearly now often outside quickly quietly rarely sadly seldom slowly softly sometimes soon then there
            today together twice usually very well yesterday""",
        "preposition": """above across after against among around at before behind below beside between beyond by during
            from in inside into near of off on over past through towards under with within without""",
        "determiner": "the the the the a a this that each every another my your his her our their no some",
        "name": """Adam Alice Anna Arthur Charles Chloe David Edith George Grace Hugo Jane Joyce Kate Leo Martha Mary
            Noah Oscar Paul Roy Ruth Sarah Thomas Victor Walter Zoe""",
        "pronoun": "he she it they we you I somebody everyone nobody",
        "linking": "was was is seemed became looked felt",
        "conjunction": "and but while because before when until although",
    }.items()
}
"""Words by kind; one that is written twice is twice as likely."""


def sentence(rng: np.random.Generator) -> str:
    """One sentence without its full stop, half of them of 7 words or fewer; of 1,000, 5 were among 20,000 others."""
    said = _clause(rng)
    if rng.random() < 0.2:
        said += [_word(rng, "conjunction"), *_clause(rng)]
    return _spelled(said)


def phrase(rng: np.random.Generator) -> str:
    """A piece of a sentence, of two to five words."""
    form = rng.random()
    if form < 0.35:
        return _spelled(_noun_phrase(rng, 0.0))
    if form < 0.55:
        return _spelled([_word(rng, "preposition"), *_noun_phrase(rng, 0.0)])
    if form < 0.75:
        return _spelled([*_short_subject(rng), _word(rng, "intransitive")])
    if form < 0.9:
        return _spelled([*_short_subject(rng), _word(rng, "linking"), _word(rng, "adjective")])
    return _spelled([_word(rng, "adverb"), _word(rng, "adjective")])


def _clause(rng: np.random.Generator) -> list[str]:
    subject = _short_subject(rng) if rng.random() < 0.3 else _noun_phrase(rng, 0.25)
    form = rng.random()
    if form < 0.5:
        verb = [_word(rng, "transitive"), *_noun_phrase(rng, 0.25)]
    elif form < 0.8:
        verb = [_word(rng, "intransitive")]
        if rng.random() < 0.6:
            verb += [_word(rng, "preposition"), *_noun_phrase(rng, 0.0)]
    else:
        verb = [_word(rng, "linking"), _word(rng, "adjective")]
    if rng.random() < 0.25:
        verb += [_word(rng, "adverb")]
    return subject + verb


def _noun_phrase(rng: np.random.Generator, nested: float) -> list[str]:
    """Determiner, up to two adjectives, noun; with probability `nested` another one hangs on it."""
    adjectives = [_word(rng, "adjective") for _ in range(rng.choice(3, p=(0.45, 0.4, 0.15)))]
    words = [_word(rng, "determiner"), *adjectives, _word(rng, "noun")]
    if rng.random() < nested:
        words += [_word(rng, "preposition"), *_noun_phrase(rng, 0.0)]
    return words


def _short_subject(rng: np.random.Generator) -> list[str]:
    return [_word(rng, "name" if rng.random() < 0.6 else "pronoun")]


def _word(rng: np.random.Generator, kind: str) -> str:
    return WORDS[kind][rng.integers(len(WORDS[kind]))]


def _spelled(words: list[str]) -> str:
    """`a` becomes `an` before a vowel's letter, and the first letter a capital."""
    following = [*words[1:], ""]
    said = ["an" if word == "a" and after[0] in "aeiou" else word for word, after in zip(words, following, strict=True)]
    return (said[0][0].upper() + said[0][1:]) + "".join(f" {word}" for word in said[1:])
