"""Settings, wiring, command line and embedded servers: the only room that names concrete ones."""

VERSION = "0.1.0"
