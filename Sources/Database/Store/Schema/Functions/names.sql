-- The version of sensors' names: writers by number notice that a sensor was deleted or renamed.

CREATE OR REPLACE FUNCTION names_version() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(action_id), 0) FROM operator_action
$$;
COMMENT ON FUNCTION names_version IS 'Grows whenever a sensor is deleted or renamed. Read it before the numbers of sensors, and give it to names_hold in the transaction that writes by these numbers.';

CREATE OR REPLACE FUNCTION names_change() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(29677418481413232)
$$;
COMMENT ON FUNCTION names_change IS 'First statement of a transaction that deletes or renames sensors: waits for the transactions that write by numbers of sensors; new ones wait until its end.';

CREATE OR REPLACE FUNCTION names_hold(p_version bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    now_version bigint;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(29677418481413232);
    -- A statement of its own: it sees what was committed while the lock was waited for.
    SELECT coalesce(max(action_id), 0) INTO now_version FROM operator_action;
    IF p_version <> now_version THEN
        RAISE EXCEPTION 'sensors were deleted or renamed meanwhile' USING ERRCODE = 'IOT03';
    END IF;
END $$;
COMMENT ON FUNCTION names_hold IS 'First statement of a transaction that writes by numbers of sensors: until its end no sensor is deleted or renamed. Fails with IOT03 if one was since p_version was read; null: no number was read.';
