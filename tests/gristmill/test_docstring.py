"""Docstrings become HTML with headings, lists, code and LaTeX."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.demo.docstring import inline, to_html

DOCSTRING = r"""Compute a thing.

The score is :math:`a < b`, see :func:`~numpy.fft.fft` and ``x[0] & y``.

.. math:: \sum_i x_i
   = 1

Parameters
----------
n : int, optional
    How many *things*, a `page <https://example.org/a?b=1>`_.

    Second paragraph.
names
    Their **names**.

Notes
-----
For instance::

    if a < b:
        go()

>>> f(1)
2

- one
- two
  lines

.. note:: Mind <this>.
"""


def test_the_parts_of_a_docstring() -> None:
    html = to_html(DOCSTRING)
    for part in (
        "<p>Compute a thing.</p>",
        r'<span class="math">\(a &lt; b\)</span>',
        "<code>numpy.fft.fft</code>",
        "<code>x[0] &amp; y</code>",
        '<div class="math">\\[\\sum_i x_i\n= 1\\]</div>',
        "<h2>Parameters</h2>",
        "<dl><dt>n : int, optional</dt><dd>",
        '<a href="https://example.org/a?b=1">page</a>',
        "<p>Second paragraph.</p>",
        "<strong>names</strong>",
        "<p>For instance:</p>",
        "<pre><code>if a &lt; b:\n    go()</code></pre>",
        "<pre><code>&gt;&gt;&gt; f(1)\n2</code></pre>",
        "<li>two lines</li>",
        "Mind &lt;this&gt;.",
    ):
        assert part in html, part


@given(st.text(alphabet=st.sampled_from("ab `*:<>~.\n-=_\x00 1 &[]"), max_size=80))
def test_any_text_gives_balanced_escaped_html(text: str) -> None:
    html = to_html(text)
    without_tags = re.sub(r"</?[a-z0-9]+(?: [a-z]+=\"[^\"<>]*\")*>", "", html)
    assert "<" not in without_tags
    assert "\x00" not in html
    assert "<" not in re.sub(r"</?[a-z0-9]+(?: [a-z]+=\"[^\"<>]*\")*>", "", inline(text.replace("\x00", "")))


@pytest.mark.parametrize("function", [np.fft.fft, np.linalg.svd, np.histogram])
def test_no_word_of_a_real_docstring_is_lost(function: object) -> None:
    docstring = inspect.getdoc(function) or ""
    # directives' names and roles are mark-up, not words
    plain = re.sub(r"\.\. [\w-]+::|:[\w:]+:(?=`)", " ", docstring)
    words = re.findall(r"[A-Za-z]{4,}", plain)
    html = re.sub(r"<[^>]+>", " ", to_html(docstring))
    lost = [word for word in words if word not in html]
    assert len(words) > 100
    assert not lost
