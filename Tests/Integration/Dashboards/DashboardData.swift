/// Something of everything that dashboards show, relative to now; the same each time.
let dashboardData = #"""
    INSERT INTO target (name, description) VALUES ('Press 4', 'Hall 2'), ('Lathe 1', 'Hall 1');
    INSERT INTO sensor (serial, target_id, kind, firmware, tags, desired, desired_version, desired_changed_at, reported,
                        reported_version, state, presence, boot_id, connection, next_sequence, frames_dropped,
                        first_seen, last_seen)
    SELECT format('g-%s', k), CASE WHEN k < 6 THEN 1 + k % 2 END, CASE k % 3 WHEN 0 THEN 'climate' ELSE 'vibration' END,
           '2.' || k % 3, jsonb_build_object('hall', (k % 2)::text, 'note', 'it''s'),
           '{"rate_hz": 1000, "limits": {"x": {"high": 5}}}', 1, now() - INTERVAL '2 hours',
           '{"rate_hz": 500, "mode": "raw"}', 1,
           (ARRAY['awake', 'asleep', 'stopped', 'unknown'])[1 + k / 5],
           (ARRAY['online', 'lost', 'offline', 'unknown'])[1 + k % 4],
           1000 + k, 1, 100, 0, now() - INTERVAL '3 days', now() - k * INTERVAL '1 minute'
      FROM generate_series(0, 19) k;
    INSERT INTO channel (sensor_id, channel, name, quantity, unit)
    SELECT sensor_id, c, (ARRAY['x', 'y', 'z'])[c + 1], 'acceleration', 'm/s²' FROM sensor, generate_series(0, 1) c;
    -- A channel that nobody has announced, and values that are no numbers.
    INSERT INTO latest ("time", received_at, value, min, max, rms, sample_rate_hz, sensor_id, channel, clock,
                        clock_offset_s)
    SELECT now() - INTERVAL '1 second', now(), CASE c WHEN 2 THEN 'NaN' ELSE sensor_id * 0.001 END, 0, 1, 0.5,
           1000, sensor_id, c, CASE c WHEN 2 THEN 3 ELSE 0 END, CASE c WHEN 2 THEN NULL ELSE 7.5 END
      FROM sensor, generate_series(0, 2) c;
    INSERT INTO measurement ("time", received_at, boot_id, sequence, sample_rate_hz, min, max, mean, rms, sensor_id, n,
                             time_ns, channel, clock, samples, finite)
    SELECT now() - k * INTERVAL '1 second', now() - k * INTERVAL '1 second', 1000, 3600 - k, 1000, -1, 1, 0,
           0.7, 1, 1000, 0, c, 0,
           (SELECT array_agg((sin(i / 1000.0 * 2 * pi() * 25))::real ORDER BY i) FROM generate_series(0, 999) i), 1000
      FROM generate_series(1, 3600) k, generate_series(0, 1) c WHERE k NOT BETWEEN 1000 AND 1200;
    INSERT INTO measurement_1m ("time", n, finite, min, max, mean, rms, sensor_id, channel)
    SELECT date_trunc('minute', now()) - k * INTERVAL '1 minute', 60000, 60000, -1, 1, 0, 0.7, sensor_id, c
      FROM generate_series(2, 600) k, sensor, generate_series(0, 1) c;
    INSERT INTO measurement_1h ("time", n, finite, min, max, mean, rms, sensor_id, channel)
    SELECT date_trunc('hour', now()) - k * INTERVAL '1 hour', 3600000, 3600000, -1, 1, 0, 0.7, sensor_id, c
      FROM generate_series(1, 200) k, sensor, generate_series(0, 1) c;
    INSERT INTO location ("time", sensor_id, latitude, longitude, altitude)
    SELECT now() - k * INTERVAL '1 minute', 1, 47.5 + k * 0.001, 19.04, 100 FROM generate_series(0, 50) k;
    INSERT INTO place (sensor_id, "time", latitude, longitude, altitude)
    SELECT sensor_id, now() - INTERVAL '1 minute', 47.5 + sensor_id * 0.01, 19.04, 100 FROM sensor WHERE sensor_id < 15
    ON CONFLICT (sensor_id) DO NOTHING;
    INSERT INTO ingest_partition (stream, committed_offset, owner, epoch, lease_until, committed_at)
    SELECT 'measurements.' || k, 5000, CASE WHEN k < 3 THEN 'ingester-' || k % 2 END, 3,
           now() + (1.5 - k) * INTERVAL '2 seconds', now()
      FROM generate_series(0, 3) k;
    INSERT INTO ingest_replica (replica, seen_at)
    VALUES ('ingester-0', now()), ('ingester-1', now() - INTERVAL '1 minute');
    INSERT INTO ingest_history (at, stream, owner, epoch, incarnation, committed_offset, reached, replicas)
    SELECT now() - k * INTERVAL '10 seconds', 'measurements.' || p,
           CASE WHEN p = 3 AND k BETWEEN 100 AND 120 THEN NULL ELSE 'ingester-' || (p + k / 500) % 2 END, 1 + k / 500,
           1, 1000000 - 500 * k, now() - k * INTERVAL '10 seconds' - INTERVAL '300 milliseconds', 2 - (k / 500) % 2
      FROM generate_series(0, 2000) k, generate_series(0, 3) p;
    INSERT INTO sensor_boot (sensor_id, boot_id, next_sequence, frames, duplicates, first_at, stream, last_at)
    SELECT sensor_id, 1000 + k, 100, 97, 1, now() - k * INTERVAL '20 minutes', 'measurements.0', now()
      FROM sensor, generate_series(0, 2) k;
    INSERT INTO sequence_gap (sensor_id, boot_id, first_sequence, last_sequence, missing, cause, noted_at)
    SELECT 1 + k % 4, 1000 + k % 3, k * 10, k * 10 + 2, 3,
           (ARRAY['late', 'broker_retention', 'stream_reset', 'quarantined', 'dropped_at_source',
                  'sensor_restarted'])[1 + k % 6],
           now() - k * INTERVAL '1 minute'
      FROM generate_series(0, 40) k;
    INSERT INTO stream_hole (stream, incarnation, first_offset, last_offset, cause, noted_at)
    VALUES ('measurements.1', 1, 10, 20, 'broker_retention', now() - INTERVAL '1 hour'),
           ('measurements.2', 1, 10, NULL, 'stream_reset', now() - INTERVAL '2 hours');
    INSERT INTO quarantine (at, reason, detail, routing_key, source, length, hash, payload, serial)
    SELECT now() - k * INTERVAL '1 minute', (ARRAY['undecodable', 'newer_schema'])[1 + k % 2], 'it says: 100 %',
           'sensor_g-1.data', 'measurements.0', 10, k, '\x00', 'g-1'
      FROM generate_series(0, 30) k;
    INSERT INTO command (command_id, serial, name, issuer, state, reason, issued_at, expires_at, delivered_at,
                         finished_at, sends)
    SELECT 'c' || k, 'g-' || k % 5, (ARRAY['sleep', 'awake', 'change_sample_frequency'])[1 + k % 3], 'somebody',
           s.state, CASE WHEN s.state IN ('failed', 'rejected') THEN 'no such rate' ELSE '' END,
           t.at, t.at + INTERVAL '10 minutes', t.at + INTERVAL '1 second',
           CASE WHEN s.state NOT IN ('queued', 'delivered') THEN t.at + k * INTERVAL '100 milliseconds' END, k % 2
      FROM generate_series(0, 79) k,
           LATERAL (SELECT (ARRAY['queued', 'delivered', 'succeeded', 'failed', 'rejected', 'expired', 'cancelled',
                                  'timed_out'])[1 + k % 8] AS state) s,
           LATERAL (SELECT now() - k * INTERVAL '30 seconds' AS at) t;
    INSERT INTO alarm (alarm_id, sensor_id, channel, rule, raised_at, cleared_at, value, limit_value, clear_value, text)
    SELECT 'a' || k, 1 + k % 5, k % 3, CASE WHEN k % 2 = 0 THEN 'limit:x:high' ELSE 'limit:x:low' END,
           now() - k * INTERVAL '10 minutes' - INTERVAL '5 minutes',
           CASE WHEN k > 4 THEN now() - k * INTERVAL '10 minutes' END, 6, 5,
           CASE WHEN k > 4 THEN 4 END, 'x is above 5 m/s²'
      FROM generate_series(0, 40) k;
    INSERT INTO alarm (alarm_id, sensor_id, channel, rule, cleared_at, clear_value)
    VALUES ('only-clear', 1, 0, 'limit:x:high', now(), 1);
    INSERT INTO alarm_state (sensor_id, channel, alarm_id, side, since_ns, as_of_ns)
    SELECT sensor_id, channel, alarm_id, 'high', extract(epoch FROM raised_at)::bigint * 1000000000, 0
      FROM alarm WHERE cleared_at IS NULL ON CONFLICT DO NOTHING;
    INSERT INTO sensor_log ("time", received_at, boot_id, sensor_id, level, text)
    SELECT now() - k * INTERVAL '30 seconds', now(), 1000, 1, 1 + k % 4, 'line ' || k || ': it''s $fine'
      FROM generate_series(0, 50) k;
    INSERT INTO storage_history (at, tier, rows_estimate, table_bytes, toast_bytes, index_bytes, total_bytes, chunks,
                                 compressed_chunks, before_compression_bytes, after_compression_bytes, oldest,
                                 disk_bytes, disk_free_bytes)
    SELECT now() - h * INTERVAL '1 hour', t.tier, 1000000 - h * 1000, 60e6 - h * 1e5, 30e6, 10e6,
           100e6 - h * 1e5, 10, 5, 500e6, 100e6, now() - INTERVAL '40 days',
           CASE WHEN t.tier = '(database)' THEN 1e12 END,
           CASE WHEN t.tier = '(database)' THEN 4e11 + h * 1e8 END
      FROM generate_series(0, 170) h, (SELECT tier FROM policy UNION ALL SELECT '(database)') t;
    INSERT INTO query_history (at, seconds, queryid, query, calls, exec_ms, rows, blocks_hit, blocks_read,
                               user_s, system_s, read_bytes, write_bytes)
    SELECT now() - h * INTERVAL '1 hour', 3600, q, 'SELECT ' || q || ' AS "an example"', 100 * q, 5000 * q, 100, 1000,
           10 * q, q, q * 0.1, 8192 * q, 0
      FROM generate_series(0, 170) h, generate_series(1, 12) q;
    INSERT INTO backup (started_at, finished_at, kind, bytes, place)
    VALUES (now() - INTERVAL '3 days', now() - INTERVAL '71 hours', 'base', 12345678, 'backups/1'),
           (now() - INTERVAL '1 day', now() - INTERVAL '23 hours', 'pg_dump', NULL, 'backups/2');
    """#
