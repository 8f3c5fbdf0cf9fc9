-- The samples of a channel, one row each.

CREATE OR REPLACE FUNCTION channel_number(p_serial text, p_channel text) RETURNS TABLE (sensor_id int, channel smallint)
LANGUAGE sql STABLE AS $$
    SELECT s.sensor_id,
           coalesce((SELECT c.channel FROM channel c WHERE c.sensor_id = s.sensor_id AND c.name = p_channel),
                    CASE WHEN p_channel ~ '^[0-9]{1,5}$'
                         THEN CASE WHEN p_channel::int <= 32767 THEN p_channel::smallint END END)
      FROM sensor s WHERE s.serial = p_serial
$$;
COMMENT ON FUNCTION channel_number IS 'The number of a sensor by its serial number, and of its channel by name or number.';

CREATE OR REPLACE FUNCTION row_end(start timestamptz, n int, sample_rate_hz double precision) RETURNS timestamptz
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
COMMENT ON FUNCTION samples IS 'Every sample of a channel (by name or number) from p_from to before p_to: time to the microsecond, unix_ns to the nanosecond.';
