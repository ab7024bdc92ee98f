"""Licence expressions of SPDX: reading them, and what they permit.

Grammar: SPDX Specification 2.3, annex D (SPDX License Expressions). Identifiers: SPDX License List, by the
names in `filters/data/license_texts.npz`. What is permissive: the Blue Oak Council's list
(blueoakcouncil.org/list, version 15), levels Model to Bronze, and the public-domain dedications; the level
Lead (licences that the council finds badly written, some of them widely used) is kept apart.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Literal

from filters.code.fingerprints import load_fingerprints

Expression = str | tuple[Literal["AND", "OR"], tuple["Expression", ...]] | tuple[Literal["WITH"], str, str]
"""A licence, a combination, or a licence with an exception."""

EXCEPTIONS = (
    "389-exception Autoconf-exception-2.0 Autoconf-exception-3.0 Autoconf-exception-generic"
    " Bison-exception-1.24 Bison-exception-2.2 Bootloader-exception Classpath-exception-2.0"
    " CLISP-exception-2.0 DigiRule-FOSS-exception eCos-exception-2.0"
    " FLTK-exception Font-exception-2.0 freertos-exception-2.0 GCC-exception-2.0"
    " GCC-exception-2.0-note GCC-exception-3.1 gnu-javamail-exception"
    " GPL-3.0-interface-exception GPL-3.0-linking-exception GPL-3.0-linking-source-exception GPL-CC-1.0"
    " GStreamer-exception-2005 GStreamer-exception-2008 i2p-gpl-java-exception KiCad-libraries-exception"
    " LGPL-3.0-linking-exception libpri-OpenH323-exception Libtool-exception Linux-syscall-note LLGPL"
    " LLVM-exception LZMA-exception mif-exception Nokia-Qt-exception-1.1 OCaml-LGPL-linking-exception"
    " OCCT-exception-1.0 OpenJDK-assembly-exception-1.0 openvpn-openssl-exception"
    " PS-or-PDF-font-exception-20170817 QPL-1.0-INRIA-2004-exception Qt-GPL-exception-1.0"
    " Qt-LGPL-exception-1.1 Qwt-exception-1.0 SHL-2.0 SHL-2.1 Swift-exception u-boot-exception-2.0"
    " Universal-FOSS-exception-1.0 vsftpd-openssl-exception WxWindows-exception-3.1 x11vnc-openssl-exception"
)
"""Identifiers of exceptions (spdx.org/licenses/exceptions-index.html)."""

PERMISSIVE = (
    # Model, Gold, Silver
    "BlueOak-1.0.0 BSD-2-Clause-Patent ADSL Apache-2.0 APAFML BSD-1-Clause BSD-2-Clause BSD-2-Clause-FreeBSD"
    " BSD-2-Clause-NetBSD BSD-2-Clause-Views BSL-1.0 DSDP ECL-1.0 ECL-2.0 hdparm ImageMagick Intel-ACPI ISC"
    " Linux-OpenIB MIT MIT-Modern-Variant MIT-testregex MIT-Wu MS-PL MulanPSL-1.0 Mup PostgreSQL SHL-0.5"
    " Spencer-99 UPL-1.0 Xerox Xfig"
    # Bronze
    " 0BSD AFL-1.1 AFL-1.2 AFL-2.0 AFL-2.1 AFL-3.0 AMDPLPA AML AMPAS ANTLR-PD ANTLR-PD-fallback Apache-1.0"
    " Apache-1.1 Artistic-2.0 Bahyph Barr bcrypt-Solar-Designer BSD-3-Clause BSD-3-Clause-Attribution"
    " BSD-3-Clause-Clear BSD-3-Clause-HP BSD-3-Clause-LBNL BSD-3-Clause-Modification"
    " BSD-3-Clause-No-Nuclear-License-2014 BSD-3-Clause-No-Nuclear-Warranty BSD-3-Clause-Open-MPI"
    " BSD-3-Clause-Sun BSD-4-Clause BSD-4-Clause-Shortened BSD-4-Clause-UC BSD-Source-Code bzip2-1.0.5"
    " bzip2-1.0.6 CC0-1.0 CFITSIO Clips CNRI-Jython CNRI-Python CNRI-Python-GPL-Compatible Cube curl eGenix"
    " Entessa FTL fwlw HPND-Fenneberg-Livingston HPND-sell-regexpr HTMLTIDY IBM-pibs ICU Info-ZIP Intel"
    " JasPer-2.0 Libpng libpng-2.0 libtiff LPPL-1.3c LZMA-SDK-9.22 MIT-0 MIT-advertising MIT-CMU MIT-enna"
    " MIT-feh MIT-open-group MITNFA MTLL MulanPSL-2.0 Multics Naumen NCSA Net-SNMP NetCDF NICTA-1.0"
    " NIST-Software NTP OGL-Canada-2.0 OLDAP-2.0 OLDAP-2.0.1 OLDAP-2.1 OLDAP-2.2 OLDAP-2.2.1 OLDAP-2.2.2"
    " OLDAP-2.3 OLDAP-2.4 OLDAP-2.5 OLDAP-2.6 OLDAP-2.7 OLDAP-2.8 OML OpenSSL PHP-3.0 PHP-3.01 Plexus PSF-2.0"
    " Python-2.0 Ruby Saxpath SGI-B-2.0 SMLNJ SunPro SWL Symlinks TCL TCP-wrappers UCAR Unicode-DFS-2015"
    " Unicode-DFS-2016 UnixCrypt Unlicense VSL-1.0 W3C X11 XFree86-1.1 xlock Xnet xpp Zlib"
    " zlib-acknowledgement ZPL-2.0 ZPL-2.1"
)
LEAD = (
    "AAL Adobe-2006 Afmparse Artistic-1.0 Artistic-1.0-cl8 Artistic-1.0-Perl Beerware blessing Borceux"
    " CECILL-B ClArtistic Condor-1.1 Crossword CrystalStacker diffmark DOC EFL-1.0 EFL-2.0 Fair FSFAP FSFUL"
    " FSFULLR Giftware HPND IJG Leptonica LPL-1.0 LPL-1.02 MirOS mpich2 NASA-1.3 NBPL-1.0 Newsletr NLPL NRL"
    " OGTSL OLDAP-1.1 OLDAP-1.2 OLDAP-1.3 OLDAP-1.4 psutils Qhull Rdisc RSA-MD Spencer-86 Spencer-94"
    " TU-Berlin-1.0 TU-Berlin-2.0 Vim W3C-19980720 W3C-20150513 Wsuipa WTFPL xinetd XSkat Zed"
    " Zend-2.0 ZPL-1.1"
)
"""Permissive in intent, of the council's lowest level."""
RENAMED = {
    # Identifiers that SPDX deprecated, newer names of the same text, and Debian's.
    "python-2.0.1": "Python-2.0",
    "bsd-2-clause-freebsd": "BSD-2-Clause",
    "bsd-2-clause-netbsd": "BSD-2-Clause",
    "expat": "MIT",
    "wxwindows": "LGPL-2.0-or-later WITH WxWindows-exception-3.1",
}
_FAMILY = re.compile(r"(?i)(A?GPL|LGPL|GFDL)-(\d\.\d)(\+?)")
_SUFFIXED = re.compile(r"(?i)(.+?)-with-(.+)")
_TOKEN = re.compile(r"\(|\)|[A-Za-z0-9][\w.+:-]*")
_MAX_EXPRESSION = 1000


@functools.cache
def _known() -> dict[str, str]:
    """Identifiers as they are written, by their small letters."""
    return {name.lower(): name for name in load_fingerprints().identifiers}


@functools.cache
def _exceptions() -> dict[str, str]:
    return {name.lower(): name for name in EXCEPTIONS.split()}


@functools.cache
def _permissive() -> frozenset[str]:
    return frozenset(PERMISSIVE.split())


@functools.cache
def _lead() -> frozenset[str]:
    return frozenset(LEAD.split())


def identifier(name: str) -> str | None:
    """An identifier as SPDX writes it (case aside, deprecated ones of the GNU family renewed), or None.

    "GPL-2.0" is "GPL-2.0-only" and "GPL-2.0+" is "GPL-2.0-or-later", as SPDX 3.0 of the list renamed them.
    `LicenseRef-…` is kept: its licence is not on the list.
    """
    if name.lower().startswith("licenseref-"):
        return name
    renamed = RENAMED.get(name.lower())
    if renamed is not None:
        return renamed
    if match := _FAMILY.fullmatch(name):
        return f"{match[1].upper()}-{match[2]}-{'or-later' if match[3] else 'only'}"
    if _SUFFIXED.fullmatch(name):
        return None
    plain = name.removesuffix("+")
    return _known().get(plain.lower())


def parse_expression(text: str) -> Expression | None:
    """An expression such as `(MIT OR Apache-2.0) AND BSD-3-Clause`, or None where it is none.

    Operators are taken in any case; "/" (Cargo's old form) and "," are OR. An unknown identifier makes the
    whole None: what it asks for is not known.
    """
    text = text[:_MAX_EXPRESSION].replace("/", " OR ").replace(",", " OR ")
    tokens = _TOKEN.findall(text)
    if not tokens or "".join(tokens) != "".join(text.split()):
        return None
    try:
        expression, rest = _either(tokens, 0)
    except (IndexError, RecursionError):
        return None
    return expression if rest == len(tokens) else None


def _either(tokens: Sequence[str], at: int) -> tuple[Expression | None, int]:
    """Parts joined by OR, each of parts joined by AND, from token `at`; and the token behind them."""
    choices: list[Expression] = []
    while True:
        parts: list[Expression] = []
        while True:
            part, at = _term(tokens, at)
            if part is None:
                return None, at
            parts.append(part)
            if at >= len(tokens) or tokens[at].upper() != "AND":
                break
            at += 1
        choices.append(parts[0] if len(parts) == 1 else ("AND", tuple(parts)))
        if at >= len(tokens) or tokens[at].upper() != "OR":
            break
        at += 1
    return (choices[0] if len(choices) == 1 else ("OR", tuple(choices))), at


def _term(tokens: Sequence[str], at: int) -> tuple[Expression | None, int]:
    if tokens[at] == "(":
        expression, at = _either(tokens, at + 1)
        return (expression, at + 1) if expression is not None and tokens[at] == ")" else (None, at)
    name = identifier(tokens[at])
    exception = None
    if name is None and (match := _SUFFIXED.fullmatch(tokens[at])):
        name, exception = identifier(match[1]), _exception(match[2], match[1][-3:])
        if exception is None:
            return None, at
    if name is None:
        return None, at
    at += 1
    if exception is None and at < len(tokens) and tokens[at].upper() == "WITH":
        exception = _exception(tokens[at + 1])
        at += 2
        if exception is None:
            return None, at
    return (("WITH", name, exception) if exception else name), at


def _exception(name: str, version: str = "") -> str | None:
    """An exception's identifier. Deprecated names ("GPL-2.0-with-GCC-exception") leave its version out: it is
    the licence's own where there is one, else the last."""
    known = _exceptions()
    exact = known.get(name.lower())
    if exact or name.lower().startswith("licenseref-"):
        return exact or name
    near = [known[key] for key in sorted(known) if key.startswith(f"{name.lower()}-")]
    own = [one for one in near if one.endswith(version)] if version else []
    return own[-1] if own else near[-1] if near else None


def show(expression: Expression) -> str:
    """The expression as SPDX writes it; parts in the order in which they came, each once."""
    if isinstance(expression, str):
        return expression
    if expression[0] == "WITH":
        return f"{expression[1]} WITH {expression[2]}"
    inner = expression[0]
    texts = list(dict.fromkeys(show(part) for part in _flat(expression)))
    if len(texts) == 1:
        return texts[0]
    if inner == "AND":
        texts = [f"({text})" if " OR " in text else text for text in texts]
    return f" {inner} ".join(texts)


def _flat(expression: Expression) -> list[Expression]:
    """The parts of a combination, and in the place of those that are combinations of its kind theirs."""
    if isinstance(expression, str) or expression[0] == "WITH":
        return [expression]
    parts: list[Expression] = []
    for part in expression[1]:
        bare = _bare(part)
        same = not isinstance(bare, str) and bare[0] == expression[0]
        parts += _flat(bare) if same else [bare]
    return parts


def _bare(expression: Expression) -> Expression:
    """The one part of a combination whose parts are all the same, else the expression."""
    if isinstance(expression, str) or expression[0] == "WITH":
        return expression
    parts = _flat(expression)
    return parts[0] if len({show(part) for part in parts}) == 1 else expression


def licenses(expression: Expression) -> list[str]:
    """The licences that it names, in order, without exceptions."""
    if isinstance(expression, str):
        return [expression]
    if expression[0] == "WITH":
        return [expression[1]]
    return list(dict.fromkeys(name for part in expression[1] for name in licenses(part)))


Level = Literal["permissive", "lead", "other"]
"""`lead`: permissive in intent, badly written."""


def level(expression: Expression) -> Level | None:  # noqa: PLR0911 (a form of expression, a line)
    """What an expression permits: of alternatives the best, of what holds together the worst; None where a
    part is not on the list (`LicenseRef-…`)."""
    order: list[Level] = ["permissive", "lead", "other"]
    if isinstance(expression, str):
        if expression.lower().startswith("licenseref-"):
            return None
        if expression in _permissive():
            return "permissive"
        return "lead" if expression in _lead() else "other"
    if expression[0] == "WITH":
        return level(expression[1])
    levels = [level(part) for part in expression[1]]
    known = [order.index(one) for one in levels if one is not None]
    if expression[0] == "OR":
        return order[min(known)] if known else None
    if known and max(known) == 2:
        return "other"
    return order[max(known)] if known and len(known) == len(levels) else None


@functools.lru_cache(4096)
def judged(text: str) -> tuple[str, Level | None] | None:
    """An expression in its normal form and its level; None where it is none."""
    expression = parse_expression(text)
    if expression is None:
        return None
    shown = show(expression)
    return shown, level(expression)
