-- Retention and compression.

CREATE OR REPLACE FUNCTION is_community() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('timescaledb.license', true), '') = 'timescale'
$$;
COMMENT ON FUNCTION is_community IS 'Whether this is TimescaleDB''s community edition, with policies and columnstore.';

CREATE OR REPLACE FUNCTION oldest_of(p_tier text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    found_at timestamptz;
BEGIN
    CASE p_tier
        WHEN 'alarm' THEN SELECT min(raised_at) INTO found_at FROM alarm WHERE cleared_at IS NOT NULL;
        WHEN 'command' THEN
            SELECT min(issued_at) INTO found_at FROM command WHERE state NOT IN ('queued', 'delivered');
        WHEN 'quarantine' THEN SELECT min(at) INTO found_at FROM quarantine;
        WHEN 'history' THEN SELECT least((SELECT min(at) FROM storage_history), (SELECT min(at) FROM query_history)) INTO found_at;
        ELSE
            SELECT min(range_end) INTO found_at FROM timescaledb_information.chunks
             WHERE hypertable_schema = current_schema() AND hypertable_name = p_tier;
    END CASE;
    RETURN found_at;
END $$;
COMMENT ON FUNCTION oldest_of IS 'The time from which the age of the oldest data of a tier counts: the row''s own time, or the end of the oldest chunk, which is dropped as a whole.';

CREATE OR REPLACE FUNCTION oldest_datum(p_tier text, p_is_read_again boolean DEFAULT false) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE
    recorded timestamptz;
    chunk    record;
    source   text := CASE WHEN p_tier IN ('location', 'sensor_log') THEN 'sensor' ELSE 'channel' END;
    datum    timestamptz;
    found_at timestamptz;
BEGIN
    CASE p_tier
        WHEN 'alarm' THEN SELECT min(raised_at) INTO found_at FROM alarm WHERE raised_at <= now();
        WHEN 'command' THEN SELECT min(issued_at) INTO found_at FROM command WHERE issued_at <= now();
        WHEN 'quarantine' THEN SELECT min(at) INTO found_at FROM quarantine WHERE at <= now();
        WHEN 'history' THEN
            found_at := least(oldest_datum('ingest_history'), oldest_datum('storage_history'), oldest_datum('query_history'));
        WHEN 'storage_history' THEN SELECT min(at) INTO found_at FROM storage_history WHERE at <= now();
        WHEN 'query_history' THEN SELECT min(at) INTO found_at FROM query_history WHERE at <= now();
        WHEN 'ingest_history' THEN SELECT min(at) INTO found_at FROM ingest_history WHERE at <= now();
        ELSE
            IF NOT p_is_read_again THEN
                SELECT h.oldest INTO recorded FROM storage_history h
                 WHERE h.tier = p_tier AND h.at > now() - INTERVAL '2 hours' ORDER BY h.at DESC LIMIT 1;
            END IF;
            -- Oldest chunk first; one may be empty.
            FOR chunk IN
                SELECT format('%I.%I', chunk_schema, chunk_name)::regclass AS relation, range_start, range_end, is_compressed
                  FROM timescaledb_information.chunks
                 WHERE hypertable_schema = current_schema() AND hypertable_name = p_tier AND range_start <= now()
                 ORDER BY range_start
            LOOP
                -- Still the oldest chunk. Earlier releases recorded its beginning.
                IF recorded > chunk.range_start AND recorded < chunk.range_end THEN
                    RETURN recorded;
                END IF;
                IF chunk.is_compressed THEN
                    EXECUTE format('SELECT min("time") FROM %I WHERE "time" >= $1 AND "time" < $2 AND "time" <= now()', p_tier)
                       INTO found_at USING chunk.range_start, chunk.range_end;
                ELSIF pg_relation_size(chunk.relation)
                      <= greatest(8e6, 800 * (SELECT reltuples FROM pg_class WHERE oid = source::regclass)) THEN
                    EXECUTE format('SELECT min("time") FROM %s WHERE "time" <= now()', chunk.relation) INTO found_at;
                ELSE
                    -- A large chunk: no index begins with time, so the one by sensor is probed for each sensor or channel,
                    -- until a datum is within a second of the chunk's beginning.
                    FOR datum IN EXECUTE format(
                        $q$
                        SELECT f."time" FROM %s s CROSS JOIN LATERAL (
                            SELECT m."time" FROM %s m WHERE m.sensor_id = s.sensor_id %s AND m."time" <= now()
                             ORDER BY m."time" LIMIT 1) f
                        $q$, source, chunk.relation, CASE source WHEN 'channel' THEN 'AND m.channel = s.channel' ELSE '' END)
                    LOOP
                        found_at := least(found_at, datum);
                        EXIT WHEN found_at < chunk.range_start + INTERVAL '1 second';
                    END LOOP;
                END IF;
                EXIT WHEN found_at IS NOT NULL;
            END LOOP;
    END CASE;
    RETURN found_at;
END $$;
COMMENT ON FUNCTION oldest_datum IS 'The time of the oldest datum of a tier, or of one of the tables of history, that is not in the future; null: there is none. For a hypertable the time that storage_record wrote in the last two hours, if that is still in the oldest chunk, unless p_is_read_again.';

CREATE OR REPLACE VIEW retention AS
    SELECT p.tier, p.keep, p.columnstore_after, p.source, oldest_datum(p.tier) AS oldest,
           greatest(INTERVAL '0', now() - p.keep - o.at) AS overdue, o.at + p.keep AS drop_at
      FROM policy p CROSS JOIN LATERAL (SELECT oldest_of(p.tier) AS at OFFSET 0) o;
COMMENT ON VIEW retention IS 'Each policy and the data that it applies to. An overdue of hours is a job that has yet to run, one of days a job that does not work.';
COMMENT ON COLUMN retention.tier IS 'As in policy.';
COMMENT ON COLUMN retention.keep IS 'As in policy.';
COMMENT ON COLUMN retention.columnstore_after IS 'As in policy.';
COMMENT ON COLUMN retention.source IS 'As in policy.';
COMMENT ON COLUMN retention.oldest IS 'The time of the oldest datum; null: there is none.';
COMMENT ON COLUMN retention.overdue IS 'For how long drop_at has been past.';
COMMENT ON COLUMN retention.drop_at IS 'When the policy lets the oldest data be dropped: a row, or a chunk as a whole; null: never.';

CREATE OR REPLACE FUNCTION retention_mark() RETURNS void LANGUAGE sql AS $$
    UPDATE policy SET gone_before = now() - keep
     WHERE gone_before < now() - keep - INTERVAL '1 minute'
$$;
COMMENT ON FUNCTION retention_mark IS 'Records that data older than their policy may be gone. The record only moves forward: a longer policy does not bring dropped data back.';

CREATE OR REPLACE FUNCTION retention_apply(p_tier text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone    timestamptz;
    dropped bigint := 0;
    more    bigint := 0;
BEGIN
    -- A policy that was shorter once does not count.
    SELECT least(gone_before, now() - keep) INTO gone FROM policy WHERE tier = p_tier AND keep IS NOT NULL;
    IF gone IS NULL OR gone = '-infinity' THEN
        RETURN 0;
    END IF;
    CASE p_tier
        WHEN 'alarm' THEN
            DELETE FROM alarm WHERE alarm_id IN (
                SELECT alarm_id FROM alarm WHERE raised_at < gone AND cleared_at < gone LIMIT 10000);
            GET DIAGNOSTICS dropped = ROW_COUNT;
        WHEN 'command' THEN
            DELETE FROM command WHERE command_id IN (
                SELECT command_id FROM command
                 WHERE issued_at < gone AND state NOT IN ('queued', 'delivered') LIMIT 10000);
            GET DIAGNOSTICS dropped = ROW_COUNT;
        WHEN 'quarantine' THEN
            DELETE FROM quarantine WHERE quarantine_id IN (
                SELECT quarantine_id FROM quarantine WHERE at < gone ORDER BY at LIMIT 10000);
            GET DIAGNOSTICS dropped = ROW_COUNT;
        WHEN 'history' THEN
            DELETE FROM storage_history WHERE at < gone;
            GET DIAGNOSTICS dropped = ROW_COUNT;
            DELETE FROM query_history WHERE at < gone;
            GET DIAGNOSTICS more = ROW_COUNT;
            dropped := dropped + more;
            IF NOT is_community() THEN
                SELECT dropped + count(*) INTO dropped FROM drop_chunks('ingest_history', older_than => gone);
            END IF;
        ELSE
            -- The community edition has a policy for it.
            IF NOT is_community() THEN
                IF p_tier = 'measurement' THEN  -- only after it is rolled up
                    SELECT least(gone, minutes_to) INTO gone FROM rollup_state;
                ELSIF p_tier = 'measurement_1m' THEN
                    SELECT least(gone, hours_to) INTO gone FROM rollup_state;
                ELSIF p_tier = 'measurement_1h' THEN
                    SELECT least(gone, days_to) INTO gone FROM rollup_state;
                END IF;
                IF gone > '-infinity' THEN
                    SELECT count(*) INTO dropped FROM drop_chunks(p_tier::regclass, older_than => gone);
                END IF;
            END IF;
    END CASE;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION retention_apply IS 'Drops data that are older than their policy: chunks on the Apache edition, rows of plain tables on both editions, 10,000 at a time; returns how many. Call it in a transaction of its own.';

CREATE OR REPLACE FUNCTION policies_apply() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    p      record;
    wanted interval;
    chunk  interval;
BEGIN
    IF NOT is_community() THEN
        RETURN;
    END IF;
    -- Frames are long: batches of 1,000 rows of 65,536 floats would take gigabytes to compress.
    IF current_setting('timescaledb.compression_batch_size_limit', true)::int > 250 THEN
        BEGIN
            EXECUTE format('ALTER DATABASE %I SET timescaledb.compression_batch_size_limit = 250', current_database());
        EXCEPTION WHEN insufficient_privilege THEN
            NULL;  -- only the database's owner may; without it compression needs more memory
        END;
    END IF;
    FOR p IN
        SELECT h.hypertable_name AS relation, y.keep, y.columnstore_after,
               (SELECT time_interval FROM timescaledb_information.dimensions d
                 WHERE d.hypertable_schema = h.hypertable_schema AND d.hypertable_name = h.hypertable_name
                   AND d.dimension_number = 1) AS chunk_interval
          FROM timescaledb_information.hypertables h
          JOIN policy y ON y.tier = CASE h.hypertable_name WHEN 'ingest_history' THEN 'history' ELSE h.hypertable_name END
         WHERE h.hypertable_schema = current_schema()
    LOOP
        SELECT (config ->> 'drop_after')::interval INTO wanted FROM timescaledb_information.jobs
         WHERE proc_name = 'policy_retention' AND hypertable_schema = current_schema() AND hypertable_name = p.relation;
        IF wanted IS DISTINCT FROM p.keep THEN
            EXECUTE format('SELECT remove_retention_policy(%L, if_exists => true)', p.relation);
            IF p.keep IS NOT NULL THEN
                EXECUTE format('SELECT add_retention_policy(%L, drop_after => %L::interval, schedule_interval => INTERVAL ''1 hour'')',
                               p.relation, p.keep);
            END IF;
        END IF;
        IF p.columnstore_after IS NOT NULL AND NOT EXISTS (
            SELECT FROM timescaledb_information.hypertables
             WHERE hypertable_schema = current_schema() AND hypertable_name = p.relation AND compression_enabled) THEN
            EXECUTE format(
                'ALTER TABLE %I SET (timescaledb.enable_columnstore, timescaledb.segmentby = %L, timescaledb.orderby = %L)',
                p.relation, CASE p.relation WHEN 'sensor_log' THEN 'sensor_id' ELSE 'sensor_id, channel' END, '"time"');
        END IF;
        SELECT (config ->> 'compress_after')::interval INTO wanted FROM timescaledb_information.jobs
         WHERE proc_name = 'policy_compression' AND hypertable_schema = current_schema() AND hypertable_name = p.relation;
        IF wanted IS DISTINCT FROM p.columnstore_after THEN
            EXECUTE format('CALL remove_columnstore_policy(%L, if_exists => true)', p.relation);
            IF p.columnstore_after IS NOT NULL THEN
                EXECUTE format('CALL add_columnstore_policy(%L, after => %L::interval)', p.relation, p.columnstore_after);
            END IF;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION policies_apply IS 'Sets the community edition''s own retention and columnstore policies to those of the table policy. Does nothing on the Apache edition, where retention_apply drops data.';
