"""Passwords in addresses are never shown."""

import pytest

from surrogate_modeling.common.passwords import has_password, without_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://eve:s3cret@host:5000/x", "http://eve:***@host:5000/x"),
        ("postgresql+psycopg://eve:p@ss/w@db.example/o?a=b", "postgresql+psycopg://eve:***@db.example/o?a=b"),
        ("http://:s3cret@host", "http://:***@host"),
        ("postgresql://host/db?user=eve&password=s3cret&x=1", "postgresql://host/db?user=eve&password=***&x=1"),
        ("postgresql://host/db?sslpassword=s3cret", "postgresql://host/db?sslpassword=***"),
        ("API request to 'http://eve:s3cret@h/api' failed, also ftp://a:b@c", "API request to 'http://eve:***@h/api' failed, also ftp://a:***@c"),
        ("line 1\nhttp://eve:s3cret@host\nline 3", "line 1\nhttp://eve:***@host\nline 3"),
    ],
)  # fmt: skip
def test_what_is_hidden(text: str, shown: str) -> None:
    assert without_passwords(text) == shown
    assert has_password(text)
    assert without_passwords(shown) == shown
    assert not has_password(shown)


@pytest.mark.parametrize(
    "text",
    [
        "", "eve:s3cret@host", "http://host:5000/#/experiments", "sqlite:////home/a b/mlflow.db", "postgresql://eve@host/db",
        "http://127.0.0.1:5000 is away; write to eve@example", "epoch 3: loss 0.5",
    ],
)  # fmt: skip
def test_what_is_left_as_it_is(text: str) -> None:
    assert without_passwords(text) == text
