"""Ways in over Kafka. They hand what they read to the ledger's intake, the one door by which events
enter.

`consumers.consumer.Consumer` is the loop, `consumers.registry.Registry` looks schemas up,
`consumers.brokers` runs a broker to try things out with.
"""
