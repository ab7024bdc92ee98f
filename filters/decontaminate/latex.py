"""What LaTeX commands count as when formulas are compared as words.

A formula is read as its letters, numbers and names: delimiters, braces, operators, relations and layout are
dropped, as signs and as commands alike, so that `\\frac{a}{b}`, `\\dfrac ab` and `a/b`, or `x \\leq 2` and
`x ≤ 2`, are the same words. A command that is not listed is a word by its name (`\\sin`, `\\alpha`,
`\\sqrt`). The names are those of LaTeX and amsmath ("The Comprehensive LaTeX Symbol List", amsldoc), without
regard to case.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from filters.decontaminate.fingerprint import word_hash
from filters.hashing import hash_set

NOTHING, DROPPED, FRACTION, ROOT, ENVIRONMENT, WITH_ARGUMENT, RENAMED = range(7)
"""What to do with a command: keep its name as a word (NOTHING is listed), drop it, drop it and read two
arguments (`\\frac12` is 1 and 2), keep it and read one (`\\sqrt2`), drop it with the name of its environment,
drop it with its argument, read it as another word (RENAMED and more: the word's number)."""

_DROPPED = """
left right middle big bigl bigr bigm bigg biggl biggr biggm
displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits nonumber notag
quad qquad enspace enskip thinspace medspace thickspace negthinspace hfill hline cline
vdots ddots ldots cdots dots dotsc dotsb dotsm dotso newline linebreak pagebreak noindent par
centering indent break allowbreak
text textrm textbf textit textsf texttt textnormal textup textsc textmd emph underline uline
mbox hbox fbox makebox mathrm mathbf mathit mathsf mathtt mathcal mathbb mathfrak mathscr mathnormal
boldsymbol bm pmb operatorname operatornamewithlimits rm bf it sf tt cal em sc sl bold
tiny scriptsize footnotesize small normalsize large huge
overline bar vec hat widehat tilde widetilde dot ddot acute grave check breve mathring overrightarrow
overleftarrow overleftrightarrow underbrace overbrace underset overset stackrel boxed
cdot cdotp times ast star div pm mp circ bullet oplus ominus otimes oslash odot wedge vee land lor cap cup
bigcap bigcup bigoplus bigotimes setminus backslash amalg diamond dagger
sum prod coprod int iint iiint oint partial nabla infty prime degree
le leq leqslant ge geq geqslant lt gt ne neq equiv sim simeq approx cong propto ll gg prec succ preceq succeq
doteq perp parallel mid nmid vert lvert rvert lVert rVert in ni notin subset supset subseteq supseteq
subsetneq not nsubseteq sqsubseteq models vdash dashv forall exists nexists neg lnot emptyset varnothing
to gets mapsto rightarrow leftarrow leftrightarrow longrightarrow longleftarrow longleftrightarrow longmapsto
implies impliedby iff uparrow downarrow updownarrow hookrightarrow nearrow searrow rightleftharpoons
xrightarrow xleftarrow langle rangle lfloor rfloor lceil rceil lbrace rbrace lbrack rbrack
therefore because colon ldotp square blacksquare qed qedhere checkmark surd bigstar
"""
"""Layout, fonts, accents, delimiters, operators, relations, arrows: what Unicode writes as signs (categories
P, S) and what plain text does not write at all."""
_FRACTIONS = "frac dfrac tfrac cfrac sfrac nicefrac binom dbinom tbinom"
_ROOTS = "sqrt"
_ENVIRONMENTS = "begin end"
_WITH_ARGUMENT = "hspace vspace hskip vskip label ref color textcolor phantom hphantom vphantom tag setlength"
_RENAMED = {
    "bmod": "mod",
    "pmod": "mod",
    "pod": "mod",
    "varphi": "phi",
    "varepsilon": "epsilon",
    "vartheta": "theta",
    "varrho": "rho",
    "varsigma": "sigma",
    "varpi": "pi",
    "measuredangle": "angle",
}
"""Spellings of one word."""


@functools.cache
def kinds() -> dict[str, int | str]:
    """What to do with every listed command; the word that it is read as for RENAMED ones."""
    listed: dict[str, int | str] = {}
    for names, kind in (
        (_DROPPED, DROPPED),
        (_FRACTIONS, FRACTION),
        (_ROOTS, ROOT),
        (_ENVIRONMENTS, ENVIRONMENT),
        (_WITH_ARGUMENT, WITH_ARGUMENT),
    ):
        listed |= dict.fromkeys(names.lower().split(), kind)
    return listed | _RENAMED


@functools.cache
def commands() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """A table for `filters.hashing.find`: hashes of names uint64[slots], what to do int64[slots]; and the
    hashes of the words that RENAMED and more stand for: uint64."""
    listed = kinds()
    words = sorted(set(_RENAMED.values()))
    hashes = np.array([word_hash(name) for name in listed], np.uint64)
    keys = hash_set(hashes)
    values = np.zeros(len(keys), np.int64)
    places = dict(zip(keys.tolist(), range(len(keys)), strict=True))
    for key, kind in zip(hashes.tolist(), listed.values(), strict=True):
        values[places[key]] = RENAMED + words.index(kind) if isinstance(kind, str) else kind
    return keys, values, np.array([word_hash(word) for word in words], np.uint64)
