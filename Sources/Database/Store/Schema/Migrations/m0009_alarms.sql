-- Alarms of rules: what the message of an alarm says beyond its value.

ALTER TABLE alarm
    ADD COLUMN severity text NOT NULL DEFAULT 'warning' CHECK (severity IN ('info', 'warning', 'critical')),
    ADD COLUMN judged_channel text,
    ADD COLUMN judged_unit text,
    ADD COLUMN runbook text,
    ADD COLUMN stream text,
    ADD COLUMN epoch bigint,
    ADD COLUMN stream_offset bigint,
    ADD COLUMN late boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN alarm.severity IS 'info | warning | critical.';
COMMENT ON COLUMN alarm.judged_channel IS 'The channel''s name, as the evaluator knew it; null: the rule concerns the whole sensor, or an older release evaluated it.';
COMMENT ON COLUMN alarm.judged_unit IS 'The unit of value and limit_value; null: unknown.';
COMMENT ON COLUMN alarm.runbook IS 'A link for the operator; null: the rule has none.';
COMMENT ON COLUMN alarm.stream IS 'The stream with the message that raised it; null: an older release evaluated it.';
COMMENT ON COLUMN alarm.epoch IS 'The epoch of the lease under which it was evaluated.';
COMMENT ON COLUMN alarm.stream_offset IS 'The offset of the message that raised it.';
COMMENT ON COLUMN alarm.late IS 'Whether it was evaluated long after its time, because its evaluator was away.';
COMMENT ON COLUMN alarm.clear_cause IS 'Why it ended if it was not the signal: sensor_deleted, rule_changed, rule_removed, rule_disabled, no_longer_selected; null: the signal cleared it, or it is active.';

-- Rules, each change of one, and the revisions that the evaluators take.

CREATE TABLE alarm_rule (
    name       text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,63}$'),
    version    int NOT NULL CHECK (version > 0),
    body       jsonb NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL
);
COMMENT ON TABLE alarm_rule IS 'The alarm rules, as iotctl rule apply wrote them.';
COMMENT ON COLUMN alarm_rule.name IS 'Its name.';
COMMENT ON COLUMN alarm_rule.version IS 'The number of the rule''s newest row in alarm_rule_history.';
COMMENT ON COLUMN alarm_rule.body IS 'The rule as docs/rules.md describes it.';
COMMENT ON COLUMN alarm_rule.changed_at IS 'When it was changed last.';
COMMENT ON COLUMN alarm_rule.changed_by IS 'Who did it, as issuer in command.';

CREATE TABLE alarm_rule_history (
    name       text NOT NULL,
    version    int NOT NULL,
    body       jsonb,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL,
    PRIMARY KEY (name, version)
);
COMMENT ON TABLE alarm_rule_history IS 'Every version that a rule ever had, also of removed rules. Rows stay.';
COMMENT ON COLUMN alarm_rule_history.name IS 'The rule''s name.';
COMMENT ON COLUMN alarm_rule_history.version IS 'Counts the changes of the rules of this name from 1.';
COMMENT ON COLUMN alarm_rule_history.body IS 'The rule from then on; null: it was removed.';
COMMENT ON COLUMN alarm_rule_history.changed_at IS 'When.';
COMMENT ON COLUMN alarm_rule_history.changed_by IS 'Who did it, as issuer in command.';

CREATE TABLE rule_revision (
    revision   bigint PRIMARY KEY,
    body       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rule_revision IS 'All rules and limits as of one moment, with the sensors and channels that they apply to. A row never changes: evaluators that read a stream again take the same revisions.';
COMMENT ON COLUMN rule_revision.revision IS 'Grows with each change.';
COMMENT ON COLUMN rule_revision.body IS 'The revision in JSON.';
COMMENT ON COLUMN rule_revision.created_at IS 'When it was made. Those that were replaced more than eight days ago are deleted, because no stream is older.';

CREATE TABLE rule_change (
    change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
);
COMMENT ON TABLE rule_change IS 'Changes of rules, sensors and channels that no revision covers yet. sensor-registry makes a revision from them and deletes the rows.';
COMMENT ON COLUMN rule_change.change_id IS 'Counts the changes.';

CREATE FUNCTION note_rule_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rule_change DEFAULT VALUES;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_rule_change IS 'Notes that a new rule revision may be needed.';
CREATE TRIGGER rules_change AFTER INSERT OR UPDATE OR DELETE ON alarm_rule
    FOR EACH STATEMENT EXECUTE FUNCTION note_rule_change();
CREATE TRIGGER rules_gain_or_lose AFTER INSERT OR DELETE ON sensor
    FOR EACH ROW EXECUTE FUNCTION note_rule_change();
CREATE TRIGGER rules_select_again AFTER UPDATE OF serial, kind, tags, target_id, desired, deleted_at ON sensor
    FOR EACH ROW WHEN (old.serial IS DISTINCT FROM new.serial OR old.kind IS DISTINCT FROM new.kind
        OR old.tags IS DISTINCT FROM new.tags OR old.target_id IS DISTINCT FROM new.target_id
        OR old.desired IS DISTINCT FROM new.desired OR old.deleted_at IS DISTINCT FROM new.deleted_at)
    EXECUTE FUNCTION note_rule_change();
CREATE TRIGGER rules_gain_or_lose AFTER INSERT OR DELETE ON channel
    FOR EACH ROW EXECUTE FUNCTION note_rule_change();
CREATE TRIGGER rules_select_again AFTER UPDATE OF name, unit ON channel
    FOR EACH ROW WHEN (old.name IS DISTINCT FROM new.name OR old.unit IS DISTINCT FROM new.unit)
    EXECUTE FUNCTION note_rule_change();
INSERT INTO rule_change DEFAULT VALUES;

-- Acknowledgement of alarms.

ALTER TABLE alarm
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN acknowledged_by text,
    ADD COLUMN acknowledged_comment text;
COMMENT ON COLUMN alarm.acknowledged_at IS 'When it was acknowledged first, by the clock of the program that recorded it; null: not yet.';
COMMENT ON COLUMN alarm.acknowledged_by IS 'Who acknowledged it first: a person, or a program with its host.';
COMMENT ON COLUMN alarm.acknowledged_comment IS 'What was said then; empty: nothing.';
-- What sensors answer to their alarms, and the event captures.

CREATE TABLE alarm_answer (
    alarm_id        text NOT NULL,
    sensor_id       int NOT NULL REFERENCES sensor ON DELETE CASCADE,
    acknowledged_at timestamptz NOT NULL,
    outcome         text CHECK (outcome IN ('succeeded', 'failed', 'rejected')),
    reason          text NOT NULL DEFAULT '',
    answered_at     timestamptz,
    PRIMARY KEY (alarm_id, sensor_id)
);
COMMENT ON TABLE alarm_answer IS 'What a sensor said of an alarm of its own. A table of its own, because the answer may be recorded before the alarm.';
COMMENT ON COLUMN alarm_answer.alarm_id IS 'The alarm.';
COMMENT ON COLUMN alarm_answer.sensor_id IS 'The sensor that answered.';
COMMENT ON COLUMN alarm_answer.acknowledged_at IS 'The broker''s stamp of its first answer: it had heard the trigger.';
COMMENT ON COLUMN alarm_answer.outcome IS 'What became of the event capture: succeeded: all is sent; failed; rejected; null: not said yet, or the sensor captures nothing.';
COMMENT ON COLUMN alarm_answer.reason IS 'Why the capture failed or was rejected.';
COMMENT ON COLUMN alarm_answer.answered_at IS 'The broker''s stamp of the answer with the outcome.';
CREATE INDEX alarm_answer_by_sensor ON alarm_answer (sensor_id);

CREATE TABLE alarm_capture (
    alarm_id       text NOT NULL,
    sensor_id      int NOT NULL REFERENCES sensor ON DELETE CASCADE,
    channel        smallint NOT NULL,
    boot_id        bigint NOT NULL,
    from_ns        bigint NOT NULL,
    to_ns          bigint NOT NULL,
    sample_rate_hz double precision NOT NULL,
    samples        bigint NOT NULL,
    PRIMARY KEY (alarm_id, sensor_id, channel)
);
COMMENT ON TABLE alarm_capture IS 'The samples of one channel around an alarm, at the sensor''s full rate. They are rows of measurement with the channel number -1 - channel, and are stored in the transaction that writes this row. Captures of alarms that overlap share them.';
COMMENT ON COLUMN alarm_capture.alarm_id IS 'The alarm.';
COMMENT ON COLUMN alarm_capture.sensor_id IS 'The sensor.';
COMMENT ON COLUMN alarm_capture.channel IS 'The channel.';
COMMENT ON COLUMN alarm_capture.boot_id IS 'The start of the sensor that took the samples.';
COMMENT ON COLUMN alarm_capture.from_ns IS 'When the first sample was taken, Unix nanoseconds, by the sensor''s clock.';
COMMENT ON COLUMN alarm_capture.to_ns IS 'A time after the last sample, Unix nanoseconds, by the sensor''s clock.';
COMMENT ON COLUMN alarm_capture.sample_rate_hz IS 'Samples a second.';
COMMENT ON COLUMN alarm_capture.samples IS 'Samples that the sensor said it would send: the capture is complete when as many are stored.';
CREATE INDEX alarm_capture_by_sensor ON alarm_capture (sensor_id);
-- Notification of alarms: who is told, and the outbox.

CREATE TABLE notification_receiver (
    receiver text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('alertmanager', 'webhook', 'mail')),
    configured_at timestamptz NOT NULL DEFAULT now(),
    holder text,
    held_until timestamptz,
    failing_since timestamptz,
    last_error text,
    delivered_at timestamptz
);
COMMENT ON TABLE notification_receiver IS 'Who is told of alarms: the receivers of the registries'' NOTIFY_CONFIG, and how it goes with them.';
COMMENT ON COLUMN notification_receiver.receiver IS 'Its name in the file.';
COMMENT ON COLUMN notification_receiver.kind IS 'alertmanager | webhook | mail.';
COMMENT ON COLUMN notification_receiver.configured_at IS 'When a registry last had it in its file; a day later the row is removed.';
COMMENT ON COLUMN notification_receiver.holder IS 'The registry that sends to it; null: none yet.';
COMMENT ON COLUMN notification_receiver.held_until IS 'When another registry may take over.';
COMMENT ON COLUMN notification_receiver.failing_since IS 'When the first of the attempts failed that have failed without a success; null: the last one succeeded, or there was none.';
COMMENT ON COLUMN notification_receiver.last_error IS 'What the last failed attempt said.';
COMMENT ON COLUMN notification_receiver.delivered_at IS 'When it last took something.';

CREATE TABLE notification (
    alarm_id text NOT NULL REFERENCES alarm ON DELETE CASCADE,
    receiver text NOT NULL,
    edge text NOT NULL CHECK (edge IN ('trigger', 'clear')),
    number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    created_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts int NOT NULL DEFAULT 0,
    last_error text,
    delivered_at timestamptz,
    given_up_at timestamptz,
    summarised boolean NOT NULL DEFAULT false,
    closed boolean NOT NULL DEFAULT false,
    PRIMARY KEY (alarm_id, receiver, edge)
);
CREATE INDEX notification_waiting ON notification (receiver, number) WHERE delivered_at IS NULL AND given_up_at IS NULL;
CREATE INDEX notification_open ON notification (receiver, alarm_id) WHERE edge = 'trigger' AND NOT closed;
COMMENT ON TABLE notification IS 'The outbox: what each receiver is to be told of each alarm, and whether it was.';
COMMENT ON COLUMN notification.alarm_id IS 'The alarm.';
COMMENT ON COLUMN notification.receiver IS 'The receiver''s name. No foreign key: the file may no longer have it.';
COMMENT ON COLUMN notification.edge IS 'trigger: the alarm began. clear: it ended.';
COMMENT ON COLUMN notification.number IS 'The order in which a receiver is told.';
COMMENT ON COLUMN notification.created_at IS 'When the edge was recorded.';
COMMENT ON COLUMN notification.due_at IS 'Before this it is not tried again.';
COMMENT ON COLUMN notification.attempts IS 'How often it was tried.';
COMMENT ON COLUMN notification.last_error IS 'What the last failed attempt said.';
COMMENT ON COLUMN notification.delivered_at IS 'When the receiver took it; null: it waits, or was given up.';
COMMENT ON COLUMN notification.given_up_at IS 'When the registry stopped trying; null: it has not.';
COMMENT ON COLUMN notification.summarised IS 'Whether it was told in a summary of several alarms.';
COMMENT ON COLUMN notification.closed IS 'Of a trigger: whether the row of the clear has been written too.';

-- Evaluation of rules: its state, and how releases without rules are told apart.

CREATE TABLE rule_state (
    stream        text PRIMARY KEY REFERENCES ingest_partition,
    epoch         bigint NOT NULL,
    incarnation   int NOT NULL,
    stream_offset bigint,
    fingerprint   bigint,
    body          bytea NOT NULL,
    saved_at      timestamptz NOT NULL DEFAULT now()
);
-- It is replaced every few seconds, and has few zeros: compressing costs more than it saves.
ALTER TABLE rule_state ALTER body SET STORAGE EXTERNAL;
COMMENT ON TABLE rule_state IS 'What the evaluator of a stream knows of all rules and sensors, as of one message. Its successor evaluates the stream from there on. No row: no rule holds.';
COMMENT ON COLUMN rule_state.stream IS 'The stream.';
COMMENT ON COLUMN rule_state.epoch IS 'The epoch of the lease under which it was saved.';
COMMENT ON COLUMN rule_state.incarnation IS 'The incarnation of the stream.';
COMMENT ON COLUMN rule_state.stream_offset IS 'The last message that was evaluated; null: none. All alarms up to it are confirmed by the broker.';
COMMENT ON COLUMN rule_state.fingerprint IS 'FNV-1a (64 bits) of that message''s key and payload; null: unknown.';
COMMENT ON COLUMN rule_state.body IS 'The state, as RuleEngine encodes it.';
COMMENT ON COLUMN rule_state.saved_at IS 'When it was saved.';

ALTER TABLE ingest_partition
    ADD COLUMN older_incarnation int,
    ADD COLUMN older_offset bigint;
COMMENT ON COLUMN ingest_partition.older_incarnation IS 'The incarnation of older_offset.';
COMMENT ON COLUMN ingest_partition.older_offset IS 'The last message that an ingester of a release without rules stored, and so judged by its limits; null: none.';
ALTER TABLE ingest_replica ADD COLUMN ticks_seen_at timestamptz;
COMMENT ON COLUMN ingest_replica.ticks_seen_at IS 'The same as seen_at if the replica knows ticks; a release that does not know them leaves it behind.';
