/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of tracedisk export --to sqlite. Column by column as the inserts
 * of export-sqlite.c; tracedisk-export(1) tells users of them.
 */
#ifndef TOOLS_EXPORT_SQLITE_SCHEMA_H
#define TOOLS_EXPORT_SQLITE_SCHEMA_H

static const char export_sqlite_tables[] =
    "CREATE TABLE trace (key TEXT PRIMARY KEY, value TEXT);"
    "CREATE TABLE device (id INTEGER PRIMARY KEY, name TEXT, frontend TEXT, protocol TEXT,"
    " logical_block_size INTEGER, physical_block_size INTEGER, blocks INTEGER, hash TEXT);"
    "CREATE TABLE command (seq INTEGER PRIMARY KEY, device INTEGER, name TEXT, op TEXT,"
    " direction TEXT, lba INTEGER, blocks INTEGER, port INTEGER, tag INTEGER,"
    " submit_ns INTEGER, complete_ns INTEGER, status TEXT, bytes INTEGER, residual INTEGER,"
    " in_flight INTEGER, hash TEXT, flags TEXT, sense TEXT, ata_status INTEGER,"
    " ata_error INTEGER, raw BLOB);"
    "CREATE TABLE element (command INTEGER, n INTEGER, addr INTEGER, len INTEGER,"
    " observed INTEGER, uncertain INTEGER, PRIMARY KEY (command, n)) WITHOUT ROWID;"
    "CREATE TABLE metadata (command INTEGER, what TEXT, addr INTEGER, len INTEGER);"
    "CREATE TABLE event (seq INTEGER PRIMARY KEY, time_ns INTEGER, device INTEGER, event TEXT,"
    " port INTEGER, ref INTEGER, addr INTEGER, len INTEGER, value INTEGER, data BLOB, text TEXT);"
    "CREATE TABLE mark (seq INTEGER PRIMARY KEY, time_ns INTEGER, device INTEGER, name TEXT);"
    "CREATE TABLE missing (what TEXT, records INTEGER, \"offset\" INTEGER, bytes INTEGER,"
    " reason TEXT);";

static const char export_sqlite_indexes[] =
    "CREATE INDEX command_by_lba ON command (device, lba);"
    "CREATE INDEX command_by_time ON command (submit_ns);"
    "CREATE INDEX command_by_hash ON command (hash);"
    "CREATE INDEX element_by_addr ON element (addr);"
    "CREATE INDEX event_by_kind ON event (event);"

    /* Where each part of each payload was in guest memory. */
    "CREATE VIEW dma AS SELECT e.addr, e.addr + e.len AS \"end\", e.len, e.n,"
    " c.seq, c.device, c.name, c.op, c.direction, c.lba, c.blocks, c.status, c.submit_ns,"
    " c.complete_ns, c.hash FROM element e JOIN command c ON c.seq = e.command;"

    "CREATE VIEW latency AS SELECT *, complete_ns - submit_ns AS latency_ns FROM command"
    " WHERE complete_ns IS NOT NULL AND submit_ns IS NOT NULL;"
    "CREATE VIEW slowest AS SELECT latency_ns, seq, device, name, lba, blocks, status,"
    " in_flight FROM latency ORDER BY latency_ns DESC;"
    "CREATE VIEW errors AS SELECT seq, device, name, lba, blocks, status, sense, ata_status,"
    " ata_error, residual FROM command WHERE status IN ('error', 'aborted', 'pending');"

    /* The smallest latency that so many percent of the commands do not exceed. */
    "CREATE VIEW percentiles AS WITH ranked AS (SELECT device, op, latency_ns,"
    " row_number() OVER (PARTITION BY device, op ORDER BY latency_ns) AS r,"
    " count(*) OVER (PARTITION BY device, op) AS n FROM latency)"
    " SELECT device, op, max(n) AS commands,"
    " min(CASE WHEN r * 100 >= n * 50 THEN latency_ns END) AS p50_ns,"
    " min(CASE WHEN r * 100 >= n * 90 THEN latency_ns END) AS p90_ns,"
    " min(CASE WHEN r * 100 >= n * 99 THEN latency_ns END) AS p99_ns,"
    " max(latency_ns) AS max_ns FROM ranked GROUP BY device, op;"

    "CREATE VIEW per_second AS SELECT complete_ns / 1000000000 AS second, device, op,"
    " count(*) AS commands, sum(bytes) AS bytes FROM command WHERE complete_ns IS NOT NULL"
    " GROUP BY 1, 2, 3;"
    "CREATE VIEW sizes AS SELECT device, op, blocks, count(*) AS commands FROM command"
    " WHERE blocks IS NOT NULL GROUP BY 1, 2, 3;";

#endif
