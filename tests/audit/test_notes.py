"""Signed notes, checkpoints and cosignatures, here and by the verifier's own reading."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.notes import COSIGNATURE, Checkpoint, Note, NoteWrong, PrivateKey, PublicKey, Signature
from audit.signing import SigningKeyError, SigningKeys
from audit.standalone import proofs
from audit.standalone.ed25519 import ed25519_verify

# The example of golang.org/x/mod/sumdb/note's documentation.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR\
Zb6KE6RyyBwJnAM=
"""
KEY = PrivateKey("servicetrail/test", bytes(range(32)))
CHECKPOINT = Checkpoint(
    origin="servicetrail/test",
    size=17,
    root=bytes(32),
    customers=3,
    customers_root=bytes([1]) * 32,
    register_size=2,
    register_root=bytes([2]) * 32,
    sealed_at=datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC),
    previous=bytes([3]) * 32,
)


def cosigned(text: str, name: str = "witness.example/w1") -> tuple[PublicKey, Signature]:
    """A witness's key, and its cosignature of a checkpoint."""
    witness = PrivateKey(name, bytes([9]) * 32)
    public = PublicKey(name, witness.public.public, COSIGNATURE)
    at = 1_772_366_400
    message = f"cosignature/v1\ntime {at}\n{text}"
    signature = at.to_bytes(8) + witness.sign(message).signature
    return public, Signature(name, public.key_id, signature)


def test_a_note_signed_elsewhere_is_understood() -> None:
    note = Note.parse(GO_NOTE)
    assert PublicKey.parse(GO_KEY).has_signed(note)
    assert str(note) == GO_NOTE


def test_keys_are_written_as_they_are_read() -> None:
    assert PrivateKey.parse(KEY.to_text()) == KEY
    assert PublicKey.parse(str(KEY.public)) == KEY.public
    assert str(PublicKey.parse(GO_KEY)) == GO_KEY


def test_a_checkpoint_is_written_as_it_is_read_by_both_readers() -> None:
    note = Note(CHECKPOINT.text, (KEY.sign(CHECKPOINT.text),))
    assert Checkpoint.parse(Note.parse(str(note)).text) == CHECKPOINT
    read = proofs.read_checkpoint(str(note))
    assert read.text == CHECKPOINT.text
    assert (read.origin, read.size, read.root) == ("servicetrail/test", 17, bytes(32))
    assert (read.customers, read.customers_root) == (3, bytes([1]) * 32)
    assert (read.register_size, read.register_root) == (2, bytes([2]) * 32)
    assert (read.sealed_at, read.previous) == ("2026-03-01T12:00:00.000005Z", bytes([3]) * 32)
    assert proofs.signed_by(read, str(KEY.public))
    assert not proofs.signed_by(read, GO_KEY)


def test_a_cosignature_is_understood_by_both_readers() -> None:
    witness, signature = cosigned(CHECKPOINT.text)
    note = Note(CHECKPOINT.text, (KEY.sign(CHECKPOINT.text), signature))
    assert witness.has_signed(note)
    assert proofs.signed_by(proofs.read_checkpoint(str(note)), str(witness))


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_signed(place: int, bit: int) -> None:
    raw = bytearray(str(Note(CHECKPOINT.text, (KEY.sign(CHECKPOINT.text),))).encode())
    raw[place % len(raw)] ^= 1 << bit
    try:
        changed = raw.decode()
        note = Note.parse(changed)
        signed = KEY.public.has_signed(note) and Checkpoint.parse(note.text) == CHECKPOINT
    except (UnicodeDecodeError, NoteWrong):
        signed = False
    assert not signed
    try:
        read = proofs.read_checkpoint(raw.decode())
        assert not proofs.signed_by(read, str(KEY.public))
    except (UnicodeDecodeError, proofs.Wrong):
        pass


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n\n— name\n",
        "text\n\n— na+me AAAAAAA=\n",
        "text\n\n— name AAAA\n",
        "text\n\nname AAAAAAAA\n",
        GO_NOTE[:-1],
        GO_NOTE + "\n",
        GO_NOTE + "more",
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(NoteWrong):
        Note.parse(text)


def test_a_checkpoint_has_one_way_of_writing() -> None:
    for old, new in (("\n17\n", "\n017\n"), (".000005Z", "Z"), ("customers 3", "customers 03")):
        with pytest.raises(NoteWrong):
            Checkpoint.parse(CHECKPOINT.text.replace(old, new))


@given(st.binary(max_size=80))
def test_both_ways_of_checking_signatures_agree(message: bytes) -> None:
    signature = KEY.sign(message.hex()).signature
    assert ed25519_verify(KEY.public.public, message.hex().encode(), signature)
    for at in (0, 31, 32, 63):
        wrong = bytearray(signature)
        wrong[at] ^= 1
        assert not ed25519_verify(KEY.public.public, message.hex().encode(), bytes(wrong))
    assert not ed25519_verify(KEY.public.public, message.hex().encode(), signature[:-1])
    assert not ed25519_verify(KEY.public.public, message.hex().encode() + b"!", signature)


# RFC 8032, section 7.1, tests 1 and 2.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
        "1cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
        "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_signatures_of_the_rfc(public: str, message: str, signature: str) -> None:
    assert ed25519_verify(*map(bytes.fromhex, (public, message, signature)))


def test_a_signature_in_another_writing_is_refused() -> None:
    """The order of the group added to its scalar: the same equation, another text."""
    order = 2**252 + 27742317777372353535851937790883648493
    signature = KEY.sign("text\n").signature
    scalar = int.from_bytes(signature[32:], "little") + order
    assert not ed25519_verify(
        KEY.public.public, b"text\n", signature[:32] + scalar.to_bytes(32, "little")
    )


def test_sealing_keys_are_lines_and_the_last_one_signs() -> None:
    keys = SigningKeys.made()
    assert SigningKeys.parse(keys.to_text()) == keys
    both = keys.rotated()
    assert len(both.signed(CHECKPOINT.text).signatures) == 2
    after = both.without_old()
    assert SigningKeys.parse(after.to_text()) == after
    assert after.public == both.public
    assert "PRIVATE" not in after.to_text().splitlines()[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        GO_KEY,
        f"{KEY.to_text()} {GO_KEY}",
        KEY.to_text()[:-4],
        KEY.to_text().replace(KEY.public.key_id.hex(), "00000000"),
        f"{KEY.to_text()} {PrivateKey('other', bytes(32)).to_text()}",
    ],
)
def test_keys_that_cannot_be_used_are_refused_and_never_quoted(text: str) -> None:
    with pytest.raises(SigningKeyError) as refused:
        SigningKeys.parse(text)
    secret = base64.b64encode(b"\1" + KEY.seed).decode()
    assert secret not in str(refused.value)
