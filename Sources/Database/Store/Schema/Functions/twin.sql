-- The desired properties of a sensor compared with the reported ones.

CREATE OR REPLACE FUNCTION leaves(document jsonb) RETURNS TABLE (path text, value jsonb)
LANGUAGE sql IMMUTABLE AS $$
    WITH RECURSIVE node(path, value) AS (
        SELECT e.key, e.value
          FROM jsonb_each(CASE jsonb_typeof(document) WHEN 'object' THEN document ELSE '{}' END) e
        UNION ALL
        SELECT n.path || '.' || e.key, e.value
          FROM node n, jsonb_each(CASE jsonb_typeof(n.value) WHEN 'object' THEN n.value ELSE '{}' END) e
    )
    SELECT n.path, n.value FROM node n WHERE jsonb_typeof(n.value) <> 'object'
$$;
COMMENT ON FUNCTION leaves IS 'The properties within an object, each with its path, joined by dots.';

CREATE OR REPLACE FUNCTION twin_drift(desired jsonb, reported jsonb) RETURNS TABLE (path text, wanted jsonb, has jsonb)
LANGUAGE sql IMMUTABLE AS $$
    SELECT d.path, d.value, r.value
      FROM leaves(desired - 'limits') d LEFT JOIN leaves(reported) r USING (path)
     WHERE d.value IS DISTINCT FROM r.value
     ORDER BY d.path
$$;
COMMENT ON FUNCTION twin_drift IS 'The desired properties that a sensor does not report so. Limits are left out: the ingesters apply them, sensors never report them.';
