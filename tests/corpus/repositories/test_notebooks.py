"""Notebooks as text: what is kept, in which form, and that anything else is a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.repositories.notebooks import NotNotebook, read_notebook
from tests.corpus.repositories.made import commit, paths, read, source

IMAGE = "iVBORw0KGgo" * 50
BOOK: dict[str, Any] = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"language": "Julia", "name": "ir"}, "language_info": {"name": "R"}},
    "cells": [
        {"cell_type": "markdown", "source": ["# Title\n", f"![x](data:image/png;base64,{IMAGE})\n"]},
        {
            "cell_type": "code",
            "source": "x <- 1\nprint(x)\n",
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["[1] 1\n", "\x1b[31mred\x1b[0m\n"]},
                {"output_type": "display_data", "data": {"image/png": IMAGE, "text/plain": ["<Figure>"]}},
                {"output_type": "execute_result", "data": {"text/html": "<b>1</b>", "text/plain": "1"}},
                {"output_type": "error", "ename": "E", "evalue": "bad", "traceback": ["\x1b[0m long"]},
            ],
        },
        {"cell_type": "code", "source": [], "outputs": []},
        {"cell_type": "code", "source": "s = '''\n```\n'''", "outputs": []},
        {"cell_type": "raw", "source": "raw"},
    ],
}
TEXT = """\
# Title
![x]()

```r
x <- 1
print(x)
```

```output
[1] 1
red
<Figure>
1
E: bad
```

````r
s = '''
```
'''
````

raw
"""
OLD: dict[str, Any] = {
    "nbformat": 3,
    "metadata": {"name": ""},
    "worksheets": [
        {
            "cells": [
                {"cell_type": "heading", "level": 2, "source": "Head"},
                {
                    "cell_type": "code",
                    "language": "python",
                    "input": ["1 + 1"],
                    "outputs": [
                        {"output_type": "pyout", "text": ["2"], "png": IMAGE},
                        {"output_type": "pyerr", "ename": "E", "evalue": "bad"},
                    ],
                },
            ]
        }
    ],
}


def test_format_4() -> None:
    book = read_notebook(json.dumps(BOOK))
    assert book.text == TEXT
    assert (book.language, book.cells, book.version) == ("r", 4, 4)


def test_format_3() -> None:
    book = read_notebook(json.dumps(OLD))
    assert book.text == "## Head\n\n```python\n1 + 1\n```\n\n```output\n2\nE: bad\n```\n"
    assert (book.language, book.version) == ("python", 3)


def test_outputs_are_cut_or_left_out() -> None:
    long = {**BOOK, "cells": [{"cell_type": "code", "source": "x", "outputs": [{"output_type": "stream"}]}]}
    long["cells"][0]["outputs"][0]["text"] = "y" * 5000
    assert read_notebook(json.dumps(long), 10).text == f"```r\nx\n```\n\n```output\n{'y' * 10}…\n```\n"
    assert read_notebook(json.dumps(long), 0).text == "```r\nx\n```\n"
    assert "y" * 5000 in read_notebook(json.dumps(long)).text


FIELDS = (
    *(
        "cells",
        "worksheets",
        "source",
        "input",
        "outputs",
        "data",
        "text",
        "output_type",
        "metadata",
        "level",
    ),
    *("cell_type", "language_info", "kernelspec", "name", "text/plain", "language"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["code", "markdown"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_a_text_or_no_notebook(value: Any) -> None:
    try:
        read_notebook(json.dumps(value), 5).text.encode("utf-8", "surrogatepass")
    except NotNotebook:
        assert not isinstance(value, dict) or not any(
            isinstance(value.get(name), list) for name in ("cells", "worksheets")
        )


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", "[" * 100_000, '{"cells": 1}', '{"cells": [}'])
def test_no_notebooks(text: str) -> None:
    with pytest.raises(NotNotebook):
        read_notebook(text)


def test_in_a_repository(tmp_path: Path) -> None:
    files = {
        "a.ipynb": json.dumps(BOOK),
        "broken.ipynb": json.dumps(BOOK)[:-20],
        "empty.ipynb": '{"cells": []}',
        "large.ipynb": json.dumps({**BOOK, "x": "y" * 5000}),
    }
    commit(tmp_path / "mill", files)
    options = {"roots": [str(tmp_path / "mill")], "max_file_bytes": 10}
    documents, ledger = read(source(tmp_path, **options, notebooks={"max_file_bytes": 5000}))
    assert paths(documents) == ["a.ipynb"]
    assert documents[0].text == TEXT
    assert documents[0].metadata["notebook"] == {"language": "r", "cells": 4, "format": 4}
    assert ledger.reasons() == {
        "decode:broken_notebook": 1,
        "extract:empty_text": 1,
        "read:too_large": 1,
    }
    plain, _ = read(source(tmp_path, roots=[str(tmp_path / "mill")], notebooks=None))
    assert len(plain) == 4
    assert plain[0].text == files["a.ipynb"]
