"""`seal`, `verify`, `evidence` and `checkpoints` as people type them."""

import json
import time
from contextlib import closing
from pathlib import Path

import psycopg2

from audit.standalone.certificate import check_certificate
from tests.audit.sealed import Attacker
from tests.cli.conftest import PATIENCE_SECONDS, Command
from tests.cli.events import promise, touchpoint
from tests.cli.test_up import post, stopped, up
from tests.conftest import DatabaseUrls


def imported(command: Command, *numbers: int) -> None:
    events = [touchpoint(number, note="personal") for number in numbers]
    done = command.run("import", command.write_lines("events.jsonl", events))
    assert done.returncode == 0, done.stderr


def test_from_the_seal_to_evidence_and_back(command: Command, tmp_path: Path) -> None:
    imported(command, 1, 2, 3)
    assert command.run("seal").stdout == "1 checkpoints made\n"
    assert command.run("seal").stdout == "everything is sealed already\n"
    imported(command, 4)
    made = command.run("evidence", "--customer", "C-1", "--out", "e.zip")
    assert made.stdout == "4 events, proven against a checkpoint of 4\n", made.stderr
    again = command.run("evidence", "--customer", "C-1", "--out", "e.zip")
    assert (again.returncode, "name a new file" in again.stderr) == (2, True)
    [key] = command.json("checkpoints", "keys")["rows"]
    verified = command.json("verify", "e.zip", "--key", key["key"])
    assert verified["wrong"] is None
    assert any("the 4 events are all" in each for each in verified["proven"])
    (tmp_path / "kept.txt").write_text(command.run("checkpoints", "show").stdout)
    text = command.run("verify", "e.zip", "--checkpoint", "kept.txt").stdout
    assert "your checkpoint of 4 events is of the same ledger" in text
    whole = command.json("verify", "--checkpoint", "kept.txt")
    assert (whole["faults"], whole["sealed"], whole["compared"]) == ([], 4, 2)
    assert [row["size"] for row in command.json("checkpoints", "list")["rows"]] == [4, 3]


def test_a_changed_row_ends_with_status_1_and_its_position(
    command: Command, database_urls: DatabaseUrls
) -> None:
    imported(command, 1, 2, 3)
    command.run("seal")
    Attacker(database_urls.owner).does("UPDATE ledger.events SET source = 'x' WHERE position = 2")
    done = command.run("verify")
    assert done.returncode == 1
    assert done.stdout.endswith("The first position at fault is 2\n")


def test_a_database_that_was_set_back_is_not_served(
    command: Command, database_urls: DatabaseUrls
) -> None:
    imported(command, 1, 2, 3)
    command.run("seal")
    Attacker(database_urls.owner).does(
        "DELETE FROM ledger.events",
        "UPDATE ledger.head SET position = 0, recorded_at = '-infinity'",
        "TRUNCATE seal.checkpoints, seal.cosignatures, seal.tiles, seal.customers, seal.signers",
    )
    refused = command.run("up")
    assert refused.returncode == 2
    assert "knows of 3 events" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_up_seals_what_is_posted(command: Command) -> None:
    with up(command) as (process, client):
        assert client.get("/health").json()["sealer"] == "running"
        assert post(client, 1) == "appended"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while client.get("/checkpoints/latest").status_code != 200:
            assert time.monotonic() < deadline
        erased = client.post("/customers/C-1/erasure", json={"basis": "article 17"})
        assert len(check_certificate(erased.content).proven) == 3
        stopped(process, 15)
    told = command.run("status").stdout
    # What was posted, the erasure, and who erased.
    assert "Under a checkpoint up to  3" in " ".join(told.split(" "))
    assert command.json("verify")["sealed"] == 3


def test_sealing_that_stopped_shows_in_health(
    command: Command, database_urls: DatabaseUrls
) -> None:
    with up(command) as (process, client):
        with closing(psycopg2.connect(database_urls.owner)) as connection, connection:
            connection.cursor().execute("UPDATE seal.log SET origin = 'servicetrail/other'")
        post(client, 1)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while client.get("/health").json()["status"] == "up":
            assert time.monotonic() < deadline
        health = client.get("/health").json()
        assert health["sealer"] == "stopped"
        assert any("is sealed as servicetrail/other" in why for why in health["why"])
        stopped(process, 15)


def test_a_program_may_leave_sealing_to_others(command: Command) -> None:
    command.environment["SERVICETRAIL_SEALING"] = "false"
    with up(command) as (process, client):
        health = client.get("/health").json()
        assert (health["status"], health["sealer"]) == ("up", None)
        stopped(process, 15)


def test_the_key_is_replaced(command: Command) -> None:
    imported(command, 1)
    assert command.run("checkpoints", "rotate").returncode == 0
    imported(command, 2)
    command.run("seal")
    old, new = command.json("checkpoints", "keys")["rows"]
    assert (old["to_checkpoint"], new["from_checkpoint"], new["to_checkpoint"]) == (2, 2, None)
    assert command.json("verify")["faults"] == []
    secrets = (command.directory / "data" / "sealing.keys").read_text()
    assert [line.startswith("PRIVATE") for line in secrets.splitlines()] == [False, True]


def test_proofs_are_written_as_json(command: Command) -> None:
    imported(command, 1, 2)
    command.run("seal")
    imported(command, 3)
    command.run("seal")
    proof = json.loads(command.run("checkpoints", "prove", "--position", "2").stdout)
    assert (proof["leaf_index"], proof["tree_size"], len(proof["hashes"])) == (1, 3, 2)
    grown = json.loads(command.run("checkpoints", "prove", "--from", "2", "--to", "3").stdout)
    assert (grown["first_size"], grown["second_size"]) == (2, 3)
    for wrong in (["--position", "9"], ["--from", "2"], [], ["--from", "1", "--to", "3"]):
        assert command.run("checkpoints", "prove", *wrong).returncode == 2


def test_evidence_about_a_promise(command: Command) -> None:
    events = [promise("made", "P-1"), promise("kept", "P-1", 5)]
    command.run("import", command.write_lines("promises.jsonl", events))
    assert command.run("evidence", "--promise", "P-1", "--out", "p.zip").returncode == 0
    proven = command.json("verify", "p.zip")["proven"]
    assert "they are the first 2 about promise:P-1, none left out" in proven
    for arguments in (["--promise", "P-2"], [], ["--promise", "P-1", "--customer", "C-1"]):
        refused = command.run("evidence", *arguments, "--out", "q.zip")
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
        assert not (command.directory / "q.zip").exists()
