"""Source files with planted credentials, built, found and masked: nothing of them is left in the store
made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corpus.build import build
from corpus.manifest import CorpusManifest
from corpus.store import Store
from filters.annotators.secrets import find
from filters.base import TextView
from tests.filters.test_credentials import PLANTED
from tests.filters.test_secrets import EXAMPLES, block, jwt

PLACES = (
    "settings.py",
    ".env",
    "config.yaml",
    "config.json",
    "Main.java",
    "deploy.sh",
    "README.md",
    "app.js",
)
FORMS = {
    "settings.py": 'CLIENT = connect("{}")\n',
    ".env": "VALUE={}\n",
    "config.yaml": "service:\n  value: {}\n",
    "config.json": '{{"service": {{"value": "{}"}}}}\n',
    "Main.java": 'class A {{ static String a = "{}"; }}\n',
    "deploy.sh": 'curl "https://h.org/?k={}"\n',
    "README.md": "Use `{}` for it.\n",
    "app.js": "const a = `{}`;\n",
}


def test_no_planted_credential_survives(tmp_path: Path) -> None:
    root = tmp_path / "project"
    planted: list[str] = []
    tokens = [token for kind in EXAMPLES.values() for token in kind] + [
        jwt({"alg": "RS256"}),
        block("PRIVATE KEY"),
    ]
    for place, form in FORMS.items():
        for number, token in enumerate(tokens):
            folder = root / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text("# a file\n" + form.format(token) + "# its end\n", encoding="utf-8")
            planted.append(token)
    for number, (text, secret) in enumerate(PLANTED.values()):
        (root / f"planted{number}.txt").write_text(f"before\n{text}\nbehind\n", encoding="utf-8")
        planted.append(secret.removeprefix("AccountKey"))

    def manifest(output: str, source: dict[str, Any]) -> CorpusManifest:
        return CorpusManifest.model_validate(
            {
                "kind": "corpus",
                "name": output,
                "output": str(tmp_path / output),
                "source": source,
                "annotators": ["code_language", "secrets", "pii"],
                "executor": {"type": "local", "workers": 1},
            }
        )

    build(manifest("found", {"type": "files", "roots": [str(root)], "include": ["**/*", "**/.env"]}))
    build(
        manifest(
            "masked",
            {
                "type": "store",
                "path": str(tmp_path / "found"),
                "mask": {"columns": ["pii.spans", "secrets.spans"]},
            },
        )
    )
    texts = [
        row["text"]
        for batch in Store.open(tmp_path / "masked").documents(["text"])
        for row in batch.to_pylist()
    ]
    assert len(texts) == len(tokens) * len(FORMS) + len(PLANTED)
    whole = "\n".join(texts)
    survivors = [secret for secret in planted if secret and secret in whole]
    assert survivors == []
    assert all(find(TextView(text)) == [] for text in texts)
    # What stands around them is left alone.
    assert whole.count("# its end") == len(tokens) * len(FORMS)
    assert whole.count("behind") == len(PLANTED)
