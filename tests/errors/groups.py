"""All groups of lines, in the order of the page."""

from tests.conftest import ROOT
from tests.errors import asking, data, elsewhere, judging, working
from tests.errors.table import Group

PAGE = ROOT / "docs" / "errors.md"

GROUPS: tuple[Group, ...] = (
    asking.COMMANDS,
    data.FILE,
    asking.STUDY,
    working.SIZES,
    working.RUNNING,
    elsewhere.CLUSTERS,
    elsewhere.MERGING,
    data.TASKS,
    data.DIALS,
    judging.EVIDENCE,
    judging.RECOMMEND,
    working.NETWORKS,
    working.MEMORIES,
    judging.PICTURES,
    judging.PUBLISH,
)
