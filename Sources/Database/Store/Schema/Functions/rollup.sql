-- Rollups: which minutes are closed, and the statistics of minutes, hours, days and longer.

CREATE OR REPLACE FUNCTION site_zone() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce((SELECT value #>> '{}' FROM setting WHERE name = 'site.timezone'), 'UTC')
$$;
COMMENT ON FUNCTION site_zone IS 'The time zone of the installation''s hours and days.';

CREATE OR REPLACE FUNCTION rollup_late_only() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock_shared(29677418481413228)
$$;
COMMENT ON FUNCTION rollup_late_only IS 'Prevents the closing of minutes until the end of the transaction, so that rollup_state.closed_to holds for its rows. (The lock''s number is "iotroll" in ASCII.)';

CREATE OR REPLACE FUNCTION rollup_first() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT min(range_start) FROM timescaledb_information.chunks
     WHERE hypertable_schema = current_schema() AND hypertable_name = 'measurement'
$$;
COMMENT ON FUNCTION rollup_first IS 'Where the oldest chunk of measurement begins; null without one.';

CREATE OR REPLACE FUNCTION rollup_close() RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    state rollup_state;
    goal  timestamptz := date_trunc('minute', clock_timestamp() - INTERVAL '2 minutes');
    first timestamptz;
BEGIN
    SELECT * INTO state FROM rollup_state FOR UPDATE;
    -- A replica that was away stores old rows first. Waiting for them is quicker than adding them later.
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
    -- Waits for transactions that still use the old value; new ones wait meanwhile, for a short time. The rows that they
    -- store are seen by the statements below.
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
COMMENT ON FUNCTION rollup_close IS 'Closes the minutes that ended at least two minutes ago; returns the end of the last closed one. Call it in a transaction of its own. Nothing is closed while a partition has no owner, is still catching up, or is written by an older release. Fails with 55P03 if a batch takes longer than half a second: try again.';

CREATE OR REPLACE FUNCTION rollup_sums() RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'sum(n)::bigint AS n, sum(finite)::bigint AS finite, min(min) AS min, max(max) AS max,
            sum(weighted(mean, finite)) FILTER (WHERE finite > 0) / sum(finite) FILTER (WHERE finite > 0) AS mean,
            sqrt(sum(squared(rms) * finite) FILTER (WHERE finite > 0) / sum(finite) FILTER (WHERE finite > 0)) AS rms'
$$;
COMMENT ON FUNCTION rollup_sums IS 'SQL that combines rows with n, finite, min, max, mean and rms.';

CREATE OR REPLACE FUNCTION rollup_minutes() RETURNS boolean LANGUAGE plpgsql AS $$
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
    -- One statement: it sees exactly those late rows whose notes it deletes.
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
COMMENT ON FUNCTION rollup_minutes IS 'Rolls closed minutes up, an hour at most; returns whether there were any. Call it in a transaction of its own, at READ COMMITTED.';

CREATE OR REPLACE FUNCTION rollup_longer(p_unit text) RETURNS boolean LANGUAGE plpgsql AS $$
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
COMMENT ON FUNCTION rollup_longer IS 'Rolls the next hour up from its minutes, or the next day from its hours, if it has ended; returns whether it had. Call it in a transaction of its own.';

-- Compressed rollups are changed by batches of a sensor; the limit prevents changing a whole table so.
CREATE OR REPLACE FUNCTION rollup_late_rows() RETURNS bigint LANGUAGE plpgsql
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
              -- Compressed chunks are searched by a parameter; a join would decompress all of them.
              (SELECT array_agg(DISTINCT d.sensor_id) FROM unnest(due) d);
    END LOOP;
    RETURN cardinality(due);
END $$;
COMMENT ON FUNCTION rollup_late_rows IS 'Adds late rows to existing rollups, 20,000 rows at most; returns how many. Call it in a transaction of its own.';

DO $$
DECLARE
    v record;
BEGIN
    FOR v IN SELECT * FROM (VALUES ('measurement_1w', 'week'), ('measurement_1mo', 'month')) AS t(name, unit) LOOP
        EXECUTE format('CREATE OR REPLACE VIEW %I AS SELECT date_trunc(%L, d."time", site_zone()) AS "time", sensor_id, channel, %s
                          FROM measurement_1d d GROUP BY 1, 2, 3', v.name, v.unit, rollup_sums());
    END LOOP;
END $$;
COMMENT ON VIEW measurement_1w IS 'Statistics of a week, from Monday on, as far as its days are over.';
COMMENT ON VIEW measurement_1mo IS 'Statistics of a month, as far as its days are over.';
COMMENT ON COLUMN measurement_1w."time" IS 'When it begins.';
COMMENT ON COLUMN measurement_1w.sensor_id IS 'The sensor.';
COMMENT ON COLUMN measurement_1w.channel IS 'The channel.';
COMMENT ON COLUMN measurement_1w.n IS 'Samples.';
COMMENT ON COLUMN measurement_1w.finite IS 'Finite samples, of which min, max, mean and rms are the statistics.';
COMMENT ON COLUMN measurement_1w.min IS 'The smallest; null without a finite one.';
COMMENT ON COLUMN measurement_1w.max IS 'The largest.';
COMMENT ON COLUMN measurement_1w.mean IS 'The arithmetic mean.';
COMMENT ON COLUMN measurement_1w.rms IS 'The root mean square.';
COMMENT ON COLUMN measurement_1mo."time" IS 'When it begins.';
COMMENT ON COLUMN measurement_1mo.sensor_id IS 'The sensor.';
COMMENT ON COLUMN measurement_1mo.channel IS 'The channel.';
COMMENT ON COLUMN measurement_1mo.n IS 'Samples.';
COMMENT ON COLUMN measurement_1mo.finite IS 'Finite samples, of which min, max, mean and rms are the statistics.';
COMMENT ON COLUMN measurement_1mo.min IS 'The smallest; null without a finite one.';
COMMENT ON COLUMN measurement_1mo.max IS 'The largest.';
COMMENT ON COLUMN measurement_1mo.mean IS 'The arithmetic mean.';
COMMENT ON COLUMN measurement_1mo.rms IS 'The root mean square.';

CREATE OR REPLACE FUNCTION rollup_note(
    p_sensor int[], p_channel smallint[], p_time timestamptz[], p_n bigint[], p_finite bigint[],
    p_min double precision[], p_max double precision[], p_mean double precision[], p_rms double precision[]
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO rollup_late (sensor_id, channel, "time", n, finite, min, max, mean, rms)
    SELECT * FROM unnest(p_sensor, p_channel, p_time, p_n, p_finite, p_min, p_max, p_mean, p_rms)
$$;
COMMENT ON FUNCTION rollup_note IS 'Notes rows of measurement as late, in the transaction that stores them. Noting too many does no harm: notes of a minute that is not rolled up yet are deleted when it is.';
