"""Ways in over Kafka. They hand what they read to the ledger's intake, the one door by which events
enter.
"""
