import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.migrations import migrate
from tests.audit.sealed import Ledger, ledger, sealed_days
from tests.conftest import Cluster, DatabaseUrls


@pytest.fixture
def fresh(database_url: str, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with ledger(database_url, tmp_path / "checkpoints") as opened:
        yield opened


@pytest.fixture(scope="session")
def sealed_template(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """A database with three sealed days, to be copied, and the directory of its checkpoints."""
    directory = tmp_path_factory.mktemp("sealed") / "checkpoints"
    with cluster.database() as name:
        migrate(cluster.owner_url(name))
        with ledger(cluster.program_url(name), directory) as opened:
            sealed_days(opened)
        yield name, directory


@pytest.fixture
def sealed_urls(cluster: Cluster, sealed_template: tuple[str, Path]) -> Iterator[DatabaseUrls]:
    """A copy of the sealed database."""
    with cluster.database(sealed_template[0]) as name:
        yield DatabaseUrls(cluster.owner_url(name), cluster.program_url(name))


@pytest.fixture
def checkpoints(sealed_template: tuple[str, Path], tmp_path: Path) -> Path:
    """A copy of the directory of its checkpoints."""
    return Path(shutil.copytree(sealed_template[1], tmp_path / "checkpoints"))


@pytest.fixture
def sealed(sealed_urls: DatabaseUrls, checkpoints: Path) -> Iterator[Ledger]:
    """A ledger with three sealed days."""
    with ledger(sealed_urls.program, checkpoints) as opened:
        yield opened
