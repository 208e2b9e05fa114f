"""The published language: one frozen Avro schema for every version of every event type.

`avro/` holds the contract itself. `codec` turns data into bytes and back, `reading` judges what
arrived, `files` and `containers` find messages in files, `compatibility` keeps new versions
readable from old bytes. Nothing outside this package knows fastavro.
"""
