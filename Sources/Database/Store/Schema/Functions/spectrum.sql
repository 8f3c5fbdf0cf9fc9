-- The amplitude spectrum of a channel.

CREATE OR REPLACE FUNCTION spectrum(p_serial text, p_channel text, p_at timestamptz DEFAULT now(), p_n int DEFAULT 4096)
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
    -- Hann window, whose mean is a half; the mean of the samples is subtracted before and returned as frequency 0.
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
