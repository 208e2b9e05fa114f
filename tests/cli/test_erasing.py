"""`erase`, `hold` and `rekey` as people type them."""

import json
import os
import pwd

from tests.cli.conftest import Command
from tests.cli.events import touchpoint


def test_a_customer_is_held_then_erased_with_a_certificate(command: Command) -> None:
    command.run("import", command.write_lines("mail.jsonl", [touchpoint(0, note="Ada Lovelace")]))
    held = command.run("hold", "--customer", "C-1", "--reason", "dispute 12", "--by", "E-1")
    assert held.stdout == "Customer C-1 must not be erased; recorded at position 2\n"
    erase = ["erase", "--customer", "C-1", "--basis", "article 17", "--yes"]
    refused = command.run(*erase)
    assert refused.returncode == 2
    assert "dispute 12" in refused.stderr
    command.run("hold", "--customer", "C-1", "--reason", "settled", "--lift")
    done = command.run(*erase, "--requested-at", "2026-03-01", "--certificate", "done.json")
    assert done.stdout == "Customer C-1 was erased; the certificate is done.json\n"
    certificate = json.loads((command.directory / "done.json").read_text())
    assert certificate["position"] == 7  # who held, was refused and lifted is on record too
    assert certificate["requested_at"] == "2026-03-01T00:00:00Z"
    assert certificate["personal_events"] == 1
    verified = command.run("verify", "done.json").stdout
    assert "the data key of customer C-1 was destroyed at " in verified
    again = command.run("certificate", "--customer", "C-1").stdout
    assert json.loads(again)["proof"] == certificate["proof"]
    told = command.run("timeline", "C-1").stdout
    assert "The customer's personal data were erased: article 17" in told


def test_what_remains_of_the_same_person_is_named(command: Command) -> None:
    named = {"customer_id": "C-9", "merged_customer_id": "C-8"}
    merged = {**touchpoint(0), "type": "customer.merged.v1", "data": named}
    command.run("import", command.write_lines("crm.jsonl", [merged]))
    command.run("customer", "C-8")
    erase = ["erase", "--customer", "C-8", "--basis", "article 17", "--yes"]
    done = command.run(*erase, "--certificate", "done.json")
    assert done.stderr == "Not erased: C-9, the same person; erase each by itself\n"
    assert json.loads((command.directory / "done.json").read_text())["other_ids"] == ["C-9"]


def test_the_account_and_not_the_environment_says_who_did_it(command: Command) -> None:
    command.environment |= dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "chief-justice")
    command.run("hold", "--customer", "C-1", "--reason", "dispute 12")
    [row] = json.loads(command.run("access-log", "--json").stdout)["rows"]
    assert (row["action"], row["who"]) == ("hold_placed", pwd.getpwuid(os.getuid()).pw_name)


def test_nobody_is_erased_by_mistake(command: Command) -> None:
    refused = command.run("erase", "--customer", "C-1", "--basis", "article 17")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert command.run("hold", "--customer", "C-1", "--reason", "x", "--lift").returncode == 2
    none = command.run("certificate", "--customer", "C-1")
    assert (none.returncode, "was not erased" in none.stderr) == (2, True)


def test_a_new_master_key_takes_the_place_of_the_former_one(command: Command) -> None:
    command.run("import", command.write_lines("mail.jsonl", [touchpoint(0, note="Ada Lovelace")]))
    current = command.directory / "data" / "master.key"
    former = current.read_text()
    done = command.run("rekey", "new.key")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 data keys are wrapped by the new master key")
    assert current.read_text() == (command.directory / "new.key").read_text() != former
    assert current.with_suffix(".former").read_text() == former
    assert current.stat().st_mode & 0o077 == 0
    assert command.run("timeline", "C-1").returncode == 0
    current.write_text(former)
    assert "another master key" in command.run("timeline", "C-1").stderr
