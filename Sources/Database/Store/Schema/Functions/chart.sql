-- A channel in a limited number of points.

CREATE OR REPLACE FUNCTION chart(
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
    -- The coarsest source that still has a row for a quarter of the points: 0 rows, 1 minutes, 2 hours, 3 days.
    unit := CASE WHEN width >= 21600 THEN 3 WHEN width >= 900 THEN 2 WHEN width >= 15 THEN 1 ELSE 0 END;
    -- A source that retention has cut off there is passed over.
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
    -- Few rows are cut at the borders of the buckets; many only at the two ends of the range.
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
    -- The rows at the two ends of the range, or, if all are cut, all that overlap it.
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
COMMENT ON FUNCTION chart IS 'A channel (by name or number) from p_from to before p_to in at most p_max_points buckets, from samples, rows, minutes, hours or days: the coarsest source that is fine enough. A row or rollup that is not cut counts in the bucket in which it begins. time is the time of the first sample of a bucket. Samples outside the range never count; where only rollups are left, those that the end of the range cuts are left out.';
