-- Alarms of rules: what the message of an alarm says beyond its value.

ALTER TABLE alarm
    ADD COLUMN severity text NOT NULL DEFAULT 'warning' CHECK (severity IN ('info', 'warning', 'critical')),
    ADD COLUMN channel_name text,
    ADD COLUMN unit text,
    ADD COLUMN runbook text,
    ADD COLUMN stream text,
    ADD COLUMN epoch bigint,
    ADD COLUMN stream_offset bigint,
    ADD COLUMN late boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN alarm.severity IS 'info | warning | critical.';
COMMENT ON COLUMN alarm.channel_name IS 'The channel''s name, as the evaluator knew it; null: the rule concerns the whole sensor, or an older release evaluated it.';
COMMENT ON COLUMN alarm.unit IS 'The unit of value and limit_value; null: unknown.';
COMMENT ON COLUMN alarm.runbook IS 'A link for the operator; null: the rule has none.';
COMMENT ON COLUMN alarm.stream IS 'The stream with the message that raised it; null: an older release evaluated it.';
COMMENT ON COLUMN alarm.epoch IS 'The epoch of the lease under which it was evaluated.';
COMMENT ON COLUMN alarm.stream_offset IS 'The offset of the message that raised it.';
COMMENT ON COLUMN alarm.late IS 'Whether it was evaluated long after its time, because its evaluator was away.';
COMMENT ON COLUMN alarm.clear_cause IS 'Why it ended if it was not the signal: sensor_deleted, rule_changed, rule_removed, rule_disabled, no_longer_selected; null: the signal cleared it, or it is active.';

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
