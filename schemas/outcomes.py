"""Why a message is rejected before any rule of the domain is asked: the reason codes.

Stable: publishers program against them. `docs/reference/outcomes.md` explains them to people.
"""

REASONS: dict[str, str] = {
    "bad_attribute": "A CloudEvents attribute has a value that it cannot have.",
    "bad_identifier": "An identifier is empty, has control characters or more than 200 characters.",
    "bad_time": "An instant or a day is not written as RFC 3339, or does not exist.",
    "contradiction": "The event contradicts itself.",
    "duplicate_key": "A JSON object has the same name twice.",
    "missing_attribute": "A CloudEvents attribute that is needed is missing.",
    "missing_field": "A required field is missing.",
    "nul_character": "Text contains a NUL character.",
    "reserved_type": "Only Servicetrail itself writes events of this type.",
    "subject_mismatch": "The subject or partition key names another than the data do.",
    "time_out_of_range": "It happened before 1970, or more than 24 hours ahead of our clock.",
    "too_large": "The message is larger than messages may be.",
    "unknown_field": "The type has no field of this name.",
    "unknown_schema": "The schema that the data were written with is not known.",
    "unknown_symbol": "The value is not one of those that the field may have.",
    "unknown_type": "There is no event type of this name and version.",
    "unreadable_avro": "The bytes are not Avro data of the schema.",
    "unreadable_json": "The bytes are not JSON.",
    "unsupported_content_type": "The content type is not one that is read.",
    "wrong_type": "The value is of another type than the field, or out of its range.",
}
