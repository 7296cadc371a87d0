"""Which knobs are shown, and which are not."""

from __future__ import annotations

import pytest

from rapidfire_lab.configs.secrets import HIDDEN, hide_secret_at, hide_secrets, is_secret


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_passwd",
        "DB_PASSWORD",
        "secret",
        "clientSecret",
        "aws_secret_access_key",
        "token",
        "hf_token",
        "HF_TOKEN",
        "accessToken",
        "auth-token",
        "api_key",
        "apiKey",
        "OPENAI_API_KEY",
        "apikey",
        "access_key",
        "access_key_id",
        "private_key",
        "credential",
        "gcs_credentials",
    ],
)
def test_secrets_are_known_by_their_names(name):
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "max_tokens",
        "num_tokens",
        "tokens",
        "tokenizer",
        "tokenizer_name",
        "token_dim",
        "tokens_per_batch",
        "pad_token",
        "eos_token",
        "cls_token",
        "mask_token",
        "lr",
        "key",
        "key_dim",
        "num_keys",
        "author",
        "secretary",
        "passes",
        "access",
        "api",
        "",
    ],
)
def test_other_knobs_are_not(name):
    assert not is_secret(name)


def test_secrets_in_a_config_are_hidden_wherever_they_stand():
    config = {
        "train": {"epochs": 2},
        "user_knobs": {
            "hf_token": "hf_abc",
            "credentials": {"user": "me", "pin": 7},
            "stores": [{"password": "x", "host": "h"}],
            "use_password": True,
            "secret": None,
            "max_tokens": 512,
        },
    }
    before = str(config)
    assert hide_secrets(config) == {
        "train": {"epochs": 2},
        "user_knobs": {
            "hf_token": HIDDEN,
            "credentials": HIDDEN,
            "stores": [{"password": HIDDEN, "host": "h"}],
            "use_password": True,
            "secret": None,
            "max_tokens": 512,
        },
    }
    assert str(config) == before


def test_every_part_of_a_path_counts():
    assert hide_secret_at("user_knobs.credentials.user", "me") == HIDDEN
    assert hide_secret_at("user_knobs.api_key", "k") == HIDDEN
    assert hide_secret_at("user_knobs.api_key", None) is None
    assert hide_secret_at("user_knobs.width", 8) == 8
    assert hide_secret_at("user_knobs.store", {"token": "t"}) == {"token": HIDDEN}
