"""The library of runs: every run as a record of words and numbers, found, sorted, grouped and marked. No torch.

    from vaecore.library import Query, records, sorted_by

    best = sorted_by(Query.parse("data=mnist elbo>-100").of(records()), "elbo")
"""

from vaecore.library.fields import FIELDS, NUMBERS, Field
from vaecore.library.found import Found
from vaecore.library.order import SEEDS, Group, counts, equal, equal_but_seed, equal_to, grouped, sorted_by, unlike
from vaecore.library.query import Query, QueryError, field_of
from vaecore.library.records import Record, record, records

__all__ = ["FIELDS", "NUMBERS", "SEEDS", "Field", "Found", "Group", "Query", "QueryError", "Record", "counts", "equal",
           "equal_but_seed", "equal_to", "field_of", "grouped", "record", "records", "sorted_by", "unlike"]
