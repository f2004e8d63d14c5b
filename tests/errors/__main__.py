"""Write the page of errors anew: `python -m tests.errors`."""

from tests.errors.groups import GROUPS, PAGE
from tests.errors.table import page

PAGE.write_text(page(GROUPS))
print(f"written: {PAGE}")
