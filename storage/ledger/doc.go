// Package ledger keeps what the archive and the register say in SQL: units,
// procedures, dossiers, results in force, documents, the queue of intakes, and
// the counters from which every figure is a sum.
//
// It runs on SQLite (one machine) and PostgreSQL (many) with one SQL text. Every
// change of what counts changes the counters in the same transaction, by
// tally.Diff(before, after); so a recount of everything, [Ledger.Recount], finds
// the same cells, and how far they differ, should they ever, stays as it is while
// others write: [Ledger.Refill] takes it off beside them.
//
// Locks are taken in one order by everybody: procedure, dossiers or results by
// key, documents, counters by key. Two writers can wait for each other and
// cannot block each other.
package ledger
