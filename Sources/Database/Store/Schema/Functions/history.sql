-- Records of sizes, queries and progress.

CREATE OR REPLACE FUNCTION storage_sizes() RETURNS TABLE (
    tier text, rows_estimate bigint, table_bytes bigint, toast_bytes bigint, index_bytes bigint, total_bytes bigint,
    chunks int, compressed_chunks int, before_compression_bytes bigint, after_compression_bytes bigint, oldest timestamptz
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    h record;
BEGIN
    FOR h IN SELECT hypertable_name AS name, format('%I.%I', hypertable_schema, hypertable_name)::regclass AS relation
               FROM timescaledb_information.hypertables WHERE hypertable_schema = current_schema()
    LOOP
        tier := h.name;
        oldest := oldest_datum(h.name);
        IF is_community() THEN
            rows_estimate := approximate_row_count(h.relation);
            SELECT s.table_bytes, s.toast_bytes, s.index_bytes, s.total_bytes
              INTO table_bytes, toast_bytes, index_bytes, total_bytes FROM hypertable_detailed_size(h.relation) s;
            SELECT count(*), count(*) FILTER (WHERE c.is_compressed) INTO chunks, compressed_chunks
              FROM timescaledb_information.chunks c
             WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = h.name;
        ELSE
            -- The same at a quarter of the cost: without compression a hypertable is its chunks.
            SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint, count(*) FILTER (WHERE c.oid <> h.relation), 0,
                   sum(coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0)), sum(pg_indexes_size(c.oid)),
                   sum(pg_total_relation_size(c.oid))
              INTO rows_estimate, chunks, compressed_chunks, toast_bytes, index_bytes, total_bytes
              FROM pg_class c
             WHERE c.oid = h.relation OR c.oid IN (SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = h.relation);
            table_bytes := total_bytes - toast_bytes - index_bytes;
        END IF;
        before_compression_bytes := NULL;
        after_compression_bytes := NULL;
        IF is_community() AND compressed_chunks > 0 THEN
            EXECUTE 'SELECT before_compression_total_bytes, after_compression_total_bytes FROM hypertable_columnstore_stats($1)'
               INTO before_compression_bytes, after_compression_bytes USING h.relation;
        END IF;
        RETURN NEXT;
    END LOOP;
    RETURN QUERY
        SELECT c.relname::text, greatest(c.reltuples, 0)::bigint,
               pg_relation_size(c.oid), coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0)::bigint,
               pg_indexes_size(c.oid), pg_total_relation_size(c.oid), NULL::int, NULL::int, NULL::bigint, NULL::bigint,
               CASE WHEN c.relname IN ('alarm', 'command', 'quarantine', 'storage_history', 'query_history') THEN oldest_datum(c.relname) END
          FROM pg_class c
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
           AND NOT EXISTS (SELECT FROM timescaledb_information.hypertables t
                            WHERE t.hypertable_schema = current_schema() AND t.hypertable_name = c.relname);
END $$;
COMMENT ON FUNCTION storage_sizes IS 'The size of each table of the schema; columns as in storage_history, and oldest is the time of the oldest datum.';

CREATE OR REPLACE FUNCTION storage_record(p_disk_bytes bigint, p_disk_free_bytes bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(29677418481413229)
       OR EXISTS (SELECT FROM storage_history WHERE at > now() - INTERVAL '1 hour' + INTERVAL '5 seconds') THEN
        RETURN false;
    END IF;
    INSERT INTO storage_history (at, tier, rows_estimate, table_bytes, toast_bytes, index_bytes, total_bytes, chunks,
                                 compressed_chunks, before_compression_bytes, after_compression_bytes, oldest)
    SELECT now(), s.tier, s.rows_estimate, s.table_bytes, s.toast_bytes, s.index_bytes, s.total_bytes, s.chunks,
           s.compressed_chunks, s.before_compression_bytes, s.after_compression_bytes,
           CASE WHEN s.oldest IS NOT NULL THEN oldest_datum(s.tier, true) END
      FROM storage_sizes() s;
    INSERT INTO storage_history (at, tier, total_bytes, disk_bytes, disk_free_bytes)
    VALUES (now(), '(database)', pg_database_size(current_database()), p_disk_bytes,
            CASE WHEN p_disk_free_bytes IS NOT NULL THEN p_disk_free_bytes
                 WHEN p_disk_bytes IS NOT NULL THEN greatest(0, p_disk_bytes - pg_database_size(current_database())) END);
    RETURN true;
END $$;
COMMENT ON FUNCTION storage_record IS 'Writes storage_history, unless the last hour has a record; returns whether it wrote. If the free bytes of the volume are not known, they are computed as if the database were alone on it.';

CREATE OR REPLACE FUNCTION query_record() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    kcache text := 'SELECT NULL::bigint AS queryid, NULL::oid AS userid, NULL::oid AS dbid, NULL::double precision AS user_s,
                           NULL::double precision AS system_s, NULL::bigint AS read_bytes, NULL::bigint AS write_bytes WHERE false';
BEGIN
    IF NOT pg_try_advisory_xact_lock(29677418481413230) OR to_regclass('pg_stat_statements') IS NULL
       OR EXISTS (SELECT FROM query_history WHERE at > now() - INTERVAL '1 hour' + INTERVAL '5 seconds') THEN
        RETURN false;
    END IF;
    IF to_regproc('pg_stat_kcache') IS NOT NULL THEN
        kcache := 'SELECT queryid, userid, dbid, sum(exec_user_time) AS user_s, sum(exec_system_time) AS system_s,
                          sum(exec_reads)::bigint AS read_bytes, sum(exec_writes)::bigint AS write_bytes
                     FROM pg_stat_kcache() GROUP BY 1, 2, 3';
    END IF;
    BEGIN
    -- A counter that is lower than before was reset: it counts from 0.
    EXECUTE format($q$
        WITH now_at AS (
            SELECT s.queryid, coalesce(min(left(s.query, 10000)), '') AS query, sum(s.calls)::bigint AS calls, sum(s.total_exec_time) AS exec_ms,
                   sum(s.rows)::bigint AS rows, sum(s.shared_blks_hit)::bigint AS blocks_hit,
                   sum(s.shared_blks_read)::bigint AS blocks_read, sum(k.user_s) AS user_s, sum(k.system_s) AS system_s,
                   sum(k.read_bytes)::bigint AS read_bytes, sum(k.write_bytes)::bigint AS write_bytes
              FROM pg_stat_statements s LEFT JOIN (%s) k USING (queryid, userid, dbid)
             WHERE s.queryid IS NOT NULL AND s.query !~* 'password' AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
             GROUP BY 1
        ), before AS (
            SELECT n.queryid, coalesce(t.calls <= n.calls AND t.exec_ms <= n.exec_ms, false) AS holds, t.*
              FROM now_at n LEFT JOIN query_total t ON t.queryid = n.queryid
        ), written AS (
            INSERT INTO query_history (at, seconds, queryid, query, calls, exec_ms, rows, blocks_hit, blocks_read, user_s,
                                       system_s, read_bytes, write_bytes)
            SELECT now(), extract(epoch FROM now() - d.at), d.queryid, d.query, d.calls, d.exec_ms, d.rows, d.blocks_hit, d.blocks_read,
                   d.user_s, d.system_s, d.read_bytes, d.write_bytes
              FROM (
                SELECT n.queryid, n.query, b.at, n.calls - CASE WHEN b.holds THEN b.calls ELSE 0 END AS calls,
                       n.exec_ms - CASE WHEN b.holds THEN b.exec_ms ELSE 0 END AS exec_ms,
                       greatest(0, n.rows - CASE WHEN b.holds THEN b.rows ELSE 0 END) AS rows,
                       greatest(0, n.blocks_hit - CASE WHEN b.holds THEN b.blocks_hit ELSE 0 END) AS blocks_hit,
                       greatest(0, n.blocks_read - CASE WHEN b.holds THEN b.blocks_read ELSE 0 END) AS blocks_read,
                       greatest(0, n.user_s - coalesce(CASE WHEN b.holds THEN b.user_s END, 0)) AS user_s,
                       greatest(0, n.system_s - coalesce(CASE WHEN b.holds THEN b.system_s END, 0)) AS system_s,
                       greatest(0, n.read_bytes - coalesce(CASE WHEN b.holds THEN b.read_bytes END, 0)) AS read_bytes,
                       greatest(0, n.write_bytes - coalesce(CASE WHEN b.holds THEN b.write_bytes END, 0)) AS write_bytes
                  FROM now_at n JOIN (SELECT * FROM before) AS b (id, holds, queryid, at, calls, exec_ms, rows, blocks_hit, blocks_read,
                                                                  user_s, system_s, read_bytes, write_bytes) ON b.id = n.queryid
              ) d WHERE d.calls > 0 ORDER BY d.exec_ms DESC LIMIT 100
        )
        INSERT INTO query_total AS t (queryid, at, calls, exec_ms, rows, blocks_hit, blocks_read, user_s, system_s, read_bytes, write_bytes)
        SELECT queryid, now(), calls, exec_ms, rows, blocks_hit, blocks_read, user_s, system_s, read_bytes, write_bytes FROM now_at
        ON CONFLICT (queryid) DO UPDATE
        SET at = EXCLUDED.at, calls = EXCLUDED.calls, exec_ms = EXCLUDED.exec_ms, rows = EXCLUDED.rows,
            blocks_hit = EXCLUDED.blocks_hit, blocks_read = EXCLUDED.blocks_read, user_s = EXCLUDED.user_s,
            system_s = EXCLUDED.system_s, read_bytes = EXCLUDED.read_bytes, write_bytes = EXCLUDED.write_bytes
        $q$, kcache);
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'query_history is not written: %', SQLERRM;
        RETURN false;
    END;
    DELETE FROM query_total WHERE at < now() - INTERVAL '7 days';
    RETURN true;
END $$;
COMMENT ON FUNCTION query_record IS 'Writes query_history, unless the last hour has a record or pg_stat_statements is not installed; returns whether it wrote. An ordinary role sees the texts of its own queries only; texts with the word password are left out.';

CREATE OR REPLACE FUNCTION ingest_record() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(29677418481413231)
       OR EXISTS (SELECT FROM ingest_history WHERE at > now() - INTERVAL '9 seconds') THEN
        RETURN false;
    END IF;
    INSERT INTO ingest_history (at, stream, owner, epoch, incarnation, committed_offset, reached, replicas)
    SELECT now(), p.stream, CASE WHEN p.lease_until > now() THEN p.owner END, p.epoch, p.incarnation, p.committed_offset,
           nullif(p.reached, '-infinity'), (SELECT count(*) FROM ingest_replica WHERE seen_at > now() - INTERVAL '5 seconds')
      FROM ingest_partition p;
    DELETE FROM ingest_replica WHERE seen_at < now() - INTERVAL '1 day';  -- replicas that crashed
    RETURN true;
END $$;
COMMENT ON FUNCTION ingest_record IS 'Writes ingest_history, unless the last nine seconds have a record; returns whether it wrote.';
