"""Erasing and holding over HTTP."""

from pathlib import Path

from audit.standalone.certificate import check_certificate
from tests.audit.sealed import KEYS, ledger
from tests.web.conftest import Api
from tests.web.test_reading import event, touchpoint

TOLD = touchpoint(1, "C/1", "mail", "2026-03-02T09:00:00Z", note="call me: Ada Lovelace")


def test_a_customer_is_erased(api: Api) -> None:
    api.post([TOLD])
    response = api.client.post("/customers/C%2F1/erasure", json={"basis": "article 17"})
    assert response.status_code == 200, response.text
    done = response.json()
    assert (done["customer_id"], done["position"], done["personal_events"]) == ("C/1", 2, 1)
    assert done["proof"] is None
    api.project()
    rows = api.client.get("/customers/C%2F1/timeline").json()["rows"]
    assert [row["type"] for row in rows] == ["touchpoint.recorded.v1", "customer.erased.v1"]


def test_what_remains_of_the_same_person_is_named(api: Api) -> None:
    api.post([event("customer.merged.v1", "2026-03-09T09:00:00Z",
                    {"customer_id": "C-9", "merged_customer_id": "C-8"})])  # fmt: skip
    unknown = api.client.post("/customers/C-8/erasure", json={"basis": "article 17"}).json()
    assert unknown["other_ids"] is None
    api.project()
    assert api.client.get("/customers/C-8/erasure").json()["other_ids"] == ["C-9"]
    done = api.client.post("/customers/C-9/erasure", json={"basis": "article 17"}).json()
    assert done["other_ids"] == []
    assert api.client.get("/customers/C-8/erasure").json()["other_ids"] == []


def test_the_certificate_is_given_again_with_its_proof(
    api: Api, database_url: str, tmp_path: Path
) -> None:
    assert api.client.get("/customers/C%2F1/erasure").status_code == 404
    api.client.post("/customers/C%2F1/erasure", json={"basis": "article 17"})
    with ledger(database_url, tmp_path / "checkpoints") as sealed:
        sealed.sealer.seal()
    certificate = api.client.get("/customers/C%2F1/erasure")
    verdict = check_certificate(certificate.content, keys=[str(KEYS.public[0])])
    assert any("the erasure of customer C/1" in each for each in verdict.proven)


def test_a_hold_refuses_it_until_it_is_lifted(api: Api) -> None:
    reason = {"reason": "dispute 12", "by": "E-1"}
    assert api.client.post("/customers/C-1/hold", json=reason).json()["position"] == 1
    refused = api.client.post("/customers/C-1/erasure", json={"basis": "article 17"})
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:servicetrail:problem:on-hold"
    assert "dispute 12" in refused.json()["detail"]
    assert api.client.post("/customers/C-1/hold/lift", json=reason).status_code == 200
    assert api.client.post("/customers/C-1/hold/lift", json=reason).status_code == 409
    assert api.client.post("/customers/C-1/erasure", json={"basis": "asked"}).status_code == 200


def test_an_erasure_needs_its_ground(api: Api) -> None:
    response = api.client.post("/customers/C-1/erasure", json={"basis": ""})
    assert response.status_code == 422
    assert response.json()["parameters"][0]["name"] == "basis"


def test_a_name_that_no_event_can_have_is_refused(api: Api) -> None:
    told = {"reason": "a lawsuit", "by": "Ada\u009b"}
    refused = api.client.post("/customers/C-1/hold", json=told)
    assert refused.status_code == 422
    assert refused.json()["detail"] == "by: an identifier has no control characters"
