"""National identifiers: published examples, an independent implementation, and what they need beside them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.base import TextView
from filters.pii.finder import find
from filters.pii.national_ids import NATIONAL_IDS, Needs

BY_KIND = {known.kind: known for known in NATIONAL_IDS}

EXAMPLES = {
    "us_ssn": "536-22-8765",
    "uk_nino": "AB 12 34 56 C",
    "fr_nir": "2 55 08 14 168 025 38",
    "es_dni": "12345678Z",
    "es_nie": "X1234567L",
    "it_codice_fiscale": "RSSMRA85T10A562S",
    "de_steuer_id": "86095742719",
    "nl_bsn": "111222333",
    "pl_pesel": "44051401359",
    "pt_nif": "123456789",
    "se_personnummer": "811218-9876",
    "dk_cpr": "070761-4285",
    "no_fodselsnummer": "151086 95088",
    "fi_hetu": "131052-308T",
    "be_nrn": "85.07.30-033.28",
    "ch_ahv": "756.9217.0769.85",
    "br_cpf": "390.533.447-05",
    "kr_rrn": "971013-9019902",
    "cn_ric": "11010519491231002X",
    "jp_my_number": "1234 5678 9018",
    "th_id": "1-2345-45678-78-1",
    "ru_snils": "112-233-445 95",
    "ru_inn": "500100732259",
    "in_aadhaar": "2341 2341 2346",
    "sa_id": "1089165540",
    "ae_id": "784-1990-1234567-6",
    "tr_tckn": "17291716060",
    "za_id": "7503305044089",
    "au_tfn": "123 456 782",
    "ca_sin": "123-456-782",
    "cl_rut": "12.531.909-2",
    "mx_curp": "BOXW310820HNERXN09",
}
"""Examples of the authorities, of Wikipedia's articles, and of python-stdnum's documentation."""

NAMES = {
    "us_ssn": "SSN",
    "de_steuer_id": "Steuer-ID",
    "nl_bsn": "BSN",
    "pt_nif": "NIF",
    "jp_my_number": "マイナンバー",
    "ru_inn": "ИНН",
    "sa_id": "رقم الهوية",
    "tr_tckn": "TC Kimlik No",
    "au_tfn": "Tax file number",
    "ca_sin": "SIN",
}


def kinds(text: str, *regions: str) -> list[tuple[str, str]]:
    return [(text[start:end], kind) for start, end, kind in find(TextView(text), regions)]


def test_there_is_an_example_of_each() -> None:
    assert set(EXAMPLES) == set(BY_KIND)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_examples_are_found_where_word_or_country_supports_them(kind: str) -> None:
    number = EXAMPLES[kind]
    text = f"{NAMES.get(kind, 'the number')}: {number}, as it stands there."
    assert kinds(text, BY_KIND[kind].region) == [(number, kind)]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_wrong_digit_is_none(kind: str) -> None:
    if kind in ("us_ssn", "uk_nino", "dk_cpr", "kr_rrn"):
        pytest.skip("has no check digit")
    number = EXAMPLES[kind]
    at = max(i for i, character in enumerate(number[:-1]) if character.isdigit())
    wrong = number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :]
    found = kinds(f"{NAMES.get(kind, 'the number')}: {wrong}, as it stands there.", BY_KIND[kind].region)
    assert (wrong, kind) not in found


@pytest.mark.parametrize("kind", EXAMPLES)
def test_without_word_or_country_only_what_proves_itself_is_found(kind: str) -> None:
    number = EXAMPLES[kind]
    known = BY_KIND[kind]
    found = kinds(f"see {number} there", "SK")
    if found:
        assert found == [(number, kind)]
        shape_needs = {Needs.NOTHING} & set(known.shapes.values())
        assert shape_needs or known.needs == Needs.NOTHING or kind == "uk_nino"


@pytest.mark.parametrize(
    "number", ["000-12-3456", "666-12-3456", "912-12-3456", "123-00-4567", "123-45-0000"]
)
def test_social_security_numbers_that_were_never_given(number: str) -> None:
    assert kinds(f"SSN {number}", "US") == []


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


DAYS = st.dates(date(1950, 1, 1), date(2019, 12, 31))

ORACLES: dict[str, tuple[str, st.SearchStrategy[str], int]] = {
    # kind: python-stdnum's module, what comes before the check digits, how many of them there are
    "de_steuer_id": ("de.idnr", st.permutations("0123456789").map(lambda p: "".join([*p[:9], p[4]])), 1),
    "nl_bsn": ("nl.bsn", digits(8), 1),
    "pl_pesel": ("pl.pesel", st.builds(lambda day, rest: day.strftime("%y%m%d") + rest, DAYS, digits(4)), 1),
    "pt_nif": ("pt.nif", st.builds("{}{}".format, st.sampled_from("123"), digits(7)), 1),
    "no_fodselsnummer": (
        "no.fodselsnummer",
        st.builds(lambda day, rest: day.strftime("%d%m%y") + rest, DAYS, digits(3)),
        2,
    ),
    "ch_ahv": ("ch.ssn", st.builds("756{}".format, digits(9)), 1),
    "br_cpf": ("br.cpf", digits(9), 2),
    "th_id": ("th.pin", st.builds("{}{}".format, st.sampled_from("12345678"), digits(11)), 1),
    "ru_inn": ("ru.inn", digits(10), 2),
    "in_aadhaar": ("in_.aadhaar", st.builds("{}{}".format, st.sampled_from("23456789"), digits(10)), 1),
    "tr_tckn": ("tr.tckimlik", st.builds("{}{}".format, st.sampled_from("123456789"), digits(8)), 2),
    "au_tfn": ("au.tfn", digits(8), 1),
    "ca_sin": ("ca.sin", st.builds("{}{}".format, st.sampled_from("1234567"), digits(7)), 1),
    "cl_rut": ("cl.rut", digits(8), 1),
    "es_dni": ("es.dni", digits(8), -1),
    "es_nie": ("es.nie", st.builds("{}{}".format, st.sampled_from("XYZ"), digits(7)), -1),
    "fr_nir": (
        "fr.nir",
        st.builds(
            "{}{}{}".format,
            st.sampled_from("12"),
            DAYS.map(lambda d: d.strftime("%y%m")),
            st.builds("{}{}".format, st.sampled_from(["75", "13", "2A", "2B"]), digits(6)),
        ),
        2,
    ),
    "be_nrn": (
        "be.nn",
        st.builds(
            lambda day, rest: day.strftime("%y%m%d") + rest, DAYS, st.integers(1, 997).map("{:03}".format)
        ),
        2,
    ),
    "se_personnummer": (
        "se.personnummer",
        st.builds(lambda day, rest: day.strftime("%Y%m%d") + rest, DAYS, digits(3)),
        1,
    ),
    "fi_hetu": (
        "fi.hetu",
        st.builds(lambda day, rest: day.strftime("%d%m%y") + f"{rest:03}", DAYS, st.integers(2, 899)),
        -1,
    ),
    "za_id": (
        "za.idnr",
        st.builds(
            lambda day, rest, c: day.strftime("%y%m%d") + f"{rest}{c}8",
            DAYS,
            digits(4),
            st.sampled_from("01"),
        ),
        1,
    ),
    "cn_ric": (
        "cn.ric",
        st.builds(lambda day, rest: "110105" + day.strftime("%Y%m%d") + rest, DAYS, digits(3)),
        -1,
    ),
}


@pytest.mark.parametrize("kind", ORACLES)
def test_check_digits_are_those_of_python_stdnum(kind: str) -> None:
    module, bodies, count = ORACLES[kind]
    pytest.importorskip("stdnum")
    oracle: Callable[[str], bool] = importlib.import_module(f"stdnum.{module}").is_valid
    tails = (
        list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if count < 0
        else [f"{n:0{count}}" for n in range(10**count)]
    )
    agreed = 0

    @given(bodies)
    @settings(max_examples=12, deadline=None, database=None, derandomize=True)
    def compare(body: str) -> None:
        nonlocal agreed
        for tail in tails:
            number = body + tail
            try:
                ours = BY_KIND[kind].check(number)
            except (ValueError, IndexError):
                ours = False
            if not int("0" + "".join(filter(str.isdigit, number))):
                continue
            theirs = oracle(body[:6] + "-" + body[6:] + tail if kind == "fi_hetu" else number)
            assert ours == theirs, number
            agreed += theirs

    compare()
    assert agreed
