"""National identifiers by format and check digits.

Each is known by the shape of its digits in print ("3-2-4": groups and what stands between them). Where shape
and check digits leave too much to chance, a word beside it, or a document of that country, must say so.
Sources: the rules of the issuing authorities, as named at each check.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from filters.pii import checksums
from filters.pii.checksums import is_date, is_day, luhn, weighted
from filters.pii.context import words


class Needs(IntEnum):
    """What must speak for an identifier besides its format."""

    NOTHING = 0
    """Chance meets format and check digits in less than one of a thousand numbers of that shape."""
    HINT = 1
    """A document of the country, or a word."""
    WORD = 2
    """A word."""


@dataclass(frozen=True)
class NationalId:
    """One identifier: its kind begins with the country's code."""

    kind: str
    check: Callable[[str], bool]
    """Whether digits (and letters, as capitals) without separators are such a number."""
    shapes: dict[str, Needs]
    """Shapes of digits, and what they need: groups by length, with the separators between them; A for a
    letter at the end."""
    named: re.Pattern[str]
    """Words that name it."""
    pattern: re.Pattern[str] | None = field(default=None)
    """Instead of shapes: a word of letters and digits."""
    needs: Needs = Needs.NOTHING
    """What the pattern needs."""

    @property
    def region(self) -> str:
        """Country, as in `filters.pii.context.regions_of`."""
        code = self.kind[:2].upper()
        return "GB" if code == "UK" else code


def us_ssn(digits: str) -> bool:
    """SSA, Program Operations Manual RM 10201.035: no area 000, 666 or 900 to 999, no group 00, no serial
    0000."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def uk_nino(text: str) -> bool:
    """HMRC, National Insurance Manual NIM39110: letters and prefixes that are never used."""
    first, second = text[0], text[1]
    return (
        first not in "DFIQUV"
        and second not in "DFIOQUV"
        and text[:2] not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ")
    )


def fr_nir(text: str) -> bool:
    """INSEE, code officiel géographique and NIR: 97 less the number modulo 97; Corsica's 2A and 2B count
    as 19 and 18."""
    number = text[:13].replace("2A", "19").replace("2B", "18")
    month = int(number[3:5])
    if number[0] not in "123478" or not (1 <= month <= 12 or 20 <= month <= 42 or 50 <= month <= 99):
        return False
    return len(text) == 13 or int(text[13:]) == 97 - int(number) % 97


_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
"""Real Decreto 1553/2005, and the Ministerio del Interior's table: the letter by the number modulo 23."""


def es_dni(text: str) -> bool:
    return text[-1] == _DNI[int(text[:-1]) % 23]


def es_nie(text: str) -> bool:
    return text[-1] == _DNI[int(str("XYZ".index(text[0])) + text[1:-1]) % 23]


_ODD = dict(zip("0123456789", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True)) | dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)
"""Decreto ministeriale 23 dicembre 1976, n. 13813: values of the characters in odd places."""


def it_codice_fiscale(text: str) -> bool:
    total = 0
    for place, character in enumerate(text[:15]):
        if place % 2 == 0:
            total += _ODD[character]
        else:
            total += int(character) if character.isdigit() else ord(character) - ord("A")
    return chr(ord("A") + total % 26) == text[15]


def de_steuer_id(digits: str) -> bool:
    """Bundeszentralamt für Steuern: of the first ten digits one occurs twice or three times, the others at
    most once; ISO 7064 mod 11,10."""
    counts = sorted((digits[:10].count(digit) for digit in set(digits[:10])), reverse=True)
    return (
        digits[0] != "0" and counts[0] in (2, 3) and counts[1:2] in ([], [1]) and checksums.mod11_10(digits)
    )


def nl_bsn(digits: str) -> bool:
    """Besluit burgerservicenummer: the test of eleven."""
    return weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and int(digits) > 0


def pl_pesel(digits: str) -> bool:
    """Ustawa o ewidencji ludności, art. 15: the month tells the century; weights 1, 3, 7, 9."""
    century, month = divmod(int(digits[2:4]), 20)
    year = (1900, 2000, 2100, 2200, 1800)[century] + int(digits[:2])
    return (
        is_date(year, month, int(digits[4:6]))
        and weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0
    )


def pt_nif(digits: str) -> bool:
    """Decreto-Lei 14/2013: 1, 2, 3 and 45 begin the numbers of people; weights 9 to 2 modulo 11."""
    rest = weighted(digits, range(9, 1, -1)) % 11
    return digits.startswith(("1", "2", "3", "45")) and int(digits[8]) == (0 if rest < 2 else 11 - rest)


def se_personnummer(digits: str) -> bool:
    """Skatteverket, SKV 704: a date (60 more for a coordination number), three digits, Luhn over ten."""
    short = digits[-10:]
    day = int(short[4:6])
    return is_day(short[:4] + f"{day - 60 if day > 60 else day:02}") and luhn(short)


def dk_cpr(digits: str) -> bool:
    """CPR-kontoret: a date; the check of eleven no longer holds since 2007."""
    return is_day(digits[4:6] + digits[2:4] + digits[:2])


def no_fodselsnummer(digits: str) -> bool:
    """Skatteetaten: a date (40 more for a D number), three digits whose ranges go with the century, and two
    check digits modulo 11."""
    day, month, year, person = int(digits[:2]), int(digits[2:4]), int(digits[4:6]), int(digits[6:9])
    centuries = (
        (1900, person < 500 or (person >= 900 and year >= 40)),
        (1800, 500 <= person < 750 and year >= 54),
        (2000, person >= 500 and year < 40),
    )
    born = any(is_date(century + year, month, day - 40 * (day > 40)) for century, fits in centuries if fits)
    first = weighted(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    second = weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11
    return born and first == second == 0


def fi_hetu(text: str) -> bool:
    """Digi- ja väestötietovirasto: a date, three digits, and a character by the number modulo 31."""
    digits = text[:6] + text[6:9]
    return (
        is_day(text[4:6] + text[2:4] + text[:2])
        and text[9] == "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31]
    )


def be_nrn(digits: str) -> bool:
    """Koninklijk besluit of 3 April 1984: a month up to 12; 97 less the number modulo 97, with a 2 before
    it for those born since 2000."""
    number, check = digits[:9], int(digits[9:])
    young = digits[:2] < "50" and check == 97 - int("2" + number) % 97
    return int(digits[2:4]) <= 12 and (young or check == 97 - int(number) % 97)


def ch_ahv(digits: str) -> bool:
    """Bundesamt für Sozialversicherungen: 756, then an EAN-13."""
    return digits.startswith("756") and weighted(digits, (1, 3) * 6 + (1,)) % 10 == 0


def br_cpf(digits: str) -> bool:
    """Receita Federal: two check digits modulo 11; not eleven times the same."""
    first = weighted(digits, range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(digits, range(11, 1, -1)) * 10 % 11 % 10
    return len(set(digits)) > 1 and digits[9:] == f"{first}{second}"


def kr_rrn(digits: str) -> bool:
    """Resident Registration Act, enforcement rule, article 2: a date, and a digit for century and sex.
    Numbers since October 2020 have no check digit."""
    century = {"9": 1800, "0": 1800, "3": 2000, "4": 2000, "7": 2000, "8": 2000}.get(digits[6], 1900)
    return is_date(century + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))


def cn_ric(text: str) -> bool:
    """GB 11643-1999: a province, a date, and a check character of ISO 7064 mod 11-2."""
    if text[:2] not in _PROVINCES.split() or not is_date(int(text[6:10]), int(text[10:12]), int(text[12:14])):
        return False
    total = weighted(text[:17], (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))
    return 1850 < int(text[6:10]) < 2100 and text[17] == "10X98765432"[total % 11]


_PROVINCES = (
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83"
)
"""GB/T 2260."""


def jp_my_number(digits: str) -> bool:
    """Order of the Ministry of Internal Affairs 85 of 2014, article 5: weights 6 to 2 and 7 to 2 modulo
    11."""
    rest = weighted(digits, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def th_id(digits: str) -> bool:
    """Department of Provincial Administration: a class from 1 to 8; weights 13 to 2 modulo 11."""
    return digits[0] in "12345678" and (11 - weighted(digits, range(13, 1, -1)) % 11) % 10 == int(digits[12])


def ru_snils(digits: str) -> bool:
    """Pension fund: weights 9 to 1 modulo 101."""
    return weighted(digits, range(9, 0, -1)) % 101 % 100 == int(digits[9:]) and len(set(digits)) > 1


def ru_inn(digits: str) -> bool:
    """Federal Tax Service, order of 29 June 2012: two check digits of a person's twelve modulo 11."""
    first = weighted(digits, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    second = weighted(digits, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    return digits[10:] == f"{first}{second}" and len(set(digits)) > 1


def in_aadhaar(digits: str) -> bool:
    """UIDAI: the first digit is 2 to 9; Verhoeff."""
    return digits[0] in "23456789" and checksums.verhoeff(digits) and digits != digits[::-1]


def sa_id(digits: str) -> bool:
    """Ministry of Interior: 1 for citizens, 2 for residents; Luhn."""
    return digits[0] in "12" and luhn(digits)


def ae_id(digits: str) -> bool:
    """ICP, Emirates ID: 784, the year of birth, Luhn."""
    return digits.startswith("784") and 1900 <= int(digits[3:7]) < 2100 and luhn(digits)


def tr_tckn(digits: str) -> bool:
    """NVİ, T.C. kimlik numarası: two check digits modulo 10."""
    odd, even = sum(map(int, digits[0:9:2])), sum(map(int, digits[1:8:2]))
    return (
        digits[0] != "0"
        and (odd * 7 - even) % 10 == int(digits[9])
        and sum(map(int, digits[:10])) % 10 == int(digits[10])
    )


def za_id(digits: str) -> bool:
    """Department of Home Affairs: a date, citizenship 0 to 2, Luhn."""
    return is_day(digits[:6]) and digits[10] in "012" and luhn(digits)


def au_tfn(digits: str) -> bool:
    """Australian Taxation Office: weights modulo 11."""
    return weighted(digits, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0 and int(digits) > 0


def ca_sin(digits: str) -> bool:
    """Service Canada: not 0 or 8 first; Luhn."""
    return digits[0] not in "08" and luhn(digits)


def cl_rut(text: str) -> bool:
    """Servicio de Impuestos Internos: weights 2 to 7 from the right modulo 11."""
    rest = 11 - weighted(text[-2::-1], (2, 3, 4, 5, 6, 7) * 2) % 11
    return text[-1] == {11: "0", 10: "K"}.get(rest, str(rest))


_CURP = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"


def mx_curp(text: str) -> bool:
    """Diario Oficial de la Federación, 18 October 2021: a date, and weights 18 to 2 over 37 characters."""
    total = sum(
        _CURP.index(character) * weight for character, weight in zip(text, range(18, 1, -1), strict=False)
    )
    return is_day(text[4:10]) and int(text[17]) == (10 - total % 10) % 10


NONE, HINT, WORD = Needs.NOTHING, Needs.HINT, Needs.WORD

_TAX = "tin, tax id, tax number, tax identification number"

NATIONAL_IDS: tuple[NationalId, ...] = (
    NationalId(
        "us_ssn",
        us_ssn,
        {"3-2-4": HINT, "3 2 4": WORD, "9": WORD},
        words("ssn, ssns, social security, social security number, social security no, soc sec, itin"),
    ),
    NationalId(
        "uk_nino",
        uk_nino,
        {},
        words("nino, ni number, ni no, national insurance, national insurance number"),
        re.compile(r"[A-Z]{2}\d{6}[A-D]"),
        WORD,
    ),
    NationalId(
        "fr_nir",
        fr_nir,
        {"15": NONE, "1 2 2 2 3 3 2": NONE, "13 2": NONE, "1 2 2 2 3 3": WORD, "13": WORD},
        words(
            "nir, sécurité sociale, securite sociale, sécu, n° ss, numéro insee, numéro de sécurité sociale"
        ),
        re.compile(r"[12]\d{4}2[AB]\d{8}"),
    ),
    NationalId(
        "es_dni",
        es_dni,
        {"8-A": HINT, "8 A": WORD, "2.3.3-A": NONE},
        words("dni, d.n.i, nif, n.i.f, documento nacional de identidad"),
        re.compile(r"\d{8}[A-Z]"),
        HINT,
    ),
    NationalId(
        "es_nie",
        es_nie,
        {},
        words("nie, n.i.e, nif, número de identidad de extranjero"),
        re.compile(r"[XYZ]\d{7}[A-Z]"),
        HINT,
    ),
    NationalId(
        "it_codice_fiscale",
        it_codice_fiscale,
        {},
        words("codice fiscale, cod. fisc, cf, c.f"),
        re.compile(r"[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]"),
    ),
    NationalId(
        "de_steuer_id",
        de_steuer_id,
        {"11": WORD, "2 3 3 3": WORD},
        words(
            "steuer-id, steuerid, idnr, id-nr, steueridentifikationsnummer, identifikationsnummer, steuer "
            "id, " + _TAX
        ),
    ),
    NationalId(
        "nl_bsn",
        nl_bsn,
        {"9": WORD, "4.2.3": WORD},
        words("bsn, burgerservicenummer, sofinummer, sofi-nummer"),
    ),
    NationalId("pl_pesel", pl_pesel, {"11": HINT}, words("pesel, nr pesel")),
    NationalId(
        "pt_nif",
        pt_nif,
        {"9": WORD, "3 3 3": WORD},
        words("nif, contribuinte, número fiscal, número de contribuinte"),
    ),
    NationalId(
        "se_personnummer",
        se_personnummer,
        {"6-4": HINT, "8-4": HINT, "10": WORD, "12": WORD},
        words("personnummer, personnr, pnr, samordningsnummer, person nr"),
    ),
    NationalId(
        "dk_cpr",
        dk_cpr,
        {"6-4": HINT, "6 4": WORD, "10": WORD},
        words("cpr, cpr-nr, cpr-nummer, cpr nr, personnummer"),
    ),
    NationalId(
        "no_fodselsnummer",
        no_fodselsnummer,
        {"11": HINT, "6 5": HINT},
        words("fødselsnummer, fodselsnummer, fnr, personnummer, d-nummer"),
    ),
    NationalId(
        "fi_hetu",
        fi_hetu,
        {"6-3A": NONE, "6-4": HINT},
        words("hetu, henkilötunnus, personbeteckning"),
        re.compile(r"\d{6}A\d{3}[0-9A-Y]"),
    ),
    NationalId(
        "be_nrn",
        be_nrn,
        {"2.2.2-3.2": NONE, "6-3-2": HINT, "11": WORD},
        words(
            "rijksregisternummer, rijksregister, insz, niss, registre national, numéro national, nationaal "
            "nummer"
        ),
    ),
    NationalId(
        "ch_ahv", ch_ahv, {"3.4.4.2": NONE, "13": WORD}, words("ahv, avs, ahv-nr, ahv-nummer, navs13")
    ),
    NationalId(
        "br_cpf",
        br_cpf,
        {"3.3.3-2": NONE, "9-2": HINT, "11": WORD},
        words("cpf, cpf/mf, cadastro de pessoas físicas"),
    ),
    NationalId(
        "kr_rrn",
        kr_rrn,
        {"6-7": HINT, "13": WORD},
        words("rrn, resident registration, 주민등록번호, 주민번호, 외국인등록번호"),
    ),
    NationalId("cn_ric", cn_ric, {"18": NONE}, words("身份证, 身份證, id card"), re.compile(r"\d{17}X")),
    NationalId(
        "jp_my_number",
        jp_my_number,
        {"12": WORD, "4 4 4": WORD, "4-4-4": WORD},
        words("my number, individual number, マイナンバー, 個人番号"),
    ),
    NationalId(
        "th_id",
        th_id,
        {"1-4-5-2-1": NONE, "1 4 5 2 1": NONE, "13": HINT},
        words("thai id, บัตรประชาชน, ประจำตัวประชาชน, เลขบัตร"),
    ),
    NationalId("ru_snils", ru_snils, {"3-3-3 2": NONE, "3-3-3-2": NONE, "11": WORD}, words("снилс, snils")),
    NationalId("ru_inn", ru_inn, {"12": WORD}, words("инн, inn")),
    NationalId(
        "in_aadhaar",
        in_aadhaar,
        {"4 4 4": HINT, "4-4-4": HINT, "12": WORD},
        words("aadhaar, aadhar, uidai, uid, आधार"),
    ),
    NationalId("sa_id", sa_id, {"10": WORD}, words("national id, iqama, الهوية, هوية, الإقامة, إقامة")),
    NationalId("ae_id", ae_id, {"3-4-7-1": NONE, "15": WORD}, words("emirates id, الهوية, هوية")),
    NationalId("tr_tckn", tr_tckn, {"11": WORD}, words("t.c. kimlik, tc kimlik, tckn, kimlik no, tc no")),
    NationalId(
        "za_id",
        za_id,
        {"13": HINT, "6 4 3": HINT, "6 4 2 1": HINT},
        words("id number, id no, identity number"),
    ),
    NationalId("au_tfn", au_tfn, {"9": WORD, "3 3 3": WORD}, words("tfn, tax file number, tax file no")),
    NationalId(
        "ca_sin",
        ca_sin,
        {"3-3-3": WORD, "3 3 3": WORD, "9": WORD},
        words("sin, social insurance number, social insurance"),
    ),
    NationalId(
        "cl_rut",
        cl_rut,
        {"2.3.3-1": HINT, "1.3.3-1": HINT, "2.3.3-A": HINT, "1.3.3-A": HINT, "8-1": WORD, "8-A": WORD},
        words("rut, run, r.u.t"),
    ),
    NationalId(
        "mx_curp",
        mx_curp,
        {},
        words("curp"),
        re.compile(r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[0-9A-Z]\d"),
    ),
)

BY_SHAPE: dict[str, list[tuple[NationalId, Needs]]] = {}
for _known in NATIONAL_IDS:
    for _shape, _needs in _known.shapes.items():
        BY_SHAPE.setdefault(_shape, []).append((_known, _needs))
BY_PATTERN = tuple(known for known in NATIONAL_IDS if known.pattern is not None)
SPACED_NINO = re.compile(r"[A-Z]{2} \d{2} \d{2} \d{2} [A-D](?![A-Za-z0-9])")
"""The British number as it is printed: this shape needs no word."""
