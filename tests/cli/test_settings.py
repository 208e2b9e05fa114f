"""Settings come from the environment, and what is wrong with them is told in one line."""

from pathlib import Path

import pytest

from servicetrail.settings import PREFIX, Settings, SettingsWrong, is_loopback, read_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def test_nothing_needs_to_be_set() -> None:
    settings = read_settings()
    assert settings.database_url is None
    assert settings.data_dir == Path(".servicetrail")
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8400)
    assert settings.access_token_text is None


def test_the_environment_sets_and_a_given_value_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICETRAIL_HTTP_PORT", "9000")
    monkeypatch.setenv("SERVICETRAIL_EPISODE_GAP_DAYS", "3")
    monkeypatch.setenv("SERVICETRAIL_DATABASE_URL", "")
    assert read_settings().http_port == 9000
    assert read_settings(http_port=9001, http_host=None).http_port == 9001
    assert read_settings().episode_gap_days == 3
    assert read_settings().database_url is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "servicetrail.example"])
def test_beyond_loopback_only_with_a_token(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("SERVICETRAIL_HTTP_HOST", host)
    with pytest.raises(SettingsWrong, match="SERVICETRAIL_ACCESS_TOKEN"):
        read_settings()
    monkeypatch.setenv("SERVICETRAIL_ACCESS_TOKEN", "a-token-of-some-length")
    assert read_settings().http_host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


def test_a_wrong_value_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICETRAIL_ACCESS_TOKEN", "short-secret")
    monkeypatch.setenv("SERVICETRAIL_HTTP_PORT", "70000")
    with pytest.raises(SettingsWrong) as wrong:
        read_settings()
    text = str(wrong.value)
    assert "SERVICETRAIL_ACCESS_TOKEN" in text
    assert "SERVICETRAIL_HTTP_PORT" in text
    assert "short-secret" not in text
    assert "\n" not in text


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "SERVICETRAIL_ACCESS_TOKEN": "a-token-of-some-length",
        "SERVICETRAIL_DATABASE_URL": "postgresql://program:the-password@db/servicetrail",
        "SERVICETRAIL_MASTER_KEY": "c2VydmljZXRyYWlsLXNlcnZpY2V0cmFpbC0zMmJ5dGU=",
    }
    for name, secret in secrets.items():
        monkeypatch.setenv(name, secret)
    shown = repr(read_settings())
    assert not any(secret in shown for secret in secrets.values())
