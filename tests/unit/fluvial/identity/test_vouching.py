"""Tokens and the keys that they are."""

import pytest

from fluvial.identity.keys import SigningKey
from fluvial.identity.vouching import is_public_form, is_vouched, new_token, public_form, token_key, vouch

KEY, OTHER = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2))


def test_a_token_is_always_the_same_key_and_another_one_another() -> None:
    token = new_token()
    first, second, third = token_key(token), token_key(token), token_key(new_token())
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.public_key == second.public_key != third.public_key
    assert is_public_form(public_form(token))


@pytest.mark.parametrize("word", ["", "one-time", "key.", "key.short", "key." + "!" * 43, "a" * 43])
def test_what_is_no_such_token_is_a_word_that_is_shown(word: str) -> None:
    assert token_key(word) is None
    assert public_form(word) == word
    assert not is_public_form(word)


def test_a_proof_holds_for_one_key_name_and_federation() -> None:
    proof, named = vouch(KEY, "s", "alice", OTHER.public_key), KEY.public_key.hex()
    assert is_vouched(named, proof, "s", "alice", OTHER.public_key)
    assert not is_vouched(named, proof, "t", "alice", OTHER.public_key)
    assert not is_vouched(named, proof, "s", "bob", OTHER.public_key)
    assert not is_vouched(named, proof, "s", "alice", KEY.public_key)
    assert not is_vouched(OTHER.public_key.hex(), proof, "s", "alice", OTHER.public_key)
    assert not is_vouched("one-time", proof, "s", "alice", OTHER.public_key)
    assert not is_vouched(named, b"", "s", "alice", OTHER.public_key)
