"""Reports on finished records: what they measured, as pages, tables, comparisons and gates."""
