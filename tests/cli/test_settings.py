"""Settings come from the environment, and what is wrong with them is told in one line."""

from pathlib import Path

import pytest

from servicetrail.settings import PREFIX, Settings, SettingsWrong, read_settings
from tests.cli.conftest import Command
from web.nearby import is_loopback


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
def test_what_others_reach_is_no_loopback(host: str) -> None:
    assert not is_loopback(host)


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
        "SERVICETRAIL_KAFKA_OPTIONS": '{"sasl_plain_password": "the-password"}',
        "SERVICETRAIL_SCHEMA_REGISTRY_URL": "https://program:the-password@registry",
        "SERVICETRAIL_SCHEMA_REGISTRY_PASSWORD": "the-password",
    }
    for name, secret in secrets.items():
        monkeypatch.setenv(name, secret)
    shown = repr(read_settings())
    assert "the-password" not in shown
    assert not any(secret in shown for secret in secrets.values())


@pytest.mark.parametrize(
    ("written", "topics"),
    [
        ("touchpoints", ("touchpoints",)),
        ("touchpoints, ^shop\\..*,promises,", ("touchpoints", "^shop\\..*", "promises")),
        ('["^shop[0-9]{1,2}", "mail"]', ("^shop[0-9]{1,2}", "mail")),
    ],
)
def test_topics_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, written: str, topics: tuple[str, ...]
) -> None:
    assert "promises" in read_settings().kafka_topics
    monkeypatch.setenv("SERVICETRAIL_KAFKA_TOPICS", written)
    assert read_settings().kafka_topics == topics


def test_options_of_kafka_clients_are_a_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().kafka_options == {}
    monkeypatch.setenv("SERVICETRAIL_KAFKA_OPTIONS", '{"security_protocol": "SSL"}')
    assert read_settings().kafka_options == {"security_protocol": "SSL"}
    for wrong in ("security_protocol=SSL", '["the-password"]'):
        monkeypatch.setenv("SERVICETRAIL_KAFKA_OPTIONS", wrong)
        with pytest.raises(SettingsWrong, match="SERVICETRAIL_KAFKA_OPTIONS: must be a JSON") as no:
            read_settings()
        assert wrong not in str(no.value)


@pytest.mark.parametrize("share", ["0", "1.5", "half"])
def test_a_share_is_above_0_and_at_most_1(monkeypatch: pytest.MonkeyPatch, share: str) -> None:
    monkeypatch.setenv("SERVICETRAIL_MAX_REJECTED_SHARE", share)
    with pytest.raises(SettingsWrong, match="SERVICETRAIL_MAX_REJECTED_SHARE"):
        read_settings()


def test_a_registry_s_address_that_is_none_is_told_without_repeating_it(
    command: Command,
) -> None:
    command.environment["SERVICETRAIL_SCHEMA_REGISTRY_URL"] = "program:the-password@registry"
    refused = command.run("status")
    assert refused.returncode == 2
    assert "SERVICETRAIL_SCHEMA_REGISTRY_URL" in refused.stderr
    assert "the-password" not in refused.stderr


def test_an_identity_provider_is_set_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICETRAIL_JWT_ISSUER", "https://login.example")
    with pytest.raises(SettingsWrong, match="SERVICETRAIL_JWT_AUDIENCE"):
        read_settings()
    monkeypatch.setenv("SERVICETRAIL_JWT_AUDIENCE", "servicetrail")
    for url in ("http://login.example/keys", "file:///etc/passwd", "http://127.0.0.1.example/keys"):
        monkeypatch.setenv("SERVICETRAIL_JWT_JWKS_URL", url)
        with pytest.raises(SettingsWrong, match="SERVICETRAIL_JWT_JWKS_URL"):
            read_settings()
    monkeypatch.setenv("SERVICETRAIL_JWT_JWKS_URL", "http://127.0.0.1:8080/keys")
    assert read_settings().jwt_issuer == "https://login.example"
