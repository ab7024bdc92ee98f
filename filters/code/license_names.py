"""Licences by the names that people write in package metadata and in headers: "BSD 3-Clause", "Apache
2.0"."""
# ruff: noqa: E501 (a pattern, a line)

from __future__ import annotations

import functools
import re

from filters.code.spdx import judged

BSD = "LicenseRef-BSD"
"""Said to be BSD, not with how many clauses: permissive whichever it is, but no identifier of the list."""

_NAMES: tuple[tuple[str, str], ...] = (
    # More particular names first.
    (r"apache(?: software)?(?: license)?,? ?(?:version|v)? ?1\.1", "Apache-1.1"),
    (r"apache(?: software)?(?: license)?,? ?(?:version|v)? ?1\.0", "Apache-1.0"),
    (r"(?:asl|apache)(?: software)?(?: licen[sc]e)?,? ?(?:version|v)? ?2(?:\.0)?(?: license)?|apache software license|apache license|apache", "Apache-2.0"),
    (r"(?:mit|expat)(?: license)?(?: \((?:mit|expat)\))?|mit license \(mit\)|mit/x11|x11/mit", "MIT"),
    (r"mit no attribution(?: license)?(?: \(mit-0\))?", "MIT-0"),
    (r"(?:0bsd|zero[- ]clause bsd|bsd zero[- ]clause)(?: license)?", "0BSD"),
    (r"(?:new|modified|revised|3[- ]clause|bsd[- ]3|three[- ]clause)[- ]?(?:clause)?[- ]?bsd(?:[- ]license)?|bsd[- ]?(?:license[- ])?\(?(?:3|three)[- ]clause\)?(?: license)?|bsd[- ]3(?:[- ]clause)?|bsd license, 3-clause|new bsd|3-clause bsd", "BSD-3-Clause"),
    (r"(?:simplified|freebsd|2[- ]clause|two[- ]clause)[- ]?bsd(?:[- ]license)?|bsd[- ]?(?:license[- ])?\(?(?:2|two)[- ]clause\)?(?: license)?|bsd[- ]2(?:[- ]clause)?", "BSD-2-Clause"),
    (r"bsd(?:[- ]style)?(?: licen[sc]e)?|bsd-like", BSD),
    (r"isc(?: license)?(?: \(iscl\))?|iscl", "ISC"),
    (r"mozilla public license,? ?(?:version|v)? ?2(?:\.0)?(?: \(mpl[- ]2\.0\))?|mpl[- ]?v?2(?:\.0)?", "MPL-2.0"),
    (r"mozilla public license,? ?(?:version|v)? ?1\.1(?: \(mpl[- ]1\.1\))?|mpl[- ]?v?1\.1", "MPL-1.1"),
    (r"eclipse public license,? ?(?:version|v|-)? ?2(?:\.0)?(?: \(epl-2\.0\))?|epl[- ]?v?2(?:\.0)?", "EPL-2.0"),
    (r"eclipse public license,? ?(?:version|v|-)? ?1(?:\.0)?(?: \(epl-1\.0\))?|epl[- ]?v?1(?:\.0)?", "EPL-1.0"),
    (r"(?:gnu )?(?:affero general public license|agpl)(?: version)? ?[- ]?v?3(?:\.0)?(?: or later \(agplv3\+\)|\+| or later)", "AGPL-3.0-or-later"),
    (r"(?:gnu )?(?:affero general public license|agpl)(?: version)? ?[- ]?v?3(?:\.0)?(?: \(agplv3\))?", "AGPL-3.0-only"),
    (r"(?:gnu )?(?:lesser general public license|lgpl)(?: version)? ?[- ]?v?3(?:\.0)?(?: or later \(lgplv3\+\)|\+| or later)", "LGPL-3.0-or-later"),
    (r"(?:gnu )?(?:lesser general public license|lgpl)(?: version)? ?[- ]?v?3(?:\.0)?(?: \(lgplv3\))?", "LGPL-3.0-only"),
    (r"(?:gnu )?(?:lesser general public license|lgpl)(?: version)? ?[- ]?v?2\.1(?: or later|\+)?", "LGPL-2.1-or-later"),
    (r"(?:gnu )?(?:lesser general public license|library general public license|lgpl)(?: version)? ?[- ]?v?2(?:\.0)?(?: or later \(lgplv2\+\)|\+| or later)?(?: \(lgplv2\))?", "LGPL-2.0-or-later"),
    (r"gnu library or lesser general public license \(lgpl\)|lgpl|gnu lesser general public license", "LGPL-2.0-or-later"),
    (r"(?:gnu )?(?:general public license|gpl)(?: version)? ?[- ]?v?3(?:\.0)?(?: or later \(gplv3\+\)|\+| or later)", "GPL-3.0-or-later"),
    (r"(?:gnu )?(?:general public license|gpl)(?: version)? ?[- ]?v?3(?:\.0)?(?: \(gplv3\))?", "GPL-3.0-only"),
    (r"(?:gnu )?(?:general public license|gpl)(?: version)? ?[- ]?v?2(?:\.0)?(?: or later \(gplv2\+\)|\+| or later)", "GPL-2.0-or-later"),
    (r"(?:gnu )?(?:general public license|gpl)(?: version)? ?[- ]?v?2(?:\.0)?(?: \(gplv2\))?", "GPL-2.0-only"),
    (r"gnu general public license(?: \(gpl\))?|gpl", "GPL-1.0-or-later"),
    (r"python software foundation(?: license)?|psf(?: license)?|psfl|python(?: software foundation)? license", "PSF-2.0"),
    (r"boost(?: software)? license(?: 1\.0| version 1\.0)?(?: \(bsl-1\.0\))?", "BSL-1.0"),
    (r"zlib(?:/libpng)?(?: license)?", "Zlib"),
    (r"(?:the )?unlicense(?: \(unlicense\))?", "Unlicense"),
    (r"cc0(?: 1\.0)?(?: universal)?(?: \(cc0 1\.0\) public domain dedication)?|cc0 1\.0 universal \(cc0 1\.0\) public domain dedication", "CC0-1.0"),
    (r"wtfpl(?:v2)?|do what the f\S* you want to public license", "WTFPL"),
    (r"zope public license(?: 2\.1)?", "ZPL-2.1"),
    (r"artistic license(?: 2\.0)?", "Artistic-2.0"),
    (r"academic free license(?: 3\.0)?(?: \(afl\))?", "AFL-3.0"),
    (r"european union public licen[sc]e 1\.2(?: \(eupl 1\.2\))?", "EUPL-1.2"),
    (r"universal permissive license(?: \(upl\))?", "UPL-1.0"),
    (r"historical permission notice and disclaimer(?: \(hpnd\))?", "HPND"),
    (r"cmu license \(mit-cmu\)", "MIT-CMU"),
    (r"microsoft public license|ms-pl", "MS-PL"),
    (r"ncsa|university of illinois/ncsa open source license", "NCSA"),
    (r"postgresql license", "PostgreSQL"),
    (r"common development and distribution license(?: 1\.0)?(?: \(cddl\))?", "CDDL-1.0"),
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern), identifier) for pattern, identifier in _NAMES)
_AROUND = re.compile(r"^(?:the|under|a)\s+|[\s.;]+$|^license ::.*:: |\s*\(see [^)]*\)|,? see .*$")
_BETWEEN = re.compile(r"\s+(?:or|and|/|&|\|)\s+|\s*[|;&/]\s*", re.IGNORECASE)


@functools.lru_cache(4096)
def named(text: str) -> str | None:
    """The SPDX expression that a name means, or None.

    An expression is taken as such; else a name of the table, or several with "or", "and", "/" between.
    `LicenseRef-BSD` where BSD is named without its clauses.
    """
    text = text.strip().strip("\"'").strip()
    if not text or len(text) > 200:
        return None
    found = judged(text)
    if found is not None:
        return found[0]
    single = _one(text)
    if single is not None:
        return single
    parts = [_one(part) for part in _BETWEEN.split(text)]
    if len(parts) > 1 and all(parts):
        operator = " AND " if re.search(r"\band\b|&", text, re.IGNORECASE) else " OR "
        return operator.join(dict.fromkeys(part for part in parts if part))
    return None


def _one(text: str) -> str | None:
    bare = " ".join(
        _AROUND.sub("", text.strip().lower()).replace('"', "").replace("licence", "license").split()
    )
    bare = _AROUND.sub("", bare)
    found = judged(bare) if bare and " " not in bare else None
    if found is not None:
        return found[0]
    return next((identifier for pattern, identifier in _PATTERNS if pattern.fullmatch(bare)), None)
