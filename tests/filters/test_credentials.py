"""Passwords and keys in code, settings, connection strings, headers and command lines; nothing where there
is none."""

from __future__ import annotations

import base64
import sysconfig
import time
from pathlib import Path

import pytest

from filters.annotators.secrets import find
from filters.base import TextView
from tests.filters.test_secrets import HEX, R

PASSWORD = "n7Kq-w2Lm9vR"
KEY = R(40)
DIGEST = R(64, HEX)
BASIC = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()

PLANTED: dict[str, tuple[str, str]] = {
    ".env": (f"DEBUG=1\nDB_PASSWORD={PASSWORD}\nHOST=x\n", PASSWORD),
    ".env key": (f"API_KEY={KEY}\n", KEY),
    ".env quoted": (f'DB_PASSWORD="{PASSWORD}"\n', PASSWORD),
    ".env short name": (f"export DB_PASS={PASSWORD}\n", PASSWORD),
    "yaml": (f"db:\n  user: a\n  password: {PASSWORD}\n", PASSWORD),
    "yaml quoted": (f"password: '{PASSWORD}'\n", PASSWORD),
    "yaml key": (f"  api_key: {KEY}\n", KEY),
    "yaml secret": (f"secret_key_base: {DIGEST}\n", DIGEST),
    "compose": (f"      POSTGRES_PASSWORD: {PASSWORD}\n", PASSWORD),
    "compose list": (f"      - POSTGRES_PASSWORD={PASSWORD}\n", PASSWORD),
    "dockerfile": (f"ENV MYSQL_ROOT_PASSWORD={PASSWORD}\n", PASSWORD),
    "dockerfile, old": (f"ENV MYSQL_ROOT_PASSWORD {PASSWORD}\n", PASSWORD),
    "actions": (f"        TOKEN: {KEY}\n", KEY),
    "json": (f'{{"user": "a", "password": "{PASSWORD}"}}', PASSWORD),
    "json key": (f'{{"clientSecret": "{KEY}"}}', KEY),
    "properties": (f"spring.datasource.password={PASSWORD}\n", PASSWORD),
    "ini": (f"[client]\npassword = {PASSWORD}\n", PASSWORD),
    "toml": (f'password = "{PASSWORD}"\n', PASSWORD),
    "npmrc": (f"//registry.corp.org/:_authToken={KEY}\n", KEY),
    "netrc": (f"machine h.org login jane password {PASSWORD}\n", PASSWORD),
    "xml": (f"<server><password>{PASSWORD}</password></server>", PASSWORD),
    "xml attribute": (f'<add key="Password" value="{PASSWORD}"/>', PASSWORD),
    "postgres": (f'URL = "postgres://app:{PASSWORD}@db.corp.org/x"', PASSWORD),
    "mysql": (f"mysql+pymysql://root:{PASSWORD}@localhost:3306/db", PASSWORD),
    "mongo": (f"mongodb+srv://u:{PASSWORD}@c.mongodb.net", PASSWORD),
    "redis": (f"redis://:{PASSWORD}@h:6379/0", PASSWORD),
    "amqp": (f"amqp://guest:{PASSWORD}@mq:5672", PASSWORD),
    "jdbc": (f'"jdbc:postgresql://h/db?user=app&password={PASSWORD}"', PASSWORD),
    "ado": (f'"Server=x;Database=y;User Id=z;Password={PASSWORD};"', PASSWORD),
    "azure": (f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={R(86)}==;", "AccountKey"),
    "python": (f'connect(user="a", password="{PASSWORD}")', PASSWORD),
    "python dict": (f"DATABASES = {{'PASSWORD': '{PASSWORD}'}}", PASSWORD),
    "go": (f'cfg := Config{{Password: "{PASSWORD}",}}', PASSWORD),
    "java": (f'source.setPassword("{PASSWORD}");', PASSWORD),
    "php": (f"'password' => '{PASSWORD}',", PASSWORD),
    "php define": (f"define('DB_PASSWORD', '{PASSWORD}');", PASSWORD),
    "ruby": (f'config.password = "{PASSWORD}"', PASSWORD),
    "terraform": (f'  password = "{PASSWORD}"\n', PASSWORD),
    "sql": (f"CREATE USER a IDENTIFIED BY '{PASSWORD}';", PASSWORD),
    "sql role": (f"ALTER USER a WITH PASSWORD '{PASSWORD}';", PASSWORD),
    "aws": (f"[default]\naws_secret_access_key = {KEY}\n", KEY),
    "basic": (f"Authorization: Basic {BASIC}", BASIC),
    "bearer": (f"curl -H 'Authorization: Bearer {KEY}' https://h.org", KEY),
    "curl": (f"curl -s -u admin:{PASSWORD} https://h.org", PASSWORD),
    "mysql client": (f"mysqldump -u root -p{PASSWORD} db > x.sql", PASSWORD),
}
"""Where it stands: a piece of a file, and what must not be left of it."""


def found(text: str) -> list[str]:
    return [text[start:end] for start, end, _ in find(TextView(text))]


@pytest.mark.parametrize("place", list(PLANTED))
def test_planted_credentials_are_found(place: str) -> None:
    text, secret = PLANTED[place]
    assert any(secret in one for one in found(f"# settings\n\n{text}\nend\n"))


@pytest.mark.parametrize(
    "text",
    [
        "password = getpass()\n",
        "  password: string;\n  token: Token2Value,\n",
        "password: ${DB_PASSWORD}\nDB_PASS=$DB_PASS\nDB_PASSWORD=changeme\n",
        "password = self.config.Password1\n",
        "db:\n  password: <your password>\n  passwordFile: /run/secrets/Db1\n",
        "def f(password: Optional[str] = None, token: str = 'x'):\n",
        'user.setPassword("New-Password1")\nsetPassword("password")\n',
        "curl -u user:$TOKEN https://h.org\ncurl --user admin:password https://h.org\n",
        "mysql -u root -p db\nmysql -uroot -ppassword\n",
        "Authorization: Basic dXNlcg==\nAuthorization: Bearer ${TOKEN}\nBasic access with Bearer tokens\n",
        "basic understanding1 of Basics2 Things3\n",
        "machine h.org login a password x\nthe login page password Field1\n",
        "<password>${db.password}</password><password>********</password>\n",
        "?password=&user=a ?password=%s;password={0};\n",
        "ENV PASSWORD_FILE /run/x\nIDENTIFIED BY 'password'\n",
    ],
)
def test_what_only_looks_like_one(text: str) -> None:
    assert found(text) == []


def test_installed_packages_publish_none() -> None:
    files = sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*.py"))[::41]
    said = {
        str(file): hits for file in files if (hits := found(file.read_text("utf-8", "replace")[:200_000]))
    }
    assert len(files) > 100
    assert len(said) <= len(files) // 200, said


@pytest.mark.parametrize(
    "piece",
    [
        "password ",
        "password=",
        "?password=",
        "curl -u ",
        "mysql -p",
        "basic ",
        "bearer ",
        "<password>",
        "login a password ",
    ],
)
def test_hostile_texts_take_no_longer(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    began = time.process_time()
    find(TextView(text))
    # Not a measure of speed: it would be hours if anything were quadratic.
    assert time.process_time() - began < 120
