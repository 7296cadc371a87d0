"""Which knobs are shown, and which are not."""

from __future__ import annotations

import pytest

from rapidfire_lab.configs.secrets import HIDDEN, find_hidden, hide_secret_at, hide_secrets, is_secret


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
        "HF_TOKEN_2",
        "HF_TOKEN2",
        "hf_tokens",
        "access_tokens",
        "token_value",
        "wandb_key",
        "WANDB_API_KEY_1",
        "s3_key",
        "accesskey",
        "accessKey",
        "secretkey",
        "github_pat",
        "bearer",
        "authorization",
        "Authorization",
        "jwt",
        "database_url",
        "DATABASE_URL",
        "db_uri",
        "connection_string",
        "dsn",
        "sentry_dsn",
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
        "new_tokens",
        "special_tokens",
        "image_tokens",
        "pad_token_id",
        "pad_token_value",
        "monkey",
        "keypoints",
        "key_value",
        "pat",
        "pattern",
        "url",
        "dataset_url",
        "database",
        "connections",
        "wandb_project",
        "hub_model_id",
        "s3_bucket",
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


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"user_knobs": {"store": {"api_key": "***", "host": "h"}}}, "user_knobs.store.api_key"),
        ({"api_key": "***"}, "api_key"),
        ({"credentials": {"user": "***"}}, "credentials.user"),
        ({"stores": [{"host": "h"}, {"password": "***"}]}, "stores.1.password"),
        ({"api_key": {"$list": ["sk-1", "***"]}}, "api_key.$list.1"),
        ({"api_key": "sk-1", "separator": "***", "use_password": True, "secret": None}, None),
    ],
)
def test_a_secret_that_comes_back_hidden_is_found(changes, place):
    assert find_hidden(changes) == place
