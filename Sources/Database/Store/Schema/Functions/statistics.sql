-- Arithmetic of the statistics.

CREATE OR REPLACE FUNCTION finite_samples(finite int, n int, min double precision) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN finite IS NOT NULL THEN finite WHEN min IS NULL THEN 0 ELSE n END
$$;
COMMENT ON FUNCTION finite_samples IS 'The number of finite samples of a row of measurement, also of one that an older release wrote, which did not count them.';

CREATE OR REPLACE FUNCTION squared(x double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN x > 1e140 THEN 'Infinity' WHEN x < 1e-140 THEN 0 ELSE x * x END
$$;
COMMENT ON FUNCTION squared IS 'The square of a number that is not negative; infinite or 0 where PostgreSQL would fail.';

CREATE OR REPLACE FUNCTION weighted(x double precision, weight bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN weight = 0 OR abs(x) < 1e-290 THEN 0 WHEN abs(x) > 1e290 THEN sign(x) * 'Infinity' ELSE x * weight END
$$;
COMMENT ON FUNCTION weighted IS 'A mean times the number of its values; infinite, or 0, where PostgreSQL would fail.';
