"""The two databases: edited by SQL, as their own users would, and compared record by record."""

import csv
import io
from dataclasses import dataclass

from demo.errors import DemoError
from demo.kubectl import Kubectl
from demo.screen import Screen

_PATIENCE = "300s"  # to end rather than to hang; a start takes seconds


@dataclass(frozen=True)
class Comparison:
    """Two tables of contacts side by side; people are the same when their e-mail addresses are, but for case."""

    crm: int
    billing: int
    only_crm: int = 0
    only_billing: int = 0
    differ: int = 0  # in both, with another name or phone number

    def __str__(self) -> str:
        return (
            f"crm {self.crm:,}   billing {self.billing:,}   only in crm {self.only_crm:,}   "
            f"only in billing {self.only_billing:,}   differ {self.differ:,}"
        )


class Databases:
    """Both, in the demo's namespace."""

    def __init__(self, kubectl: Kubectl, screen: Screen) -> None:
        self._kubectl = kubectl
        self._screen = screen

    def start(self, manifest: str) -> None:
        """Create them, loaded with contacts, and wait until they answer."""
        self._kubectl.run("apply", "--filename", manifest)
        for name in ("crm", "billing"):
            self._kubectl.run("rollout", "status", f"deployment/{name}", f"--timeout={_PATIENCE}")

    def edit(self, database: str, what: str, sql: str, *, records: int) -> None:
        """Have somebody edit `records` contacts in the CRM or in billing."""
        tag = self._psql(database, sql).strip()
        if not tag.endswith(f" {records}"):
            raise DemoError(f"in {database}, {what}: expected {records} records, and psql says `{tag}`")
        self._screen.fact(f"{database}: {what}")

    def count(self, database: str, where: str) -> int:
        """How many contacts of one database satisfy a condition."""
        return int(self._psql(database, f"SELECT count(*) FROM contact WHERE {where}", "--tuples-only"))  # noqa: S608

    def compare(self) -> Comparison:
        """What both hold now."""
        crm = self._contacts("crm", "name, phone")
        billing = self._contacts("billing", "full_name, phone_no")
        return Comparison(
            crm=len(crm),
            billing=len(billing),
            only_crm=len(crm.keys() - billing.keys()),
            only_billing=len(billing.keys() - crm.keys()),
            differ=sum(crm[email] != billing[email] for email in crm.keys() & billing.keys()),
        )

    def expect(self, expected: Comparison) -> None:
        """Check and show what both hold."""
        actual = self.compare()
        if actual != expected:
            raise DemoError(f"the databases are not as expected\n  expected  {expected}\n  actual    {actual}")
        self._screen.proof(str(actual))

    def expect_count(self, database: str, where: str, expected: int, claim: str) -> None:
        """Check and show a claim about one database."""
        actual = self.count(database, where)
        if actual != expected:
            raise DemoError(f"{claim}: expected {expected:,} in {database} where {where}, and there are {actual:,}")
        self._screen.proof(claim)

    def _contacts(self, database: str, columns: str) -> dict[str, tuple[str, ...]]:
        rows = self._psql(database, f"SELECT lower(email), {columns} FROM contact", "--csv", "--tuples-only")  # noqa: S608
        records = [(row[0], tuple(row[1:])) for row in csv.reader(io.StringIO(rows))]
        contacts = dict(records)
        if len(contacts) != len(records):
            raise DemoError(f"{database} holds {len(records) - len(contacts)} people twice")
        return contacts

    def _psql(self, database: str, sql: str, *options: str) -> str:
        psql = ["psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", *options, "--command", sql]
        return self._kubectl.run("exec", f"deployment/{database}", "--", *psql)
