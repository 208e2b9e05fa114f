"""What became of what was published under a source and an id."""

from urllib.parse import quote

from tests.web.conftest import Api
from tests.web.test_reading import promise, touchpoint

SOURCE = "https://shop.example/orders?a=b"


def path_of(source: str, id_: str) -> str:
    return f"/events/{quote(source, safe='')}/{quote(id_, safe='')}"


def test_an_event_is_found_by_its_name(api: Api) -> None:
    told = touchpoint(1, "C-1", "mail", "2026-03-02T09:00:00Z") | {"source": SOURCE, "id": "a/1 ü"}
    api.post([told])
    api.post([told])
    found = api.client.get(path_of(SOURCE, "a/1 ü"))
    assert found.status_code == 200, found.text
    (row,) = found.json()["rows"]
    assert (row["position"], row["outcome"], row["duplicates"]) == (1, "appended", 1)
    assert (row["source"], row["id"]) == (SOURCE, "a/1 ü")
    schema = api.client.get(f"/schemas/{row['fingerprint']}").json()
    assert schema["event_type"] == "touchpoint.recorded.v1"


def test_it_is_told_as_it_is(api: Api) -> None:
    told = touchpoint(1, "C-1", "mail", "2026-03-02T09:00:00Z") | {"source": SOURCE, "id": "a"}
    api.post([told])
    api.project()
    for path in ("/events/by-position/1", path_of(SOURCE, "a")):
        path += "?as_of=2026-04-01"
        first = api.client.get(path)
        (before,) = first.json()["rows"]
        api.post([told])
        # Nothing says that it has not changed: what came in again is in no read model.
        assert "etag" not in first.headers
        (after,) = api.client.get(path).json()["rows"]
        assert after["duplicates"] == before["duplicates"] + 1
        for unknown in ("known_at=1", "read=before"):
            refused = api.client.get(f"{path}&{unknown}")
            assert refused.status_code == 422, refused.text
            assert unknown.partition("=")[0] in refused.text


def test_whoever_wants_no_answer_if_there_is_one_gets_none(api: Api) -> None:
    api.post([touchpoint(1, "C-1", "mail", "2026-03-02T09:00:00Z")])
    api.project()
    asked = api.client.get("/events/by-position/1", headers={"If-None-Match": "*"})
    assert (asked.status_code, asked.content) == (304, b"")
    assert "etag" not in asked.headers


def test_what_waits_and_what_was_refused_is_told_too(api: Api) -> None:
    waits = promise("kept", "P-later", "C-1", "2026-03-02T09:00:00Z") | {"id": "waits"}
    broken = touchpoint(1, "C-1", "mail", "2026-03-02T09:00:00Z", direction="up") | {"id": "broken"}
    api.post([waits, broken])
    (row,) = api.client.get("/events/test/waits").json()["rows"]
    assert (row["outcome"], row["position"], row["stream"]) == ("parked", None, "promise:P-later")
    (row,) = api.client.get("/events/test/broken").json()["rows"]
    assert (row["outcome"], row["inputs"][0]["reason"]) == ("rejected", "unknown_symbol")
    kept = api.client.get(f"/dead-letters/{row['inputs'][0]['kept_id']}")
    assert kept.status_code == 200

    made = promise("made", "P-later", "C-1", "2026-03-01T09:00:00Z", statement="soon",
                   channel="mail", due_at="2026-03-06T12:00:00Z")  # fmt: skip
    api.post([made])
    (row,) = api.client.get("/events/test/waits").json()["rows"]
    assert (row["outcome"], row["position"]) == ("appended", 2)
    assert [each["state"] for each in row["inputs"]] == ["settled"]


def test_what_nobody_published_is_not_there(api: Api) -> None:
    for path in ("/events/test/nothing", "/events/a/b/c", "/schemas/0123456789abcdef"):
        assert api.client.get(path).status_code == 404
    assert api.client.get("/schemas/none").status_code == 422
