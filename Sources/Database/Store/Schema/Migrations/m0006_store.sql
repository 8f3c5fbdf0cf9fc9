-- The store: rollups, charts, places, policies, and what is remembered of growth and load.

-- Statistics ----------------------------------------------------------------------------------------------------------

ALTER TABLE measurement ADD COLUMN finite int;
COMMENT ON COLUMN measurement.finite IS 'Finite samples, which min, max, mean and rms are of; null: all n.';

CREATE FUNCTION finite_samples(finite int, n int, min double precision) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN finite IS NOT NULL THEN finite WHEN min IS NULL THEN 0 ELSE n END
$$;
COMMENT ON FUNCTION finite_samples IS 'Finite samples of a row of measurement, also of rows that releases wrote which did not count them.';

CREATE FUNCTION squared(x double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN x > 1e140 THEN 'Infinity' WHEN x < 1e-140 THEN 0 ELSE x * x END
$$;
COMMENT ON FUNCTION squared IS 'The square of a number that is not negative; infinite or 0 where PostgreSQL would fail.';

CREATE FUNCTION weighted(x double precision, weight bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN weight = 0 OR abs(x) < 1e-290 THEN 0 WHEN abs(x) > 1e290 THEN sign(x) * 'Infinity' ELSE x * weight END
$$;
COMMENT ON FUNCTION weighted IS 'A mean times what it is the mean of; infinite, or 0, where PostgreSQL would fail.';

-- Rollups -------------------------------------------------------------------------------------------------------------

CREATE TABLE measurement_1m (
    "time"    timestamptz NOT NULL,
    n         bigint NOT NULL,
    finite    bigint NOT NULL,
    min       double precision,
    max       double precision,
    mean      double precision,
    rms       double precision,
    sensor_id int NOT NULL,
    channel   smallint NOT NULL
);
COMMENT ON TABLE measurement_1m IS 'What a channel''s samples come to in a UTC minute. Written when the minute has been over for two, and again when samples come late.';
CREATE TABLE measurement_1h (LIKE measurement_1m INCLUDING ALL);
COMMENT ON TABLE measurement_1h IS 'The same of an hour of setting site.timezone, written when it is over.';
CREATE TABLE measurement_1d (LIKE measurement_1m INCLUDING ALL);
COMMENT ON TABLE measurement_1d IS 'The same of a day of setting site.timezone, written when it is over.';
DO $$
DECLARE
    rollup text;
BEGIN
    FOREACH rollup IN ARRAY ARRAY['measurement_1m', 'measurement_1h', 'measurement_1d'] LOOP
        EXECUTE format('COMMENT ON COLUMN %I."time" IS ''When it begins.''', rollup);
        EXECUTE format('COMMENT ON COLUMN %I.n IS ''Samples.''', rollup);
        EXECUTE format('COMMENT ON COLUMN %I.finite IS ''Finite samples, which min, max, mean and rms are of.''', rollup);
        EXECUTE format('COMMENT ON COLUMN %I.min IS ''The smallest; null without a finite one.''', rollup);
        EXECUTE format('COMMENT ON COLUMN %I.max IS ''The largest.''', rollup);
        EXECUTE format('COMMENT ON COLUMN %I.mean IS ''The arithmetic mean.''', rollup);
        EXECUTE format('COMMENT ON COLUMN %I.rms IS ''The root mean square.''', rollup);
        EXECUTE format('COMMENT ON COLUMN %I.sensor_id IS ''The sensor (no foreign key, as in measurement).''', rollup);
        EXECUTE format('COMMENT ON COLUMN %I.channel IS ''The channel.''', rollup);
    END LOOP;
END $$;
SELECT create_hypertable('measurement_1m', by_range('time', INTERVAL '7 days'), create_default_indexes => false);
SELECT create_hypertable('measurement_1h', by_range('time', INTERVAL '90 days'), create_default_indexes => false);
SELECT create_hypertable('measurement_1d', by_range('time', INTERVAL '1000 days'), create_default_indexes => false);
CREATE INDEX measurement_1m_by_sensor ON measurement_1m (sensor_id, channel, "time");
CREATE INDEX measurement_1h_by_sensor ON measurement_1h (sensor_id, channel, "time");
CREATE INDEX measurement_1d_by_sensor ON measurement_1d (sensor_id, channel, "time");

CREATE TABLE rollup_late (
    "time"    timestamptz NOT NULL,
    n         bigint NOT NULL,
    finite    bigint NOT NULL,
    min       double precision,
    max       double precision,
    mean      double precision,
    rms       double precision,
    sensor_id int NOT NULL,
    channel   smallint NOT NULL
);
COMMENT ON TABLE rollup_late IS 'Statistics of rows that came when their minute may have been rolled up, written in the transaction that stores the rows. Added to the rollups and deleted in one transaction: each counts once.';
COMMENT ON COLUMN rollup_late."time" IS 'The row''s.';
COMMENT ON COLUMN rollup_late.n IS 'Its samples.';
COMMENT ON COLUMN rollup_late.finite IS 'Its finite samples.';
COMMENT ON COLUMN rollup_late.min IS 'As in measurement.';
COMMENT ON COLUMN rollup_late.max IS 'As in measurement.';
COMMENT ON COLUMN rollup_late.mean IS 'As in measurement.';
COMMENT ON COLUMN rollup_late.rms IS 'As in measurement.';
COMMENT ON COLUMN rollup_late.sensor_id IS 'The sensor.';
COMMENT ON COLUMN rollup_late.channel IS 'The channel.';

CREATE TABLE rollup_state (
    is_one      boolean PRIMARY KEY DEFAULT true CHECK (is_one),
    closed_to   timestamptz NOT NULL DEFAULT '-infinity',
    minutes_to  timestamptz NOT NULL DEFAULT '-infinity',
    hours_to    timestamptz NOT NULL DEFAULT '-infinity',
    days_to     timestamptz NOT NULL DEFAULT '-infinity',
    looked_at   timestamptz NOT NULL DEFAULT '-infinity',
    held_until  timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);
COMMENT ON TABLE rollup_state IS 'How far the rollups are; one row.';
COMMENT ON COLUMN rollup_state.is_one IS 'True: there is no second row.';
COMMENT ON COLUMN rollup_state.closed_to IS 'A row from before this is late: whoever stores it notes it in rollup_late.';
COMMENT ON COLUMN rollup_state.minutes_to IS 'Minutes before this are in measurement_1m.';
COMMENT ON COLUMN rollup_state.hours_to IS 'Hours before this are in measurement_1h.';
COMMENT ON COLUMN rollup_state.days_to IS 'Days before this are in measurement_1d.';
COMMENT ON COLUMN rollup_state.looked_at IS 'When somebody last looked whether minutes can be closed.';
COMMENT ON COLUMN rollup_state.held_until IS 'No minute is closed before this: something had stopped, and what it left behind would all be late.';
INSERT INTO rollup_state DEFAULT VALUES;

ALTER TABLE ingest_partition ADD COLUMN reached timestamptz;
COMMENT ON COLUMN ingest_partition.reached IS 'The broker''s stamp of the newest message that is stored; null while a release writes that does not say it.';

CREATE FUNCTION rollup_late_only() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock_shared(29677418481413228)
$$;
COMMENT ON FUNCTION rollup_late_only IS 'Until the end of the transaction no minute is closed: what rollup_state.closed_to says then holds for its rows. ("iotroll" in ASCII.)';

CREATE OR REPLACE FUNCTION ingest_commit(
    p_stream text, p_epoch bigint, p_incarnation int, p_before bigint, p_after bigint, p_fingerprint bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ingest_partition
       SET committed_offset = p_after, fingerprint = p_fingerprint, committed_at = clock_timestamp(), reached = NULL,
           lease_until = clock_timestamp() + INTERVAL '5 seconds', backend_pid = pg_backend_pid()
     WHERE stream = p_stream AND epoch = p_epoch AND incarnation = p_incarnation
       AND committed_offset IS NOT DISTINCT FROM p_before;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'partition % is not ours at offset % any more', p_stream, p_before USING ERRCODE = 'IOT01';
    END IF;
END $$;
COMMENT ON FUNCTION ingest_commit(text, bigint, int, bigint, bigint, bigint) IS 'The fence of the releases before rollups: while one of them writes, no minute is closed.';

CREATE FUNCTION ingest_commit(
    p_stream text, p_epoch bigint, p_incarnation int, p_before bigint, p_after bigint, p_fingerprint bigint,
    p_reached timestamptz, p_oldest timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ingest_partition
       SET committed_offset = p_after, fingerprint = p_fingerprint, committed_at = clock_timestamp(),
           reached = coalesce(p_reached, reached, '-infinity'),
           lease_until = clock_timestamp() + INTERVAL '5 seconds', backend_pid = pg_backend_pid()
     WHERE stream = p_stream AND epoch = p_epoch AND incarnation = p_incarnation
       AND committed_offset IS NOT DISTINCT FROM p_before;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'partition % is not ours at offset % any more', p_stream, p_before USING ERRCODE = 'IOT01';
    END IF;
    IF p_oldest IS NOT NULL THEN
        PERFORM rollup_late_only();
        IF p_oldest < (SELECT closed_to FROM rollup_state) THEN
            RAISE EXCEPTION 'rows of minutes that are closed were not noted as late' USING ERRCODE = 'IOT02';
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION ingest_commit(text, bigint, int, bigint, bigint, bigint, timestamptz, timestamptz) IS 'The fence at the end of a batch: moves the committed offset, or fails with IOT01 if somebody else holds the partition or has moved it. p_reached: the newest stamp of its messages. p_oldest: the oldest row that is not noted in rollup_late; fails with IOT02 if its minute is closed.';

CREATE FUNCTION site_zone() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce((SELECT value #>> '{}' FROM setting WHERE name = 'site.timezone'), 'UTC')
$$;
COMMENT ON FUNCTION site_zone IS 'The time zone of the installation''s hours and days.';

CREATE FUNCTION rollup_first() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT min(range_start) FROM timescaledb_information.chunks
     WHERE hypertable_schema = current_schema() AND hypertable_name = 'measurement'
$$;
COMMENT ON FUNCTION rollup_first IS 'Where the oldest chunk of measurement begins; null without one.';

CREATE FUNCTION rollup_close() RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    state rollup_state;
    goal  timestamptz := date_trunc('minute', clock_timestamp() - INTERVAL '2 minutes');
    first timestamptz;
BEGIN
    SELECT * INTO state FROM rollup_state FOR UPDATE;
    -- Whoever was away brings what is old by now. To let it come first is quicker than to add it later.
    IF state.looked_at < clock_timestamp() - INTERVAL '1 minute' OR EXISTS (
        SELECT FROM ingest_partition WHERE committed_at IS NOT NULL
           AND (lease_until IS NULL OR lease_until < clock_timestamp())) THEN
        state.held_until := clock_timestamp() + INTERVAL '30 seconds';
    END IF;
    UPDATE rollup_state SET looked_at = clock_timestamp(), held_until = state.held_until;
    IF clock_timestamp() < state.held_until
       OR EXISTS (SELECT FROM ingest_partition WHERE committed_at IS NOT NULL AND reached IS NULL) THEN
        RETURN state.closed_to;
    END IF;
    SELECT least(goal, date_trunc('minute', min(reached) - INTERVAL '2 minutes')) INTO goal
      FROM ingest_partition
     WHERE committed_at > clock_timestamp() - INTERVAL '10 seconds' AND reached > '-infinity';
    -- Waits for transactions that still go by the old value, and keeps new ones waiting meanwhile: not long. What they
    -- store is seen by what follows.
    PERFORM set_config('lock_timeout', '500ms', true);
    PERFORM pg_advisory_xact_lock(29677418481413228);
    IF state.closed_to = '-infinity' THEN
        first := rollup_first();
        IF first IS NULL THEN
            RETURN state.closed_to;
        END IF;
        UPDATE rollup_state
           SET minutes_to = first, hours_to = date_trunc('hour', first, site_zone()),
               days_to = date_trunc('day', first, site_zone());
        state.closed_to := first;
    END IF;
    goal := greatest(goal, state.closed_to);
    UPDATE rollup_state SET closed_to = goal;
    RETURN goal;
END $$;
COMMENT ON FUNCTION rollup_close IS 'Closes the minutes that have been over for two, and says to where they are closed. Call it in a transaction of its own. Nothing is closed while a partition has no owner, catches up from further back, or is written by an older release. Fails with 55P03 if a batch takes longer than half a second: try again.';

CREATE FUNCTION rollup_sums() RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'sum(n)::bigint AS n, sum(finite)::bigint AS finite, min(min) AS min, max(max) AS max,
            sum(weighted(mean, finite)) FILTER (WHERE finite > 0) / sum(finite) FILTER (WHERE finite > 0) AS mean,
            sqrt(sum(squared(rms) * finite) FILTER (WHERE finite > 0) / sum(finite) FILTER (WHERE finite > 0)) AS rms'
$$;
COMMENT ON FUNCTION rollup_sums IS 'SQL: what rows with n, finite, min, max, mean and rms come to together.';

CREATE FUNCTION rollup_minutes() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    state rollup_state;
    until timestamptz;
BEGIN
    SELECT * INTO state FROM rollup_state FOR UPDATE;
    IF state.minutes_to >= state.closed_to OR state.minutes_to = '-infinity' THEN
        RETURN false;
    END IF;
    -- Years without a chunk are passed over at once.
    SELECT least(state.closed_to, coalesce(min(range_start), state.closed_to)) INTO until
      FROM timescaledb_information.chunks
     WHERE hypertable_schema = current_schema() AND hypertable_name = 'measurement' AND range_end > state.minutes_to;
    IF until > state.minutes_to THEN
        UPDATE rollup_state SET minutes_to = until;
        RETURN true;
    END IF;
    until := least(state.closed_to, state.minutes_to + INTERVAL '1 hour');
    -- One statement: of rows that came late it sees those whose notes it deletes, and no others.
    EXECUTE format($q$
        WITH noted AS (
            DELETE FROM rollup_late WHERE "time" >= $1 AND "time" < $2
        )
        INSERT INTO measurement_1m ("time", n, finite, min, max, mean, rms, sensor_id, channel)
        SELECT r.*, l.sensor_id, l.channel
          FROM latest l CROSS JOIN LATERAL (
            SELECT date_trunc('minute', m."time"), %s
              FROM (SELECT i."time", i.n, finite_samples(i.finite, i.n, i.min)::bigint AS finite, i.min, i.max, i.mean, i.rms
                      FROM measurement i
                     WHERE i.sensor_id = l.sensor_id AND i.channel = l.channel AND i."time" >= $1 AND i."time" < $2) m
             GROUP BY 1) r
        $q$, rollup_sums()) USING state.minutes_to, until;
    UPDATE rollup_state SET minutes_to = until;
    RETURN true;
END $$;
COMMENT ON FUNCTION rollup_minutes IS 'Rolls closed minutes up, an hour at most, and says whether there were any. Call it in a transaction of its own, at READ COMMITTED.';

CREATE FUNCTION rollup_longer(p_unit text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    state rollup_state;
    is_hour boolean := p_unit = 'hour';
    source  text := CASE WHEN p_unit = 'hour' THEN 'measurement_1m' ELSE 'measurement_1h' END;
    ready   timestamptz;
    since   timestamptz;
    until   timestamptz;
BEGIN
    SELECT * INTO state FROM rollup_state FOR UPDATE;
    since := CASE WHEN is_hour THEN state.hours_to ELSE state.days_to END;
    ready := CASE WHEN is_hour THEN state.minutes_to ELSE state.hours_to END;
    IF since = '-infinity' THEN
        RETURN false;
    END IF;
    -- Years without a chunk are passed over at once.
    SELECT date_trunc(p_unit, least(ready, coalesce(min(range_start), ready)), site_zone()) INTO until
      FROM timescaledb_information.chunks
     WHERE hypertable_schema = current_schema() AND hypertable_name = source AND range_end > since;
    IF until > since THEN
        UPDATE rollup_state SET hours_to = CASE WHEN is_hour THEN until ELSE hours_to END,
                                days_to = CASE WHEN is_hour THEN days_to ELSE until END;
        RETURN true;
    END IF;
    -- A day of clock changes has 23 or 25 hours.
    until := date_trunc(p_unit, since + CASE WHEN is_hour THEN INTERVAL '1 hour' ELSE INTERVAL '36 hours' END, site_zone());
    IF until > ready THEN
        RETURN false;
    END IF;
    EXECUTE format($q$
        INSERT INTO %I ("time", n, finite, min, max, mean, rms, sensor_id, channel)
        SELECT $1, r.*, l.sensor_id, l.channel
          FROM latest l CROSS JOIN LATERAL (
            SELECT %s FROM %I m
             WHERE m.sensor_id = l.sensor_id AND m.channel = l.channel AND m."time" >= $1 AND m."time" < $2
            HAVING count(*) > 0) r
        $q$, CASE WHEN is_hour THEN 'measurement_1h' ELSE 'measurement_1d' END, rollup_sums(), source)
    USING since, until;
    UPDATE rollup_state SET hours_to = CASE WHEN is_hour THEN until ELSE hours_to END,
                            days_to = CASE WHEN is_hour THEN days_to ELSE until END;
    RETURN true;
END $$;
COMMENT ON FUNCTION rollup_longer IS 'Rolls the next hour up from its minutes, or the next day from its hours, if it is over, and says whether it was. Call it in a transaction of its own.';

-- Compressed rollups are changed a sensor's batch at a time; the limit is against doing that to a whole table.
CREATE FUNCTION rollup_late_rows() RETURNS bigint LANGUAGE plpgsql
SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0 AS $$
DECLARE
    state rollup_state;
    due   rollup_late[];
    tier  record;
BEGIN
    SELECT * INTO state FROM rollup_state FOR UPDATE;
    WITH taken AS (
        DELETE FROM rollup_late
         WHERE ctid = ANY (ARRAY(SELECT ctid FROM rollup_late WHERE "time" < state.minutes_to LIMIT 20000))
        RETURNING *
    )
    SELECT array_agg(t::rollup_late) INTO due FROM taken t;
    IF due IS NULL THEN
        RETURN 0;
    END IF;
    FOR tier IN
        SELECT u.*, p.gone_before FROM (VALUES
            ('measurement_1m', 'minute', state.minutes_to), ('measurement_1h', 'hour', state.hours_to),
            ('measurement_1d', 'day', state.days_to)) AS u(rollup, unit, done_to) JOIN policy p ON p.tier = u.rollup
    LOOP
        EXECUTE format($q$
            WITH fresh AS (
                SELECT f.* FROM (
                    SELECT date_trunc(%1$L, d."time", site_zone()) AS at, d.n, d.finite, d.min, d.max, d.mean, d.rms,
                           d.sensor_id, d.channel
                      FROM unnest($1) d WHERE d."time" < $2) f
                 WHERE f.at >= $3
            ), old AS (
                DELETE FROM %2$I m USING (SELECT DISTINCT at, sensor_id, channel FROM fresh) f
                 WHERE m.sensor_id = ANY ($6) AND m.sensor_id = f.sensor_id AND m.channel = f.channel AND m."time" = f.at AND m."time" >= $4 AND m."time" <= $5
                RETURNING m."time", m.n, m.finite, m.min, m.max, m.mean, m.rms, m.sensor_id, m.channel
            )
            INSERT INTO %2$I ("time", sensor_id, channel, n, finite, min, max, mean, rms)
            SELECT at, sensor_id, channel, %3$s FROM (SELECT * FROM fresh UNION ALL SELECT * FROM old) u
             GROUP BY at, sensor_id, channel
            $q$, tier.unit, tier.rollup, rollup_sums())
        USING due, tier.done_to, tier.gone_before,
              (SELECT date_trunc(tier.unit, min(d."time"), site_zone()) FROM unnest(due) d), (SELECT max(date_trunc(tier.unit, d."time", site_zone())) FROM unnest(due) d),
              -- Only a parameter is looked up in what is compressed; a join would open all of it.
              (SELECT array_agg(DISTINCT d.sensor_id) FROM unnest(due) d);
    END LOOP;
    RETURN cardinality(due);
END $$;
COMMENT ON FUNCTION rollup_late_rows IS 'Adds what came late to the rollups that are made, 20,000 rows at most, and says how many. Call it in a transaction of its own.';

DO $$
DECLARE
    v record;
BEGIN
    FOR v IN SELECT * FROM (VALUES ('measurement_1w', 'week'), ('measurement_1mo', 'month')) AS t(name, unit) LOOP
        EXECUTE format('CREATE VIEW %I AS SELECT date_trunc(%L, d."time", site_zone()) AS "time", sensor_id, channel, %s
                          FROM measurement_1d d GROUP BY 1, 2, 3', v.name, v.unit, rollup_sums());
    END LOOP;
END $$;
COMMENT ON VIEW measurement_1w IS 'The same of a week, from Monday on, as far as its days are over.';
COMMENT ON VIEW measurement_1mo IS 'The same of a month, as far as its days are over.';

CREATE FUNCTION rollup_note(
    p_sensor int[], p_channel smallint[], p_time timestamptz[], p_n bigint[], p_finite bigint[],
    p_min double precision[], p_max double precision[], p_mean double precision[], p_rms double precision[]
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO rollup_late (sensor_id, channel, "time", n, finite, min, max, mean, rms)
    SELECT * FROM unnest(p_sensor, p_channel, p_time, p_n, p_finite, p_min, p_max, p_mean, p_rms)
$$;
COMMENT ON FUNCTION rollup_note IS 'Notes rows of measurement as late, in the transaction that stores them. Too many may be noted, never too few: notes of minutes that are not rolled up yet go when they are.';

-- Policies ------------------------------------------------------------------------------------------------------------

CREATE TABLE policy (
    tier              text PRIMARY KEY CHECK (tier IN (
        'measurement', 'measurement_1m', 'measurement_1h', 'measurement_1d', 'location', 'sensor_log', 'alarm', 'command',
        'quarantine', 'history')),
    keep              interval CHECK (keep BETWEEN INTERVAL '1 hour' AND INTERVAL '1000 years'),
    columnstore_after interval CHECK (columnstore_after BETWEEN INTERVAL '1 hour' AND INTERVAL '1000 years'),
    source            text NOT NULL DEFAULT 'default' CHECK (source IN ('default', 'configuration', 'iotctl')),
    gone_before       timestamptz NOT NULL DEFAULT '-infinity',
    CHECK (columnstore_after IS NULL
           OR tier IN ('measurement', 'measurement_1m', 'measurement_1h', 'measurement_1d', 'sensor_log'))
);
COMMENT ON TABLE policy IS 'How long what is kept, and when it is compressed: the one place where this is set.';
COMMENT ON COLUMN policy.tier IS 'A table; history: ingest_history, storage_history and query_history.';
COMMENT ON COLUMN policy.keep IS 'How long; null: for ever.';
COMMENT ON COLUMN policy.columnstore_after IS 'Age at which a chunk is compressed, on the community edition; null: never.';
COMMENT ON COLUMN policy.source IS 'Who said so: default; configuration: that of sensor-registry; iotctl.';
COMMENT ON COLUMN policy.gone_before IS 'What is older may have been dropped: charts do not look for it there, late rows are not added to it.';
INSERT INTO policy (tier, keep, columnstore_after) VALUES
    ('measurement', '90 days', '8 days'), ('measurement_1m', '730 days', '14 days'),
    ('measurement_1h', '3650 days', '180 days'), ('measurement_1d', NULL, NULL), ('location', '730 days', NULL),
    ('sensor_log', '90 days', '8 days'), ('alarm', '3650 days', NULL), ('command', '365 days', NULL),
    ('quarantine', '90 days', NULL), ('history', '90 days', NULL);

-- Charts --------------------------------------------------------------------------------------------------------------

CREATE FUNCTION channel_number(p_serial text, p_channel text) RETURNS TABLE (sensor_id int, channel smallint)
LANGUAGE sql STABLE AS $$
    SELECT s.sensor_id,
           coalesce((SELECT c.channel FROM channel c WHERE c.sensor_id = s.sensor_id AND c.name = p_channel),
                    CASE WHEN p_channel ~ '^[0-9]{1,5}$'
                         THEN CASE WHEN p_channel::int <= 32767 THEN p_channel::smallint END END)
      FROM sensor s WHERE s.serial = p_serial
$$;
COMMENT ON FUNCTION channel_number IS 'The numbers of a sensor by its serial, and of its channel by name or number.';

CREATE FUNCTION row_end(start timestamptz, n int, sample_rate_hz double precision) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT start + CASE WHEN sample_rate_hz > 0 THEN (n - 1) / sample_rate_hz * INTERVAL '1 second' ELSE INTERVAL '0' END
           + INTERVAL '2 us'
$$;
COMMENT ON FUNCTION row_end IS 'Just after the last sample of a row of measurement was taken.';

CREATE OR REPLACE FUNCTION samples(p_serial text, p_channel text, p_from timestamptz, p_to timestamptz)
RETURNS TABLE ("time" timestamptz, unix_ns bigint, value double precision)
LANGUAGE sql STABLE AS $$
    SELECT to_timestamp(0) + (s.unix_ns / 1000) * INTERVAL '1 microsecond', s.unix_ns, s.value
      FROM (
        SELECT k.start_ns + CASE WHEN k.k = 0 THEN 0 ELSE round(k.k / k.sample_rate_hz * 1e9)::bigint END AS unix_ns,
               CASE WHEN k.count IS NOT NULL THEN k.count_offset + k.count_scale * k.count
                    WHEN k.sample IS NOT NULL THEN k.sample::double precision
                    ELSE k.mean END AS value
          FROM (
            SELECT (extract(epoch FROM r."time") * 1000000)::bigint * 1000 + r.time_ns AS start_ns,
                   r.sample_rate_hz, r.mean, r.count_scale, r.count_offset,
                   generate_series(0, r.n - 1) AS k, unnest(r.counts) AS count, unnest(r.samples) AS sample
              FROM measurement r
              JOIN (SELECT * FROM channel_number(p_serial, p_channel)) c
                ON c.sensor_id = r.sensor_id AND c.channel = r.channel
             WHERE r."time" >= greatest(p_from, '1677-09-21 00:12:44 UTC') - INTERVAL '60 seconds' AND r."time" < p_to
               AND row_end(r."time", r.n, r.sample_rate_hz) >= p_from
          ) k OFFSET 0
      ) s
     WHERE s.unix_ns >= (extract(epoch FROM greatest(p_from, '1677-09-21 00:12:44 UTC')) * 1000000)::bigint * 1000
       AND s.unix_ns < (extract(epoch FROM least(p_to, '2262-04-11 23:47:16 UTC')) * 1000000)::bigint * 1000
     ORDER BY s.unix_ns
$$;

CREATE FUNCTION chart(
    p_serial text, p_channel text, p_from timestamptz, p_to timestamptz, p_max_points int DEFAULT 1000
) RETURNS TABLE ("time" timestamptz, min double precision, mean double precision, max double precision,
                 rms double precision, n bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    v_sensor  int;
    v_channel smallint;
    v_from    timestamptz := greatest(p_from, '1970-01-01 UTC');
    v_to      timestamptz := least(p_to, now() + INTERVAL '1 day');
    points    int := least(greatest(coalesce(p_max_points, 1000), 1), 10000);
    width     double precision;
    zone      text := site_zone();
    done      rollup_state;
    unit      int;
    gone      timestamptz[];
    row_count bigint;
    sample_count bigint;
    m0 timestamptz; m1 timestamptz; h0 timestamptz; h1 timestamptz; d0 timestamptz; d1 timestamptz;
    is_cut    boolean := false;
    piece     record;
    cuts      text := '';
    wholes    text := '';
BEGIN
    SELECT c.sensor_id, c.channel INTO v_sensor, v_channel FROM channel_number(p_serial, p_channel) c;
    IF v_sensor IS NULL OR v_to <= v_from THEN
        RETURN;
    END IF;
    SELECT * INTO done FROM rollup_state;
    width := extract(epoch FROM v_to - v_from) / points;
    -- The coarsest source that still gives a quarter of the points: 0 rows, 1 minutes, 2 hours, 3 days.
    unit := CASE WHEN width >= 21600 THEN 3 WHEN width >= 900 THEN 2 WHEN width >= 15 THEN 1 ELSE 0 END;
    -- And none that does not reach back as far.
    SELECT array_agg((SELECT p.gone_before FROM policy p WHERE p.tier = t) ORDER BY i) INTO gone
      FROM unnest(ARRAY['measurement', 'measurement_1m', 'measurement_1h']) WITH ORDINALITY AS u(t, i);
    WHILE unit < 3 AND v_from < gone[unit + 1] LOOP
        unit := unit + 1;
    END LOOP;
    -- Days [d0, d1), around them hours [h0, h1), around them minutes [m0, m1), and rows at the ends.
    m0 := v_to; m1 := v_to;
    IF unit >= 1 THEN
        m0 := date_trunc('minute', v_from + INTERVAL '59.999999 s');
        m1 := date_trunc('minute', least(v_to, done.minutes_to));
        IF m1 <= m0 THEN
            m0 := v_to; m1 := v_to;
        END IF;
    END IF;
    h0 := m1; h1 := m1;
    IF unit >= 2 THEN
        h0 := date_trunc('hour', m0 + INTERVAL '59 min 59.999999 s', zone);
        h1 := date_trunc('hour', least(m1, done.hours_to), zone);
        IF h1 <= h0 THEN
            h0 := m1; h1 := m1;
        END IF;
    END IF;
    d0 := h1; d1 := h1;
    IF unit >= 3 THEN
        d0 := date_trunc('day', h0, zone);
        IF d0 < h0 THEN
            d0 := date_trunc('day', d0 + INTERVAL '36 hours', zone);
        END IF;
        d1 := date_trunc('day', least(h1, done.days_to), zone);
        IF d1 <= d0 THEN
            d0 := h1; d1 := h1;
        END IF;
    END IF;
    -- Where rows alone would be too coarse they are cut into the buckets; otherwise only where the range cuts them.
    IF unit = 0 THEN
        EXECUTE $q$
            SELECT count(*), sum(r.n) FROM (
                SELECT m.n FROM measurement m
                 WHERE m.sensor_id = $1 AND m.channel = $2 AND m."time" >= $3 - INTERVAL '60 s' AND m."time" < $4
                   AND row_end(m."time", m.n, m.sample_rate_hz) >= $3 LIMIT $5) r
            $q$ INTO row_count, sample_count USING v_sensor, v_channel, v_from, v_to, points / 4 + 1;
        IF row_count <= points / 4 AND sample_count <= 500000 THEN
            is_cut := true;
        END IF;
    END IF;
    FOR piece IN SELECT * FROM (VALUES
        ('measurement', v_from, m0), ('measurement_1m', m0, h0), ('measurement_1h', h0, d0), ('measurement_1d', d0, d1),
        ('measurement_1h', d1, h1), ('measurement_1m', h1, m1), ('measurement', m1, v_to)) AS p(source, first, until)
        WHERE first < until
    LOOP
        wholes := wholes || format(
            $q$ UNION ALL
            SELECT floor(date_part('epoch', m."time" - $3) / $8), m."time", m.n, %s, m.min, m.max, m.mean, m.rms FROM %I m
             WHERE m.sensor_id = $1 AND m.channel = $2 AND m."time" >= %L AND m."time" < %L %s
            $q$,
            CASE piece.source WHEN 'measurement' THEN 'finite_samples(m.finite, m.n, m.min)' ELSE 'm.finite' END,
            piece.source, piece.first, piece.until,
            CASE piece.source WHEN 'measurement'
                 THEN 'AND NOT $7 AND row_end(m."time", m.n, m.sample_rate_hz) < $4' ELSE '' END);
    END LOOP;
    -- Rows that the range cuts, at its two ends; or all that touch it.
    FOR piece IN SELECT * FROM (VALUES
        (v_from - INTERVAL '60 s', CASE WHEN is_cut THEN v_to ELSE v_from END),
        (greatest(v_to - INTERVAL '60 s', CASE WHEN m0 < v_to THEN m1 ELSE v_from END),
         CASE WHEN NOT is_cut THEN v_to END)) AS p(first, until)
        WHERE until IS NOT NULL
    LOOP
        cuts := cuts || CASE cuts WHEN '' THEN '(' ELSE ' UNION ALL (' END || format(
            $q$
            SELECT m."time", date_part('epoch', m."time" - $3) * 1e9 + m.time_ns AS start_ns,
                   coalesce(1e9 / nullif(m.sample_rate_hz, 0), 1e9) AS step_ns, m.n, m.mean,
                   CASE WHEN m.counts IS NOT NULL THEN m.counts || '{}'::smallint[] END AS counts,
                   CASE WHEN m.samples IS NOT NULL THEN m.samples || '{}'::real[] END AS samples,
                   m.count_scale, m.count_offset
              FROM measurement m
             WHERE m.sensor_id = $1 AND m.channel = $2 AND m."time" >= %L AND m."time" < %L
               AND row_end(m."time", m.n, m.sample_rate_hz) >= $3
               AND ($7 OR m."time" < $3 OR row_end(m."time", m.n, m.sample_rate_hz) >= $4)
            OFFSET 0)
            $q$, piece.first, piece.until);
    END LOOP;
    RETURN QUERY EXECUTE $q$
        WITH part AS (
            $q$ || cuts || $q$
        ), slice AS (
            SELECT p.*, k.first, k.last, b.b, greatest($3, p."time" + k.first * p.step_ns / 1e3 * INTERVAL '1 us') AS at
              FROM part p
             CROSS JOIN LATERAL generate_series(
                    greatest(0, floor(p.start_ns / $6))::int,
                    least(ceil($5 / $6) - 1, greatest(0, floor((p.start_ns + (p.n - 1) * p.step_ns) / $6)))::int) AS b(b)
             CROSS JOIN LATERAL (
                SELECT greatest(0, ceil((b.b * $6 - p.start_ns - 0.5) / p.step_ns))::int AS first,
                       least(p.n, ceil((least((b.b + 1) * $6, $5) - p.start_ns - 0.5) / p.step_ns))::int AS last) k
             WHERE k.first < k.last
        ), unit AS (
            SELECT CASE WHEN $7 THEN s.b ELSE floor(date_part('epoch', s.at - $3) / $8) END AS bucket,
                   s.at, (s.last - s.first)::bigint AS n, coalesce(c.finite, f.finite, v.finite) AS finite,
                   coalesce(c.min, f.min, v.value) AS min, coalesce(c.max, f.max, v.value) AS max,
                   coalesce(c.mean, f.mean, v.value) AS mean, coalesce(c.rms, f.rms, abs(v.value)) AS rms
              FROM slice s
              LEFT JOIN LATERAL (
                SELECT count(*) AS finite, s.count_offset + s.count_scale * avg(x) AS mean,
                       s.count_offset + s.count_scale * CASE WHEN s.count_scale < 0 THEN max(x) ELSE min(x) END AS min,
                       s.count_offset + s.count_scale * CASE WHEN s.count_scale < 0 THEN min(x) ELSE max(x) END AS max,
                       CASE WHEN greatest(abs(s.count_scale), abs(s.count_offset)) > 1e130 THEN 'Infinity'
                            ELSE sqrt(greatest(0, squared(abs(s.count_scale)) * (sum(x::int * x) / count(*)::double precision)
                            + 2 * s.count_scale * s.count_offset * avg(x) + squared(abs(s.count_offset)))) END AS rms
                  FROM unnest(s.counts[s.first + 1 : s.last]) x) c ON s.counts IS NOT NULL
              LEFT JOIN LATERAL (
                SELECT count(y.x) AS finite, avg(y.x) AS mean, min(y.x) AS min, max(y.x) AS max,
                       sqrt(avg(y.x * y.x)) AS rms
                  FROM (SELECT CASE WHEN x - x = 0 THEN x::double precision END AS x
                          FROM unnest(s.samples[s.first + 1 : s.last]) x) y) f ON s.samples IS NOT NULL
              LEFT JOIN LATERAL (
                SELECT CASE WHEN s.mean - s.mean = 0 THEN s.mean END AS value, (s.mean - s.mean = 0)::int::bigint AS finite)
                v ON s.counts IS NULL AND s.samples IS NULL
            $q$ || wholes || $q$
        )
        SELECT u.at, u.min, u.mean, u.max, u.rms, u.n
          FROM (SELECT min(at) AS at, $q$ || rollup_sums() || $q$ FROM unit GROUP BY bucket) u ORDER BY 1
        $q$
        USING v_sensor, v_channel, v_from, v_to, date_part('epoch', v_to - v_from) * 1e9,
              CASE WHEN is_cut THEN width ELSE date_part('epoch', v_to - v_from) END * 1e9, is_cut, width;
END $$;
COMMENT ON FUNCTION chart IS 'A channel (by name or number) from p_from to before p_to in at most p_max_points buckets, from samples, rows, minutes, hours or days, whichever is coarsest and still true: what a source has in one piece counts where it begins, time is when the first of a bucket began, and nothing from outside the range is in it. Where only rollups are left, the parts of them that the range cuts off are left out.';

CREATE FUNCTION spectrum(p_serial text, p_channel text, p_at timestamptz DEFAULT now(), p_n int DEFAULT 4096)
RETURNS TABLE (frequency_hz double precision, amplitude double precision)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    numbers record;
    newest  record;
    rate    double precision;
    until   timestamptz;
    x       double precision[];
    ns      bigint[];
    centre  double precision;
    half    int := p_n / 2;
    re      double precision[];
    im      double precision[];
    c       double precision[];
    s       double precision[];
    j       int := 0;
    bit     int;
    len     int := 2;
    mid     int;
    stride  int;
    a       int;
    b       int;
    t       int;
    tr      double precision;
    ti      double precision;
    er      double precision;
    ei      double precision;
BEGIN
    IF p_n IS NULL OR p_n < 2 OR p_n > 65536 OR p_n & (p_n - 1) <> 0 THEN
        RAISE EXCEPTION 'a spectrum is of a power of two of samples, 2 to 65536, not of %', p_n USING ERRCODE = '22023';
    END IF;
    SELECT * INTO numbers FROM channel_number(p_serial, p_channel);
    SELECT m."time", m.n, m.sample_rate_hz INTO newest FROM measurement m
     WHERE m.sensor_id = numbers.sensor_id AND m.channel = numbers.channel AND m."time" < p_at
     ORDER BY m."time" DESC LIMIT 1;
    rate := newest.sample_rate_hz;
    IF rate IS NULL OR rate <= 0 THEN
        RETURN;
    END IF;
    until := least(p_at, row_end(newest."time", newest.n, rate) + INTERVAL '2 us');
    SELECT array_agg(v.value ORDER BY v.unix_ns), array_agg(v.unix_ns ORDER BY v.unix_ns) INTO x, ns FROM (
        SELECT q.value, q.unix_ns FROM samples(p_serial, p_channel, until - (p_n + 2) / rate * INTERVAL '1 s', until) q
         ORDER BY q.unix_ns DESC LIMIT p_n) v;
    -- Consecutive, at one rate, and finite: n samples take n - 1 steps.
    IF coalesce(cardinality(x), 0) < p_n OR abs((ns[p_n] - ns[1]) * rate / 1e9 - (p_n - 1)) > 0.5
       OR EXISTS (SELECT FROM unnest(x) v WHERE v - v <> 0) THEN
        RETURN;
    END IF;
    -- Hann window, whose mean is a half; the mean of the samples is taken off before and given as frequency 0.
    SELECT avg(v) INTO centre FROM unnest(x) v;
    x := ARRAY(SELECT (v - centre) * (0.5 - 0.5 * cos(2 * pi() * (k - 1) / p_n)) FROM unnest(x) WITH ORDINALITY AS u(v, k));
    -- The transform of n real numbers is that of n / 2 complex ones: those of even place are the real parts.
    c := ARRAY(SELECT cos(2 * pi() * k / p_n) FROM generate_series(0, half) k);
    s := ARRAY(SELECT -sin(2 * pi() * k / p_n) FROM generate_series(0, half) k);
    re := array_fill(0.0::double precision, ARRAY[half]);
    im := re;
    FOR i IN 0 .. half - 1 LOOP  -- in bit-reversed order
        re[j + 1] := x[2 * i + 1];
        im[j + 1] := x[2 * i + 2];
        bit := half >> 1;
        WHILE bit > 0 AND j & bit <> 0 LOOP
            j := j - bit;
            bit := bit >> 1;
        END LOOP;
        j := j + bit;
    END LOOP;
    WHILE len <= half LOOP  -- Cooley and Tukey, radix 2
        mid := len / 2;
        stride := p_n / len;
        FOR k IN 0 .. mid - 1 LOOP
            er := c[k * stride + 1];
            ei := s[k * stride + 1];
            a := k + 1;
            WHILE a <= half LOOP
                b := a + mid;
                tr := er * re[b] - ei * im[b];
                ti := er * im[b] + ei * re[b];
                re[b] := re[a] - tr;
                im[b] := im[a] - ti;
                re[a] := re[a] + tr;
                im[a] := im[a] + ti;
                a := a + len;
            END LOOP;
        END LOOP;
        len := len * 2;
    END LOOP;
    frequency_hz := 0;
    amplitude := abs(centre);
    RETURN NEXT;
    FOR k IN 1 .. half LOOP
        a := k % half + 1;
        b := (half - k) % half + 1;
        er := (re[a] + re[b]) / 2;
        ei := (im[a] - im[b]) / 2;
        tr := (im[a] + im[b]) / 2;
        ti := (re[b] - re[a]) / 2;
        frequency_hz := k * rate / p_n;
        -- Twice over the samples for the negative frequencies, twice for the window; but n / 2 has no negative.
        amplitude := sqrt((er + c[k + 1] * tr - s[k + 1] * ti) ^ 2 + (ei + c[k + 1] * ti + s[k + 1] * tr) ^ 2)
                     * CASE WHEN k = half THEN 2 ELSE 4 END / p_n;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION spectrum IS 'Amplitude spectrum of the p_n consecutive samples of a channel (by name or number) that end before p_at; p_n is a power of two, 2 to 65,536. Hann window; a sine between two frequencies shows up to 15 % low. No rows where there are no such samples.';

-- Places and fleets -----------------------------------------------------------------------------------------------------

CREATE TABLE place (
    "time"    timestamptz NOT NULL,
    latitude  double precision NOT NULL,
    longitude double precision NOT NULL,
    altitude  double precision NOT NULL,
    sensor_id int PRIMARY KEY REFERENCES sensor ON DELETE CASCADE
) WITH (fillfactor = 50);
COMMENT ON TABLE place IS 'Where a sensor is: its newest row of location.';
COMMENT ON COLUMN place."time" IS 'Since when.';
COMMENT ON COLUMN place.latitude IS 'Degrees, WGS 84.';
COMMENT ON COLUMN place.longitude IS 'Degrees, WGS 84.';
COMMENT ON COLUMN place.altitude IS 'Metres above mean sea level.';
COMMENT ON COLUMN place.sensor_id IS 'The sensor.';
INSERT INTO place
SELECT DISTINCT ON (l.sensor_id) l."time", l.latitude, l.longitude, l.altitude, l.sensor_id
  FROM location l JOIN sensor USING (sensor_id) ORDER BY l.sensor_id, l."time" DESC;

CREATE FUNCTION location_is_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO place AS p ("time", latitude, longitude, altitude, sensor_id)
    SELECT NEW."time", NEW.latitude, NEW.longitude, NEW.altitude, s.sensor_id FROM sensor s WHERE s.sensor_id = NEW.sensor_id
    ON CONFLICT (sensor_id) DO UPDATE
    SET "time" = EXCLUDED."time", latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude, altitude = EXCLUDED.altitude
    WHERE p."time" <= EXCLUDED."time";
    RETURN NULL;
END $$;
COMMENT ON FUNCTION location_is_place IS 'Keeps place true: a location that comes late does not replace a newer one.';
CREATE TRIGGER location_is_place AFTER INSERT ON location FOR EACH ROW EXECUTE FUNCTION location_is_place();

CREATE FUNCTION track(p_serial text, p_from timestamptz, p_to timestamptz, p_max_points int DEFAULT 1000)
RETURNS TABLE ("time" timestamptz, latitude double precision, longitude double precision, altitude double precision)
LANGUAGE sql STABLE AS $$
    WITH seen AS (
        -- place keeps what retention dropped from location
        (SELECT p_from AS "time", b.latitude, b.longitude, b.altitude
           FROM sensor s CROSS JOIN LATERAL (
                (SELECT l."time", l.latitude, l.longitude, l.altitude FROM location l
                  WHERE l.sensor_id = s.sensor_id AND l."time" <= p_from ORDER BY l."time" DESC LIMIT 1)
                UNION ALL
                SELECT p."time", p.latitude, p.longitude, p.altitude FROM place p
                 WHERE p.sensor_id = s.sensor_id AND p."time" <= p_from) b
          WHERE s.serial = p_serial ORDER BY b."time" DESC LIMIT 1)
        UNION ALL
        SELECT l."time", l.latitude, l.longitude, l.altitude
          FROM location l JOIN sensor s USING (sensor_id)
         WHERE s.serial = p_serial AND l."time" > p_from AND l."time" < p_to
    ), numbered AS (
        SELECT *, row_number() OVER (ORDER BY "time") - 1 AS k, count(*) OVER () AS places FROM seen
    )
    SELECT "time", latitude, longitude, altitude FROM numbered
     WHERE places <= greatest(p_max_points, 2) OR k = places - 1
        OR k * (greatest(p_max_points, 2) - 1) / places <> (k - 1) * (greatest(p_max_points, 2) - 1) / places OR k = 0
     ORDER BY "time"
$$;
COMMENT ON FUNCTION track IS 'Where a sensor was from p_from to before p_to: where it was at p_from, then each change of place; of more than p_max_points the first, the last, and evenly many between.';

CREATE INDEX alarm_open ON alarm (sensor_id) WHERE cleared_at IS NULL;

CREATE VIEW fleet AS
    SELECT s.sensor_id, s.serial, s.kind, s.firmware, s.tags, t.name AS target, s.state, s.presence, s.first_seen,
           s.last_seen, l.data_at, coalesce(l.channels, 0) AS channels, p.latitude, p.longitude, p.altitude,
           p."time" AS located_at, coalesce(a.alarms_open, 0) AS alarms_open,
           coalesce(g.frames_missing, 0) AS frames_missing, l.clock, l.clock_offset_s
      FROM sensor s
      LEFT JOIN target t USING (target_id)
      LEFT JOIN place p USING (sensor_id)
      LEFT JOIN (SELECT sensor_id, max("time") AS data_at, count(*)::int AS channels, last(clock, "time") AS clock,
                        last(clock_offset_s, "time") AS clock_offset_s
                   FROM latest GROUP BY 1) l USING (sensor_id)
      LEFT JOIN (SELECT sensor_id, count(*)::int AS alarms_open FROM alarm
                  WHERE cleared_at IS NULL AND raised_at IS NOT NULL GROUP BY 1) a USING (sensor_id)
      LEFT JOIN (SELECT sensor_id, sum(missing)::bigint AS frames_missing FROM sequence_gap GROUP BY 1) g USING (sensor_id);
COMMENT ON VIEW fleet IS 'One row a sensor: what it is, where it is, what it does, how it fares.';

-- What was -----------------------------------------------------------------------------------------------------------

CREATE TABLE ingest_history (
    at               timestamptz NOT NULL,
    stream           text NOT NULL,
    owner            text,
    epoch            bigint NOT NULL,
    incarnation      int NOT NULL,
    committed_offset bigint,
    reached          timestamptz,
    replicas         int NOT NULL
);
COMMENT ON TABLE ingest_history IS 'How far each stream was stored, and by whom; a row every 10 seconds.';
COMMENT ON COLUMN ingest_history.at IS 'When.';
COMMENT ON COLUMN ingest_history.stream IS 'The stream.';
COMMENT ON COLUMN ingest_history.owner IS 'The replica that held it; null: none.';
COMMENT ON COLUMN ingest_history.epoch IS 'As in ingest_partition.';
COMMENT ON COLUMN ingest_history.incarnation IS 'As in ingest_partition.';
COMMENT ON COLUMN ingest_history.committed_offset IS 'Offset of the last message that was stored.';
COMMENT ON COLUMN ingest_history.reached IS 'The broker''s stamp of that message.';
COMMENT ON COLUMN ingest_history.replicas IS 'Measurements-ingesters that were alive.';
SELECT create_hypertable('ingest_history', by_range('at', INTERVAL '7 days'), create_default_indexes => false);
CREATE INDEX ingest_history_at ON ingest_history (at);

CREATE TABLE storage_history (
    at                       timestamptz NOT NULL,
    tier                     text NOT NULL,
    rows_estimate            bigint,
    table_bytes              bigint,
    toast_bytes              bigint,
    index_bytes              bigint,
    total_bytes              bigint NOT NULL,
    chunks                   int,
    compressed_chunks        int,
    before_compression_bytes bigint,
    after_compression_bytes  bigint,
    oldest                   timestamptz,
    disk_bytes               bigint,
    disk_free_bytes          bigint,
    PRIMARY KEY (at, tier)
);
COMMENT ON TABLE storage_history IS 'How large everything was; hourly.';
COMMENT ON COLUMN storage_history.at IS 'When.';
COMMENT ON COLUMN storage_history.tier IS 'A table, as in policy, or another that is large; (database): everything.';
COMMENT ON COLUMN storage_history.rows_estimate IS 'Rows, as the server estimates.';
COMMENT ON COLUMN storage_history.table_bytes IS 'Bytes of the rows themselves.';
COMMENT ON COLUMN storage_history.toast_bytes IS 'Bytes of values that are stored beside them.';
COMMENT ON COLUMN storage_history.index_bytes IS 'Bytes of indexes.';
COMMENT ON COLUMN storage_history.total_bytes IS 'Bytes of all.';
COMMENT ON COLUMN storage_history.chunks IS 'Chunks; null: not a hypertable.';
COMMENT ON COLUMN storage_history.compressed_chunks IS 'Those that are compressed.';
COMMENT ON COLUMN storage_history.before_compression_bytes IS 'Bytes of those before they were.';
COMMENT ON COLUMN storage_history.after_compression_bytes IS 'Bytes of those since.';
COMMENT ON COLUMN storage_history.oldest IS 'Where the oldest chunk begins, or the oldest row is.';
COMMENT ON COLUMN storage_history.disk_bytes IS 'Size of the volume, where that is known.';
COMMENT ON COLUMN storage_history.disk_free_bytes IS 'Free bytes of it.';

CREATE TABLE query_total (
    queryid     bigint PRIMARY KEY,
    at          timestamptz NOT NULL,
    calls       bigint NOT NULL,
    exec_ms     double precision NOT NULL,
    rows        bigint NOT NULL,
    blocks_hit  bigint NOT NULL,
    blocks_read bigint NOT NULL,
    user_s      double precision,
    system_s    double precision,
    read_bytes  bigint,
    write_bytes bigint
);
COMMENT ON TABLE query_total IS 'What pg_stat_statements and pg_stat_kcache counted when query_history was written last.';
CREATE TABLE query_history (
    at          timestamptz NOT NULL,
    seconds     double precision,
    queryid     bigint NOT NULL,
    query       text NOT NULL,
    calls       bigint NOT NULL,
    exec_ms     double precision NOT NULL,
    rows        bigint NOT NULL,
    blocks_hit  bigint NOT NULL,
    blocks_read bigint NOT NULL,
    user_s      double precision,
    system_s    double precision,
    read_bytes  bigint,
    write_bytes bigint,
    PRIMARY KEY (at, queryid)
);
COMMENT ON TABLE query_history IS 'What queries cost since the row before; hourly, the hundred that took longest.';
DO $$
DECLARE
    t text;
    c record;
BEGIN
    FOREACH t IN ARRAY ARRAY['query_total', 'query_history'] LOOP
        FOR c IN SELECT * FROM (VALUES
            ('at', 'When.'), ('seconds', 'Since the row before of this query; null: nobody knows.'),
            ('queryid', 'As in pg_stat_statements.'), ('query', 'Its text, without constants, cut at 10,000 characters.'),
            ('calls', 'How often it ran.'), ('exec_ms', 'Milliseconds that it took in all.'), ('rows', 'Rows it gave or changed.'),
            ('blocks_hit', 'Blocks of 8 kB found in the server''s memory.'), ('blocks_read', 'Blocks of 8 kB that were not.'),
            ('user_s', 'CPU seconds in user mode; null without pg_stat_kcache.'),
            ('system_s', 'CPU seconds in the kernel.'), ('read_bytes', 'Bytes read from disk.'),
            ('write_bytes', 'Bytes written to disk.')) AS v(name, says)
        LOOP
            IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = t::regclass AND attname = c.name) THEN
                EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', t, c.name, c.says);
            END IF;
        END LOOP;
    END LOOP;
END $$;

CREATE TABLE backup (
    backup_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    kind        text NOT NULL,
    bytes       bigint,
    place       text NOT NULL
);
COMMENT ON TABLE backup IS 'Backups that were made.';
COMMENT ON COLUMN backup.backup_id IS 'Its number.';
COMMENT ON COLUMN backup.started_at IS 'What was committed before this is in it.';
COMMENT ON COLUMN backup.finished_at IS 'When it was complete.';
COMMENT ON COLUMN backup.kind IS 'pg_dump | …';
COMMENT ON COLUMN backup.bytes IS 'Its size.';
COMMENT ON COLUMN backup.place IS 'Where it is.';

-- Retention ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION is_community() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('timescaledb.license', true), '') = 'timescale'
$$;
COMMENT ON FUNCTION is_community IS 'Whether this is TimescaleDB''s community edition, with policies and columnstore.';

CREATE FUNCTION oldest_of(p_tier text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
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
COMMENT ON FUNCTION oldest_of IS 'When the oldest row of a tier may go: the row''s own time, or the end of the oldest chunk, which goes as a whole.';

CREATE VIEW retention AS
    SELECT p.tier, p.keep, p.columnstore_after, p.source, o.at AS oldest,
           greatest(INTERVAL '0', now() - p.keep - o.at) AS overdue
      FROM policy p CROSS JOIN LATERAL (SELECT oldest_of(p.tier) AS at) o;
COMMENT ON VIEW retention IS 'What policy says against what is there. overdue: for how long the oldest should have been gone; hours are a job that has yet to run, days one that does not work.';

CREATE FUNCTION retention_mark() RETURNS void LANGUAGE sql AS $$
    UPDATE policy SET gone_before = now() - keep
     WHERE gone_before < now() - keep - INTERVAL '1 minute'
$$;
COMMENT ON FUNCTION retention_mark IS 'Says of what is older than its policy that it may be gone. Never taken back: what was dropped does not come again with a longer policy.';

CREATE FUNCTION retention_apply(p_tier text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone    timestamptz;
    dropped bigint := 0;
    more    bigint := 0;
BEGIN
    -- Not what a policy said once and says no more.
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
                IF p_tier = 'measurement' THEN  -- not before it is rolled up
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
COMMENT ON FUNCTION retention_apply IS 'Drops what is older than its policy: chunks on the Apache edition, rows of plain tables on both, 10,000 at a time, and says how many. Call it in a transaction of its own.';

CREATE FUNCTION policies_apply() RETURNS void LANGUAGE plpgsql AS $$
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
            NULL;  -- only its owner may; it costs memory, nothing else
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
COMMENT ON FUNCTION policies_apply IS 'Brings the community edition''s own retention and columnstore policies to what the table policy says; nothing on the Apache edition, where retention_apply does it.';

CREATE FUNCTION storage_sizes() RETURNS TABLE (
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
        rows_estimate := approximate_row_count(h.relation);
        SELECT s.table_bytes, s.toast_bytes, s.index_bytes, s.total_bytes
          INTO table_bytes, toast_bytes, index_bytes, total_bytes FROM hypertable_detailed_size(h.relation) s;
        SELECT count(*), count(*) FILTER (WHERE c.is_compressed), min(c.range_start) INTO chunks, compressed_chunks, oldest
          FROM timescaledb_information.chunks c
         WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = h.name;
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
               CASE WHEN c.relname IN ('alarm', 'command', 'quarantine') THEN oldest_of(c.relname) END
          FROM pg_class c
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
           AND NOT EXISTS (SELECT FROM timescaledb_information.hypertables t
                            WHERE t.hypertable_schema = current_schema() AND t.hypertable_name = c.relname);
END $$;
COMMENT ON FUNCTION storage_sizes IS 'How large each table of the schema is; columns as in storage_history.';

CREATE FUNCTION storage_record(p_disk_bytes bigint, p_disk_free_bytes bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(29677418481413229)
       OR EXISTS (SELECT FROM storage_history WHERE at > now() - INTERVAL '1 hour' + INTERVAL '5 seconds') THEN
        RETURN false;
    END IF;
    INSERT INTO storage_history (at, tier, rows_estimate, table_bytes, toast_bytes, index_bytes, total_bytes, chunks,
                                 compressed_chunks, before_compression_bytes, after_compression_bytes, oldest)
    SELECT now(), s.* FROM storage_sizes() s;
    INSERT INTO storage_history (at, tier, total_bytes, disk_bytes, disk_free_bytes)
    VALUES (now(), '(database)', pg_database_size(current_database()), p_disk_bytes,
            CASE WHEN p_disk_free_bytes IS NOT NULL THEN p_disk_free_bytes
                 WHEN p_disk_bytes IS NOT NULL THEN greatest(0, p_disk_bytes - pg_database_size(current_database())) END);
    RETURN true;
END $$;
COMMENT ON FUNCTION storage_record IS 'Writes storage_history, if the last hour has none, and says whether it did. Where the free bytes of a volume are not known, the database alone is thought to be on it.';

CREATE FUNCTION query_record() RETURNS boolean LANGUAGE plpgsql AS $$
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
    -- A counter that is lower than before was reset: then all of it is new.
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
COMMENT ON FUNCTION query_record IS 'Writes query_history, if the last hour has none and pg_stat_statements is there, and says whether it did. A plain role sees the texts of its own queries only; those that name a password are left out.';

CREATE FUNCTION ingest_record() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(29677418481413231)
       OR EXISTS (SELECT FROM ingest_history WHERE at > now() - INTERVAL '9 seconds') THEN
        RETURN false;
    END IF;
    INSERT INTO ingest_history (at, stream, owner, epoch, incarnation, committed_offset, reached, replicas)
    SELECT now(), p.stream, CASE WHEN p.lease_until > now() THEN p.owner END, p.epoch, p.incarnation, p.committed_offset,
           nullif(p.reached, '-infinity'), (SELECT count(*) FROM ingest_replica WHERE seen_at > now() - INTERVAL '5 seconds')
      FROM ingest_partition p;
    DELETE FROM ingest_replica WHERE seen_at < now() - INTERVAL '1 day';  -- those that crashed
    RETURN true;
END $$;
COMMENT ON FUNCTION ingest_record IS 'Writes ingest_history, if the last nine seconds have none, and says whether it did.';

DO $$
DECLARE
    c record;
BEGIN
    FOR c IN
        SELECT view, column_name, says FROM (VALUES ('measurement_1w'), ('measurement_1mo')) AS v(view), (VALUES
            ('time', 'When it begins.'), ('sensor_id', 'The sensor.'), ('channel', 'The channel.'), ('n', 'Samples.'),
            ('finite', 'Finite samples, which min, max, mean and rms are of.'), ('min', 'The smallest; null without a finite one.'),
            ('max', 'The largest.'), ('mean', 'The arithmetic mean.'), ('rms', 'The root mean square.')) AS c(column_name, says)
        UNION ALL
        SELECT 'fleet', * FROM (VALUES
            ('sensor_id', 'Its number.'), ('serial', 'Its serial number.'), ('kind', 'As in sensor.'), ('firmware', 'As in sensor.'),
            ('tags', 'As in sensor.'), ('target', 'Name of the machine it sits on.'), ('state', 'As in sensor.'),
            ('presence', 'As in sensor.'), ('first_seen', 'As in sensor.'), ('last_seen', 'As in sensor.'),
            ('data_at', 'When its newest sample was taken.'), ('channels', 'Channels that have sent something.'),
            ('latitude', 'Where it is: degrees, WGS 84; null: never said.'), ('longitude', 'Degrees, WGS 84.'),
            ('altitude', 'Metres above mean sea level.'), ('located_at', 'Since when it is there.'),
            ('alarms_open', 'Alarms that are on.'), ('frames_missing', 'Frames that the loss ledger lists.'),
            ('clock', 'Of its newest value, as in latest.'), ('clock_offset_s', 'Of its newest value, as in latest.')) AS f
        UNION ALL
        SELECT 'retention', * FROM (VALUES
            ('tier', 'As in policy.'), ('keep', 'As in policy.'), ('columnstore_after', 'As in policy.'), ('source', 'As in policy.'),
            ('oldest', 'When the oldest of it may go; null: there is nothing.'),
            ('overdue', 'For how long it should have been gone.')) AS r
    LOOP
        EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', c.view, c.column_name, c.says);
    END LOOP;
END $$;

-- As before, but what is deleted again is looked for in its own chunk: locks on all of them would wait for whoever reads
-- one that retention is about to drop.
CREATE OR REPLACE FUNCTION ingest_chunk(p_hypertable text, p_time timestamptz)
RETURNS TABLE (starts timestamptz, ends timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    chunk text;
BEGIN
    FOR attempt IN 1..2 LOOP
        SELECT c.range_start, c.range_end, format('%I.%I', c.chunk_schema, c.chunk_name) INTO starts, ends, chunk
          FROM timescaledb_information.chunks c
         WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = p_hypertable
           AND c.range_start <= p_time AND c.range_end > p_time;
        IF FOUND AND attempt = 2 THEN
            EXECUTE format('DELETE FROM %s WHERE sensor_id = -1 AND "time" = $1', chunk) USING p_time;
        END IF;
        IF FOUND OR attempt = 2 THEN
            RETURN NEXT;
            RETURN;
        END IF;
        -- A row is the one way to make a chunk that both editions have and no release changes.
        CASE p_hypertable
            WHEN 'measurement' THEN
                INSERT INTO measurement ("time", time_ns, received_at, sensor_id, channel, sample_rate_hz, n, clock)
                VALUES (p_time, 0, p_time, -1, 0, 0, 0, 0);
            WHEN 'location' THEN
                INSERT INTO location ("time", sensor_id, latitude, longitude, altitude) VALUES (p_time, -1, 0, 0, 0);
        END CASE;
    END LOOP;
END $$;
