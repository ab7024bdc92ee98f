"""Words that the rules of word segmentation would cut wrongly: contractions, abbreviations, emoticons, units.

The lists are those of spaCy's English tokenizer (spacy/lang/en/tokenizer_exceptions.py,
spacy/lang/tokenizer_exceptions.py, the units of spacy/lang/char_classes.py; spaCy 3.8), because FineWeb's
filters counted its words. A bar says where a word is cut.
"""

# ruff: noqa: E501, SIM905 (lists of words are easier to read as text)

from __future__ import annotations

from collections.abc import Iterator

_PRONOUNS = "i you he she it we they"
_QUESTIONS = "who what when where why how there that this"
_DEMONSTRATIVES = "these those"
_NEGATED = (
    "ca could do does did had may might must need ought sha should wo would ai are is was were have has dare"
)
_NEGATED_BEFORE_HAVE = _NEGATED.split()[:15]
_MODALS = "could might must should would"
_NO_CONTRACTIONS = {"ill", "its", "hell", "shell", "shed", "were", "well", "whore"}
"""Words of their own, whatever contraction without its apostrophe they could be."""

_OTHER = """
y'|all y|all how|'d|'y How|'d|'y not|'ve not|ve Not|'ve Not|ve can|not Can|not gon|na Gon|na got|ta Got|ta let|'s
Let|'s c'm|on C'm|on
""".split()

_WHOLE = """
doin goin nothin nuthin ol somethin Doin Goin Nothin Nuthin Ol Somethin doin' goin' nothin' nuthin' ol' somethin'
Doin' Goin' Nothin' Nuthin' Ol' Somethin' lovin Lovin lovin' Lovin' havin Havin havin' Havin' em ll nuff 'em 'll 'nuff
'S 's ‘S ‘s 're 'd 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout and/or w/o ma'am Ma'am o'clock O'clock
""".split()

ABBREVIATIONS = """
Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. Kan.
Kans. Ky. La. Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. S.C.
Sep. Sept. Tenn. Va. Wash. Wis. a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. i.e. I.e. I.E. Inc.
Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. p.m. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s.
a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. s. t. u. v. w. x. y. z. ä. ö. ü.
""".split()
"""Words that keep their full stop."""

_EMOTICONS = r"""
:) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :(( :-((
:((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0 :() >:o :*
:-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.< ._. ;_; -_- -__-
v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3 (^_^) (-_-) (._.) (>_<)
(*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>
""".split()
_MARKS = r"""' \") '' <space> C++ \t \n —""".split()

UNITS = """
km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa mbar
mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч кПа Па мбар
Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тб كم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ غرام جرام جم كغ ملغ كوب اكواب
""".split()
"""Cut off behind a digit."""


def special_words() -> dict[str, tuple[str, ...]]:
    """Every special word with the pieces that it is cut into, the typographic apostrophe's forms included."""
    words: dict[str, tuple[str, ...]] = {}
    for cut in (*_contractions(), *_OTHER, *_WHOLE, *ABBREVIATIONS, *_times()):
        words[cut.replace("|", "")] = tuple(cut.split("|"))
    for emoticon in (*_EMOTICONS, *_MARKS):
        words[emoticon] = (emoticon,)
    for scale in "cfkCFK":
        words[f"°{scale}."] = ("°", scale, ".")
    for word, pieces in list(words.items()):
        if "'" in word:
            words[word.replace("'", "’")] = tuple(piece.replace("'", "’") for piece in pieces)
    return words


def _times() -> Iterator[str]:
    for hour in range(1, 13):
        for half in ("a.m.", "am", "p.m.", "pm"):
            yield f"{hour}|{half}"


def _contractions() -> Iterator[str]:
    """Contractions with and without their apostrophes, as they stand in a sentence and at its beginning."""
    for cut in _lower_contractions():
        for spelling in (cut, cut.replace("'", "")):
            if spelling.replace("|", "") not in _NO_CONTRACTIONS:
                yield spelling
                yield spelling[0].upper() + spelling[1:]


def _lower_contractions() -> Iterator[str]:
    yield from ("i|'m", "i|'m|a")
    for words, endings in (
        (_PRONOUNS, "'ll 'll|'ve 'd 'd|'ve"),
        ("i you we they", "'ve"),
        ("you we they", "'re"),
        ("he she it", "'s"),
        (_QUESTIONS, "'s"),
        (f"{_QUESTIONS} {_DEMONSTRATIVES}", "'ll 'll|'ve 'd 'd|'ve"),
        (f"who what when where why how there {_DEMONSTRATIVES}", "'re 've"),
        (_NEGATED, "n't"),
        (" ".join(_NEGATED_BEFORE_HAVE), "n't|'ve"),
        (_MODALS, "'ve"),
    ):
        for word in words.split():
            for ending in endings.split():
                yield f"{word}|{ending}"
