-- The tables of Posthorn. Hot tables (message, delivery, attempt, dead_letter, idempotency_key) have keys that begin with
-- app_id, no foreign keys and few indexes; the others are configuration.

CREATE TABLE application (
    id          uuid PRIMARY KEY,
    org_id      uuid NOT NULL,
    uid         text,
    name        text NOT NULL,
    rate_limit  int4,                          -- requests a second to each of its endpoints without a limit of their own
    metadata    jsonb NOT NULL DEFAULT '{}',
    operational bool NOT NULL DEFAULT false,   -- the organization's own: holds the endpoints of its operational webhooks
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at  timestamptz
);
CREATE UNIQUE INDEX application_operational ON application (org_id) WHERE operational;
CREATE UNIQUE INDEX application_uid ON application (org_id, uid) WHERE deleted_at IS NULL AND uid IS NOT NULL;
CREATE INDEX application_list ON application (org_id, id) WHERE deleted_at IS NULL;

-- The LIKE patterns of those event types of an endpoint that end in a wildcard ("user.*"); null where there are none.
CREATE FUNCTION wildcard_patterns(event_types text[]) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(replace(left(t, -1), '_', '\_') || '%') FROM unnest(event_types) AS t WHERE t LIKE '%.*'
$$;

-- Whether an endpoint gets a message of this type and these channels: what it lists, and the patterns of what it lists. An expression, so
-- that the planner inlines it.
CREATE FUNCTION subscribes(event_types text[], patterns text[], channels text[], event_type text, of_message text[]) RETURNS bool
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (event_types IS NULL OR event_type = ANY (event_types) OR (patterns IS NOT NULL AND event_type LIKE ANY (patterns)))
       AND (channels IS NULL OR of_message && channels)
$$;

CREATE TABLE endpoint (
    id              uuid PRIMARY KEY,
    app_id          uuid NOT NULL REFERENCES application (id),
    org_id          uuid NOT NULL,
    uid             text,
    url             text NOT NULL,
    description     text NOT NULL DEFAULT '',
    event_types     text[],                    -- null: all
    event_type_patterns text[] GENERATED ALWAYS AS (wildcard_patterns(event_types)) STORED,
    channels        text[],                    -- null: all
    disabled        bool NOT NULL DEFAULT false,
    disabled_reason text,                      -- 'manual', 'gone', 'failing'; null while enabled
    rate_limit      int4,                      -- requests a second
    headers         bytea,                     -- sealed JSON object: custom headers may hold credentials
    metadata        jsonb NOT NULL DEFAULT '{}',
    http2           bool NOT NULL DEFAULT false,
    ordered         bool NOT NULL DEFAULT false,
    filter          text,                      -- of payloads: JSON (domain::PayloadFilter)
    retry_schedule  int4[],                    -- seconds; null: the service's
    timeout_s       int4,                      -- null: the service's
    failing_since   timestamptz,               -- first of an unbroken row of failures
    circuit_open_until timestamptz,            -- for people; no decision rests on it
    failing         bool NOT NULL DEFAULT false,  -- its circuit has opened since it last took a delivery
    backlog_threshold int4,                    -- so many deliveries or more were waiting for it when last looked; null: fewer
    shard           int2 NOT NULL CHECK (shard BETWEEN 0 AND 63),
    version         int8 NOT NULL DEFAULT 1,   -- grows with every change that a worker must know of
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at      timestamptz
);
CREATE UNIQUE INDEX endpoint_uid ON endpoint (app_id, uid) WHERE deleted_at IS NULL AND uid IS NOT NULL;
CREATE INDEX endpoint_of_application ON endpoint (app_id, id) WHERE deleted_at IS NULL;
CREATE INDEX endpoint_backlogged ON endpoint (shard) WHERE backlog_threshold IS NOT NULL;
CREATE INDEX endpoint_ordered ON endpoint (app_id, id) WHERE ordered AND deleted_at IS NULL;

-- Who gets a message of this type and these channels. The planner inlines it.
CREATE FUNCTION subscribed_endpoints(of_app uuid, of_type text, of_message text[]) RETURNS SETOF endpoint LANGUAGE sql STABLE AS $$
    SELECT * FROM endpoint e
    WHERE e.app_id = of_app AND e.deleted_at IS NULL AND NOT e.disabled
      AND subscribes(e.event_types, e.event_type_patterns, e.channels, of_type, of_message)
    OFFSET 0  -- stays a lookup by app_id: a plan made while the table was small would walk all of it for each message
$$;

-- A change of an endpoint that the owner of its shard has yet to acknowledge (invariant I6). The latest one only.
CREATE TABLE endpoint_change (
    endpoint_id   uuid PRIMARY KEY,
    shard         int2 NOT NULL,
    version       int8 NOT NULL,
    changed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    acked_version int8,
    acked_epoch   int8
);
CREATE INDEX endpoint_change_shard ON endpoint_change (shard);

CREATE TABLE endpoint_secret (
    id          uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES endpoint (id),
    sealed      bytea NOT NULL,                -- AES-256-GCM, associated data: the endpoint's id
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at  timestamptz                    -- null: the current one
);
CREATE UNIQUE INDEX endpoint_secret_current ON endpoint_secret (endpoint_id) WHERE expires_at IS NULL;
CREATE INDEX endpoint_secret_endpoint ON endpoint_secret (endpoint_id, created_at DESC);

-- Numbers of what event types enforce: one is never used again, also where an event type of the same name comes back.
CREATE SEQUENCE schema_revision;
CREATE TABLE event_type (
    id           uuid PRIMARY KEY,
    org_id       uuid NOT NULL,
    name         text COLLATE "C" NOT NULL,    -- lists are in bytewise order, whatever the database's locale
    description  text NOT NULL,
    archived     bool NOT NULL DEFAULT false,
    deprecated   bool NOT NULL DEFAULT false,
    feature_flag text,
    schemas      jsonb,
    enforce_schema bool NOT NULL DEFAULT false,  -- messages must fulfil the newest of the schemas, while it isn't archived
    schema_revision int8 NOT NULL DEFAULT nextval('schema_revision'),  -- another one with every change of what is enforced
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at   timestamptz
);
CREATE UNIQUE INDEX event_type_name ON event_type (org_id, name) WHERE deleted_at IS NULL;
-- Looked at for every message, and nearly always empty.
CREATE INDEX event_type_enforced ON event_type (org_id, name) WHERE enforce_schema AND NOT archived AND deleted_at IS NULL;

CREATE TABLE api_key (
    id           uuid PRIMARY KEY,
    org_id       uuid NOT NULL,
    app_id       uuid,                         -- null: the whole organization
    name         text NOT NULL,
    hash         bytea NOT NULL UNIQUE,        -- SHA-256 of the key; the key itself is shown once and not stored
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX api_key_list ON api_key (org_id, id);

-- Append-only; partitioned by week through the UUIDv7 in id. The payload is stored once, as sent.
CREATE TABLE message (
    app_id      uuid NOT NULL,
    id          uuid NOT NULL,
    event_type  text NOT NULL,
    channels    text[],
    event_id    text,
    payload     bytea,                         -- null once it was expunged
    tags        text[],
    headers     text,                          -- JSON object of texts, sent with each of its deliveries
    raw         bool NOT NULL DEFAULT false,   -- the payload is any text, not a JSON object
    deliver_at  timestamptz,
    PRIMARY KEY (app_id, id)
) PARTITION BY RANGE (id);
-- Payloads from 2 kB on are compressed: by lz4, which is made for speed, where the server has it.
DO $$
BEGIN
    ALTER TABLE message ALTER COLUMN payload SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;
CREATE INDEX message_event_id ON message (app_id, event_id) WHERE event_id IS NOT NULL;

-- Only the live ones: inserted with the message, deleted when it ends.
CREATE SEQUENCE delivery_run CACHE 1;
CREATE TABLE delivery (
    app_id      uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    message_id  uuid NOT NULL,
    shard       int2 NOT NULL,
    attempt     int2 NOT NULL DEFAULT 1,       -- the number of the attempt to make next
    manual      bool NOT NULL DEFAULT false,   -- a replay
    ordered     bool NOT NULL DEFAULT false,
    run_id      int8 NOT NULL DEFAULT nextval('delivery_run'),  -- never used again; ascends in the endpoint's order
    due_at      timestamptz NOT NULL
) WITH (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0, fillfactor = 90);
CREATE INDEX delivery_due ON delivery (shard, endpoint_id, due_at);
CREATE INDEX delivery_order ON delivery (endpoint_id, run_id) WHERE ordered;
CREATE INDEX delivery_replayed ON delivery (endpoint_id) WHERE manual;
-- Last, on purpose: of indexes that cost the same, as they do while the table is empty, the planner takes the newest, and completion must
-- find its rows by this one (tests/store/plan_test).
ALTER TABLE delivery ADD PRIMARY KEY (app_id, endpoint_id, message_id);

-- Append-only log, partitioned by week through the UUIDv7 in id.
CREATE TABLE attempt (
    app_id          uuid NOT NULL,
    message_id      uuid NOT NULL,
    id              uuid NOT NULL,
    endpoint_id     uuid NOT NULL,
    run_id          int8 NOT NULL,
    attempt         int2 NOT NULL,
    manual          bool NOT NULL,
    succeeded       bool NOT NULL,
    status_code     int2 NOT NULL,             -- 0 without an answer
    failure         int2 NOT NULL,             -- egress::Failure
    duration_ms     int4 NOT NULL,
    url             text NOT NULL,
    response        bytea,                     -- null once expunged
    PRIMARY KEY (app_id, message_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX attempt_of_endpoint ON attempt (app_id, endpoint_id, id);

CREATE TABLE dead_letter (
    app_id      uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    message_id  uuid NOT NULL,
    org_id      uuid NOT NULL,
    event_type  text NOT NULL,
    reason      int2 NOT NULL,                 -- domain::DeadLetterReason
    attempts    int2 NOT NULL,
    run_id      int8 NOT NULL,
    ended_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (app_id, endpoint_id, message_id)
);
CREATE INDEX dead_letter_list ON dead_letter (org_id, message_id, endpoint_id);
CREATE INDEX dead_letter_of_application ON dead_letter (app_id, message_id, endpoint_id);

CREATE TABLE idempotency_key (
    app_id     uuid NOT NULL,
    kind       int2 NOT NULL,                  -- 0: the Idempotency-Key header, 1: eventId
    key        text NOT NULL,
    message_id uuid NOT NULL,
    body_hash  bytea NOT NULL,                 -- SHA-256 of what was submitted
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (app_id, kind, key)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX idempotency_key_expiry ON idempotency_key (expires_at);

-- Ends the statement of accept_messages: nothing of its batch is stored, and the message is done alone.
CREATE FUNCTION refuse_partial_win(message_id uuid) RETURNS int2 LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'message % won only one of its two idempotency keys', message_id USING ERRCODE = 'PH001';
END
$$;

-- A process's renewals: others judge it by this counter standing still on their own clocks.
CREATE TABLE process (
    id         uuid PRIMARY KEY,
    counter    int8 NOT NULL DEFAULT 0,
    worker     bool NOT NULL,
    host       text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp()   -- for people; no decision rests on it
) WITH (fillfactor = 50);

-- Under which master key each running process seals: it is changed while they run (posthorn rekey), and no process may be left that seals under
-- the old one. Who runs is judged as in process; here are also those that do not deliver.
CREATE TABLE sealer (
    id          uuid PRIMARY KEY,
    host        text NOT NULL,
    fingerprint text NOT NULL,                 -- of the key, domain::SecretBox
    counter     int8 NOT NULL DEFAULT 0,
    seen_at     timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

CREATE TABLE shard_lease (
    shard      int2 PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
    epoch      int8 NOT NULL DEFAULT 0,
    process_id uuid
) WITH (fillfactor = 50);
INSERT INTO shard_lease (shard) SELECT generate_series(0, 63);

CREATE TABLE replay_job (
    id              uuid PRIMARY KEY,
    org_id          uuid NOT NULL,
    app_id          uuid,
    endpoint_id     uuid,
    kind            text NOT NULL,               -- of dead letters: 'recover' (an endpoint's), 'dead_letters' (by filter);
                                                 -- of an endpoint's messages: 'missing' (those it never got), 'all'
    state           text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'finished', 'cancelled')),
    event_types     text[],
    reason          int2,
    since           timestamptz,                 -- by the messages' times
    until           timestamptz,
    channel         text,                        -- this and the next two: of messages
    tag             text,
    message_status  int2,                        -- store::MessageStatus
    rate_limit      int4 NOT NULL DEFAULT 0,     -- deliveries a second; 0: as fast as they are delivered
    before_run      int8 NOT NULL DEFAULT nextval('delivery_run'),  -- what died in this run or a later one is not taken
    cursor_message  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',  -- up to here this pass has looked
    cursor_endpoint uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    crowded         uuid[] NOT NULL DEFAULT '{}',  -- endpoints that this pass left alone: another pass follows
    resume_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    replayed        int8 NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX replay_job_list ON replay_job (org_id, id);
CREATE INDEX replay_job_running ON replay_job (resume_at) WHERE state = 'running';

-- What was worked out for somebody who comes back for it; replays are background tasks, too. The latest ones of each organization.
CREATE TABLE background_task (
    org_id uuid NOT NULL,
    id     uuid NOT NULL,
    task   text NOT NULL,
    data   jsonb NOT NULL,
    PRIMARY KEY (org_id, id)
);

CREATE TABLE audit_log (
    org_id     uuid NOT NULL,
    id         uuid NOT NULL,
    actor      text NOT NULL,
    action     text NOT NULL,
    subject    text NOT NULL,
    request_id text,                           -- null: the service's own doing
    details    jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id)
);
CREATE INDEX audit_log_subject ON audit_log (org_id, subject, id);

-- The UUIDv7 bounds of a time: what partitions are cut by.
CREATE FUNCTION uuid_v7_floor(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::int8), 12, '0') || '70008000000000000000')::uuid
$$;

-- Makes the weekly partitions of message and attempt that cover [first, last]; those that exist stay. Made apart and then
-- attached: that needs no lock that a reader or a writer of the table would wait for.
CREATE FUNCTION make_partitions(first timestamptz, last timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    week timestamptz := date_trunc('week', first AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    parent text;
    made int := 0;
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(8071003);
    WHILE week <= last LOOP
        FOREACH parent IN ARRAY ARRAY['message', 'attempt'] LOOP
            name := parent || '_' || to_char(week AT TIME ZONE 'UTC', 'YYYYMMDD');
            IF to_regclass(name) IS NULL THEN
                EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (autovacuum_vacuum_insert_scale_factor = 0.5)',
                               name, parent);
                EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name,
                               uuid_v7_floor(week), uuid_v7_floor(week + interval '7 days'));
                made := made + 1;
            END IF;
        END LOOP;
        week := week + interval '7 days';
    END LOOP;
    RETURN made;
END
$$;

-- The ids that a partition holds: from its start up to its end (not included).
CREATE FUNCTION partition_start(child regclass) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''([0-9a-f-]{36})''\)')::uuid FROM pg_class c WHERE c.oid = child
$$;
CREATE FUNCTION partition_end(child regclass) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([0-9a-f-]{36})''\)')::uuid FROM pg_class c WHERE c.oid = child
$$;

-- Whether a message with an id in [first, past) is still live or a dead letter. Without an index on purpose: it is asked for
-- once a week, and one would cost every delivery.
CREATE FUNCTION has_unfinished_messages(first uuid, past uuid) RETURNS bool LANGUAGE sql AS $$
    SELECT EXISTS (SELECT 1 FROM delivery WHERE message_id >= first AND message_id < past)
        OR EXISTS (SELECT 1 FROM dead_letter WHERE message_id >= first AND message_id < past)
$$;

-- Detaches and drops a partition of message or attempt, but never one with a message that is still live or a dead letter: then
-- false. Whoever makes a delivery of an old message reads the message in the same transaction, so nobody can between our look,
-- which comes after the lock, and the end. The lock is waited for briefly: everybody else queues behind us.
-- Throws lock_not_available (55P03): try again later.
CREATE FUNCTION drop_partition(parent text, child text, longest_wait_ms int8) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
    first uuid := partition_start(child::regclass);
    past uuid := partition_end(child::regclass);
BEGIN
    IF parent = 'message' AND has_unfinished_messages(first, past) THEN RETURN false; END IF;
    PERFORM set_config('lock_timeout', longest_wait_ms || 'ms', true);
    EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent);
    IF parent = 'message' AND has_unfinished_messages(first, past) THEN RETURN false; END IF;
    EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent, child);
    EXECUTE format('DROP TABLE %I', child);
    RETURN true;
END
$$;

-- What a UUIDv7 of now looks like, and when one was made.
CREATE FUNCTION make_uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                                          PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::int8) FROM 3)
                                          FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;
CREATE FUNCTION uuid_v7_time(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_timestamp(('x0000' || left(translate(id::text, '-', ''), 12))::bit(64)::int8 / 1000.0)
$$;

-- An id and a time as the API shows them (src/base/id.hpp, src/base/timestamp.hpp).
CREATE FUNCTION id_text(prefix text, id uuid) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT prefix || '_' || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + substring(b.bits FROM 5 * i + 1 FOR 5)::bit(5)::int, 1),
                                       '' ORDER BY i)
    FROM (SELECT B'00' || ('x' || translate(id::text, '-', ''))::bit(128) AS bits) b, generate_series(0, 25) AS i
$$;
CREATE FUNCTION time_text(at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- Operational webhooks: what an organization is told about its own endpoints and messages. They are ordinary messages of its operational
-- application, made in the transaction of what they tell of: never of something that was rolled back, and never lost. What concerns
-- that application itself is not told.

-- The operational application of an organization, if an endpoint of it wants this type of event about that application; else null.
CREATE FUNCTION operational_audience(of_org uuid, about_app uuid, of_type text) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT a.id FROM application a
    WHERE a.org_id = of_org AND a.operational AND a.id IS DISTINCT FROM about_app
      AND EXISTS (SELECT 1 FROM subscribed_endpoints(a.id, of_type, NULL))
$$;

CREATE FUNCTION post_operational_message(of_org uuid, about_app uuid, of_type text, data json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    to_app uuid := operational_audience(of_org, about_app, of_type);
    made uuid;
    woken text;
BEGIN
    IF to_app IS NULL THEN RETURN; END IF;
    -- As ingest locks ordered endpoints (I7).
    PERFORM 1 FROM endpoint e WHERE e.app_id = to_app AND e.ordered AND e.deleted_at IS NULL ORDER BY e.id FOR NO KEY UPDATE;
    made := make_uuid_v7();
    INSERT INTO message (app_id, id, event_type, payload)
    VALUES (to_app, made, of_type, convert_to(json_build_object('type', of_type, 'timestamp', time_text(clock_timestamp()), 'data', data)::text,
                                              'UTF8'));
    WITH fanned_out AS (
        INSERT INTO delivery (app_id, endpoint_id, message_id, shard, ordered, due_at)
        SELECT to_app, e.id, made, e.shard, e.ordered, clock_timestamp()
        FROM subscribed_endpoints(to_app, of_type, NULL) e
        RETURNING shard, endpoint_id
    )
    SELECT string_agg(f.shard || ':' || translate(f.endpoint_id::text, '-', ''), ',') INTO woken
    FROM (SELECT * FROM fanned_out LIMIT 100) f;
    PERFORM pg_notify('posthorn_shard', woken) WHERE woken IS NOT NULL;
END
$$;

-- What is told of an endpoint begins so.
CREATE FUNCTION endpoint_event(e endpoint, more jsonb) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT (jsonb_build_object('appId', id_text('app', a.id), 'appUid', a.uid, 'endpointId', id_text('ep', e.id), 'endpointUid', e.uid) || more)::json
    FROM application a WHERE a.id = e.app_id
$$;

CREATE FUNCTION tell_of_endpoint(e endpoint, of_type text, more jsonb DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF operational_audience(e.org_id, e.app_id, of_type) IS NOT NULL THEN
        PERFORM post_operational_message(e.org_id, e.app_id, of_type, endpoint_event(e, more));
    END IF;
END
$$;

CREATE FUNCTION endpoint_was_created() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_of_endpoint(NEW, 'endpoint.created');
    RETURN NULL;
END
$$;
CREATE TRIGGER endpoint_created AFTER INSERT ON endpoint FOR EACH ROW EXECUTE FUNCTION endpoint_was_created();

CREATE FUNCTION endpoint_was_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.deleted_at IS NOT NULL THEN
        IF OLD.deleted_at IS NULL THEN PERFORM tell_of_endpoint(NEW, 'endpoint.deleted'); END IF;
        RETURN NULL;
    END IF;
    IF NEW.updated_at <> OLD.updated_at
       AND (OLD.uid, OLD.url, OLD.description, OLD.event_types, OLD.channels, OLD.rate_limit, OLD.headers, OLD.metadata, OLD.http2, OLD.ordered,
            OLD.filter, OLD.retry_schedule, OLD.timeout_s)
           IS DISTINCT FROM
           (NEW.uid, NEW.url, NEW.description, NEW.event_types, NEW.channels, NEW.rate_limit, NEW.headers, NEW.metadata, NEW.http2, NEW.ordered,
            NEW.filter, NEW.retry_schedule, NEW.timeout_s) THEN
        PERFORM tell_of_endpoint(NEW, 'endpoint.updated');
    END IF;
    IF NEW.disabled AND NOT OLD.disabled THEN
        PERFORM tell_of_endpoint(NEW, 'endpoint.disabled',
                                 jsonb_build_object('reason', NEW.disabled_reason, 'failSince', time_text(coalesce(NEW.failing_since, NEW.updated_at)),
                                                    'trigger', CASE WHEN NEW.disabled_reason = 'manual' THEN 'manual' ELSE 'automatic' END));
    ELSIF OLD.disabled AND NOT NEW.disabled THEN
        PERFORM tell_of_endpoint(NEW, 'endpoint.enabled');
    ELSIF NEW.failing AND NOT OLD.failing THEN
        PERFORM tell_of_endpoint(NEW, 'endpoint.failing', jsonb_build_object('failSince', time_text(NEW.failing_since)));
    ELSIF OLD.failing AND NOT NEW.failing THEN
        PERFORM tell_of_endpoint(NEW, 'endpoint.recovered', jsonb_build_object('failSince', time_text(OLD.failing_since)));
    END IF;
    IF NEW.backlog_threshold IS NOT NULL AND OLD.backlog_threshold IS NULL THEN
        PERFORM tell_of_endpoint(NEW, 'backlog.threshold', jsonb_build_object('threshold', NEW.backlog_threshold));
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER endpoint_changed AFTER UPDATE ON endpoint FOR EACH ROW
    WHEN (NEW.updated_at <> OLD.updated_at OR NEW.failing <> OLD.failing OR NEW.backlog_threshold IS DISTINCT FROM OLD.backlog_threshold)
    EXECUTE FUNCTION endpoint_was_changed();

CREATE FUNCTION replay_was_completed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    e endpoint := (SELECT one FROM endpoint one WHERE one.id = NEW.endpoint_id);
BEGIN
    PERFORM post_operational_message(
        NEW.org_id, NEW.app_id, 'replay.completed',
        json_build_object('appId', id_text('app', NEW.app_id), 'appUid', (SELECT a.uid FROM application a WHERE a.id = NEW.app_id),
                          'endpointId', id_text('ep', e.id), 'endpointUid', e.uid, 'replayId', id_text('qtask', NEW.id),
                          'kind', CASE NEW.kind WHEN 'recover' THEN 'endpoint.recover' WHEN 'missing' THEN 'endpoint.replay'
                                                WHEN 'all' THEN 'endpoint.bulk_replay' ELSE 'dead-letter.replay' END,
                          'replayed', NEW.replayed));
    RETURN NULL;
END
$$;
CREATE TRIGGER replay_completed AFTER UPDATE OF state ON replay_job FOR EACH ROW
    WHEN (NEW.state = 'finished' AND OLD.state = 'running') EXECUTE FUNCTION replay_was_completed();

-- message.attempt.failing, .exhausted and .recovered; true, so that a query can ask for it.
CREATE FUNCTION tell_of_attempt(of_type text, of_app uuid, of_endpoint uuid, of_message uuid, attempt_id uuid, status_code int2,
                                reason int2) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
    e endpoint;
BEGIN
    SELECT one.* INTO e FROM endpoint one WHERE one.id = of_endpoint;
    -- First, since completion asks for each of its failures, and what follows takes time.
    IF operational_audience(e.org_id, e.app_id, of_type) IS NULL THEN RETURN true; END IF;
    PERFORM tell_of_endpoint(e, of_type, jsonb_build_object(
        'msgId', id_text('msg', of_message), 'msgEventId', (SELECT m.event_id FROM message m WHERE m.app_id = of_app AND m.id = of_message),
        'reason', CASE reason WHEN 1 THEN 'exhausted' WHEN 2 THEN 'endpoint-disabled' WHEN 3 THEN 'gone' WHEN 4 THEN 'expired'
                              WHEN 5 THEN 'aborted-by-receiver' WHEN 6 THEN 'undeliverable' END,
        'lastAttempt', jsonb_build_object('id', id_text('atmpt', attempt_id), 'responseStatusCode', status_code,
                                          'timestamp', time_text(uuid_v7_time(attempt_id)))));
    RETURN true;
END
$$;
