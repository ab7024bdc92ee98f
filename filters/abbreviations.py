"""What stands before a full stop that does not end a sentence, of fifteen languages together.

A text's language is not asked for: abbreviations of one language are seldom sentences of another. Dotted ones
("z.B.", "т.е.") and single letters ("J. Smith", "в 1839 г.") follow rules and are not listed.
"""

# ruff: noqa: E501, SIM905 (lists of words are easier to read as text)

from __future__ import annotations

ALWAYS, BEFORE_NUMBER, ERA, AFTER_ORDINAL = 1, 2, 3, 4
"""Never the end of a sentence; not where a number follows; dotted, but the end where a capital follows; what
follows an ordinal number ("am 3. Oktober")."""

_ALWAYS = """
mr mrs ms messrs dr drs prof rev gen gov sen rep col capt cmdr lt sgt adm hon st mt ft vs cf al approx dept est
mme mlle mm me av dra sr sra srta sres ud uds núm pág págs sig sigg dott ing arch avv geom rag
hr fr kgl stk ca inkl ekskl evt bzw vgl sog ggf evtl bspw zzgl abzgl mio mrd mag dipl hrsg
dhr mevr mw ir bijv incl excl resp jl d.w.z o.a
ws św inż mgr lic hab im np tzw tzn ul al os płk ppłk mjr kpt por sierż
им ул пр пл стр см напр проф акад доц тыс млн млрд руб коп рис табл
esim mm eaa n. fil tel jr.
ph.d dr.phil fil.mag ee gg
""".split()

_BEFORE_NUMBER = """
no nos nr núm n.º fig figs vol vols pp p ch chap sec eq art abs bd kap kl stk tab ca c kb pkt poz rys rozdz str
jan feb mar apr jun jul aug sept sep oct nov dec
сб вып т гл ст п № г гг
""".split()

_ERA = """
a.c d.c b.c a.d b.c.e c.e n.e p.n.e f.kr e.kr f.kr. f.v.t v.t p.e.v e.v v.chr n.chr j.-c н.э a.m p.m u.s u.k b.t
r э
""".split()

_AFTER_ORDINAL = """
Januar Jänner Februar März April Mai Juni Juli August September Oktober November Dezember Jahrhundert Jahrhunderts
Jahrhunderte Jahrhunderten Jahrtausend Jahrtausends Jh Klasse Platz Auflage Geburtstag Weltkrieg Weltkriegs Lebensjahr
Tag Woche Monat Stock Etage Kapitel Mal Bezirk Minute Spieltag Runde Etappe Generation Ausgabe Jahrestag Sitzung
""".split()


def abbreviations() -> dict[str, int]:
    """Every listed word, in the spellings that occur, and what it is."""
    words: dict[str, int] = dict.fromkeys(_AFTER_ORDINAL, AFTER_ORDINAL)
    for kind, listed in ((BEFORE_NUMBER, _BEFORE_NUMBER), (ALWAYS, _ALWAYS), (ERA, _ERA)):
        for word in listed:
            if len(word) == 1:
                words[word] = kind  # a capital is an initial
                continue
            parts = word.split(".")
            spellings = (
                word,
                word[0].upper() + word[1:],
                ".".join([*parts[:-1], parts[-1].capitalize()]),
                word.upper() if kind == ERA else word,
            )
            words |= dict.fromkeys(spellings, kind)
    return words
