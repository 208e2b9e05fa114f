"""The behaviour suites that the eventsourcing library ships, run on the ledger."""

from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.tests import persistence as suites
from eventsourcing.utils import Environment

from ledger.datastore import Datastore
from ledger.factory import Factory
from ledger.recorders import (
    AggregateRecorder,
    ApplicationRecorder,
    ProcessRecorder,
    TrackingRecorder,
)
from tests.conftest import DatabaseUrls


class OnTheLedger(TestCase):
    """Gives each test its own database, and originators names instead of UUIDs."""

    datastore: Datastore
    database_urls: DatabaseUrls

    @pytest.fixture(autouse=True)
    def _database(self, datastore: Datastore, database_urls: DatabaseUrls) -> None:
        self.datastore = datastore
        self.database_urls = database_urls

    def new_originator_id(self) -> str:
        return f"complaint:{uuid4()}"


class TestAggregateRecorder(OnTheLedger, suites.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return AggregateRecorder(self.datastore)


class TestApplicationRecorder(OnTheLedger, suites.ApplicationRecorderTestCase[ApplicationRecorder]):
    def create_recorder(self) -> ApplicationRecorder:
        return ApplicationRecorder(self.datastore)

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTrackingRecorder(OnTheLedger, suites.TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return TrackingRecorder(self.datastore)


class TestProcessRecorder(OnTheLedger, suites.ProcessRecorderTestCase):
    def create_recorder(self) -> ProcessRecorder:
        return ProcessRecorder(self.datastore)


class TestPositionsOfABatchStandTogether(
    OnTheLedger, suites.NonInterleavingNotificationIDsBaseCase
):
    def create_recorder(self) -> ApplicationRecorder:
        return ApplicationRecorder(self.datastore)


class OwnTrackingRecorder(TrackingRecorder):
    """What an application may put in place of the ledger's recorder."""


class TestFactory(suites.InfrastructureFactoryTestCase[Factory]):
    @pytest.fixture(autouse=True)
    def _environment(self, database_urls: DatabaseUrls) -> None:
        self.env = Environment(
            env={
                InfrastructureFactory.PERSISTENCE_MODULE: "ledger.factory",
                "SERVICETRAIL_DATABASE_URL": database_urls.owner,
            }
        )

    def expected_factory_class(self) -> type[Factory]:
        return Factory

    def expected_aggregate_recorder_class(self) -> type[AggregateRecorder]:
        return AggregateRecorder

    def expected_application_recorder_class(self) -> type[ApplicationRecorder]:
        return ApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        return TrackingRecorder

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        return OwnTrackingRecorder

    def expected_process_recorder_class(self) -> type[ProcessRecorder]:
        return ProcessRecorder
