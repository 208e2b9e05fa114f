"""Sealing in the program: which keys, which places, and the thread that does it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import structlog

from audit.files import write_whole
from audit.notes import Checkpoint, Note, NoteWrong, PublicKey
from audit.outside import Directory, OutsideWrong
from audit.sealer import Outside, Sealer, SealRefused
from audit.signing import SigningKeyError, SigningKeys, keys_from_file
from consumers.checkpoints import CheckpointTopic, TopicAway
from servicetrail.settings import PREFIX, Settings, SettingsWrong
from servicetrail.system import System

KEYS_FILE = "sealing.keys"
_AGAIN_SECONDS = 5.0
log = structlog.get_logger(__name__)


def keys_of(settings: Settings) -> Callable[[], SigningKeys]:
    """Gives the sealing keys, each time as they are then. Raises SigningKeyError."""
    if settings.sealing_keys is not None:
        keys = SigningKeys.parse(settings.sealing_keys.get_secret_value())
        return lambda: keys
    return lambda: keys_from_file(keys_file(settings))


def public_keys(settings: Settings) -> list[str]:
    """The ledger's public keys, the oldest first. Raises SigningKeyError where none are known."""
    if settings.sealing_keys is None and not keys_file(settings).exists():
        raise SigningKeyError(
            f"there is no {keys_file(settings)}, so the ledger's public key is not known: set "
            f"{PREFIX}SEALING_KEYS or {PREFIX}DATA_DIR, or name it with --key"
        )
    return [str(key) for key in keys_of(settings)().public]


def witnesses_of(settings: Settings) -> list[PublicKey]:
    """The witnesses whose keys are known. Raises SettingsWrong."""
    try:
        return [PublicKey.parse(key) for key in settings.witness_keys]
    except NoteWrong as error:
        raise SettingsWrong(f"{PREFIX}WITNESS_KEYS: {error}") from None


def keys_file(settings: Settings) -> Path:
    """Where the sealing keys are kept unless they are set."""
    return settings.data_dir / KEYS_FILE


def directory_of(settings: Settings) -> Directory:
    """The directory of checkpoints outside the database."""
    return Directory(settings.checkpoint_dir or settings.data_dir / "checkpoints")


def sealer_of(system: System, topic: Outside | None = None) -> Sealer:
    """A sealer as the settings want it."""
    settings = system.settings
    outside: list[Outside] = [directory_of(settings)]
    if topic is not None:
        outside.append(topic)
    return Sealer(system.datastore, keys_of(settings), outside)


def rotate(system: System) -> SigningKeys:
    """Make a new key, and a checkpoint that both the old one and the new one sign.

    Gives the keys. Raises SettingsWrong where they are set and not kept in the file, SealRefused.
    """
    settings = system.settings
    if settings.sealing_keys is not None:
        raise SettingsWrong(
            f"{PREFIX}SEALING_KEYS is set: make a key elsewhere, set both, the new one last, and "
            "start the program again"
        )
    path = keys_file(settings)
    sealer = sealer_of(system)
    sealer.seal()
    keys = keys_from_file(path).rotated()
    write_whole(path, keys.to_text().encode(), mode=0o600)
    sealer.step(even_if_nothing_is_new=True)
    # Of the old key only the public part is left: nobody can sign with it any more.
    keys = keys.without_old()
    write_whole(path, keys.to_text().encode(), mode=0o600)
    return keys


class Topic:
    """A Kafka topic as a place for checkpoints, written by a thread of its own.

    While the brokers are away sealing goes on, and the newest checkpoint is published as soon as
    they are back: it stands for those before it.
    """

    def __init__(self, topic: CheckpointTopic) -> None:
        self._topic = topic
        self._known: tuple[str, Note] | None = None
        self._asked = False
        self._waiting: tuple[str, Note] | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="checkpoint-topic")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Publish what waits, if that is possible at once, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        self._topic.close()

    def newest(self, origin: str) -> tuple[str, Note] | None:
        """What the topic has at the start, and then what was brought. Raises OutsideWrong."""
        if not self._asked:
            self._known = self._read(origin)
            self._asked = True
        return self._known

    def put(self, note: Note, checkpoint: Checkpoint) -> None:
        """Have a checkpoint published soon."""
        with self._changed:
            self._waiting = (checkpoint.origin, note)
            self._changed.notify()
        self._known = (self.place, note)

    @property
    def place(self) -> str:
        """The topic in words."""
        return f"the topic {self._topic.topic}"

    def notes(self, origin: str) -> list[str]:
        """The newest checkpoint of a ledger in each partition, as it is there. Raises TopicAway."""
        return self._topic.newest(origin)

    def _read(self, origin: str) -> tuple[str, Note] | None:
        try:
            notes = [Note.parse(each) for each in self.notes(origin)]
            return max(
                ((self.place, note) for note in notes),
                key=lambda found: Checkpoint.parse(found[1].text).size,
                default=None,
            )
        except TopicAway as away:
            log.warning("checkpoints in Kafka are not compared", reason=str(away))
            return None
        except NoteWrong as wrong:
            raise OutsideWrong(f"{self.place} holds no checkpoint: {wrong}") from None

    def _run(self) -> None:
        told = False
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                waiting, self._waiting = self._waiting, None
                if waiting is None:
                    return
            try:
                self._topic.publish(waiting[0], str(waiting[1]))
                if told:
                    log.info("checkpoints are in Kafka again")
                told = False
            except TopicAway as away:
                if not told:  # once, not at every attempt until it is over
                    log.warning("a checkpoint is not in Kafka yet", reason=str(away))
                told = True
                with self._changed:
                    if self._stopping:
                        return
                    if self._waiting is None:
                        self._waiting = waiting
                    self._changed.wait_for(lambda: self._stopping, _AGAIN_SECONDS)


def topic_of(settings: Settings) -> Topic | None:
    """The topic of checkpoints, if one is configured. Raises SettingsWrong."""
    if settings.checkpoint_topic is None:
        return None
    if settings.kafka_bootstrap_servers is None:
        raise SettingsWrong(f"{PREFIX}CHECKPOINT_TOPIC needs {PREFIX}KAFKA_BOOTSTRAP_SERVERS")
    servers, options = settings.kafka_bootstrap_servers, settings.kafka_options
    return Topic(CheckpointTopic(servers, options, settings.checkpoint_topic))


class Sealing:
    """A sealer at work in a thread of its own."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="sealer")

    def start(self) -> None:
        """Begin. Raises SealRefused, SigningKeyError."""
        self._sealer.check()
        self._thread.start()

    def stop(self) -> None:
        """Seal what there is, and end."""
        self._sealer.stop()
        self._thread.join()

    @property
    def state(self) -> Literal["running", "stopped"]:
        """Whether it does its work."""
        return "running" if self._thread.is_alive() else "stopped"

    @property
    def why(self) -> str | None:
        """Why it does not; None if it does."""
        if self.state == "running":
            return None
        told = (SealRefused, SigningKeyError)
        error = self._error
        return f"sealing stopped: {error if isinstance(error, told) else type(error).__name__}"

    def _run(self) -> None:
        try:
            self._sealer.run()
        except (SealRefused, SigningKeyError) as error:
            log.error("sealing stopped", reason=str(error))
            self._error = error
        except Exception as error:
            log.exception("sealing stopped")
            self._error = error


@contextmanager
def sealing(system: System) -> Iterator[Sealing]:
    """Seal until the end of the block. Raises SealRefused, SigningKeyError, SettingsWrong."""
    topic = topic_of(system.settings)
    at_work = Sealing(sealer_of(system, topic))
    at_work.start()
    if topic is not None:
        topic.start()
    try:
        yield at_work
    finally:
        at_work.stop()
        if topic is not None:
            topic.stop()
