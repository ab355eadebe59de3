-- The rules that the database itself holds to: its clock, who reaches which private row, who changes what somebody may
-- do, and what each role may do.
--
-- They say once more what `permissions/scopes.py` says. A statement whose scope was forgotten finds nothing, because
-- nobody sees a private row until the transaction says who is asking (`ask`, below).
--
-- This file is what a database has today; `migrations/versions/` is how it got there. To change a rule, change it here
-- and run `logbook make-migration`, which writes the migration. A test makes one database from the migrations and
-- another from the models and this file, and compares everything that PostgreSQL's catalogue knows of the two.
--
-- There are three roles, named by the URLs of the settings:
--   the owner (DATABASE_OWNER_URL) owns every table and function and runs migrations and backups. Policies don't bind
--     it, and a cascade runs as it, so that a deleted account takes its rows along;
--   the web server's role (DATABASE_URL) owns nothing and has the rights of part 4;
--   the worker's role (DATABASE_WORKER_URL) has the same rights, and is the only one that the policies named `work_...`
--     are for. Below, it's :"worker"; if it has no URL of its own, that's the web server's role.
--
-- `models/rules.py` splits the file at the lines that begin with "-- Part" and fills in the names of the roles.


-- Part 1: the clock, which comes before the tables because their defaults read it.

-- The clock that every default and every expiry goes by. A demo or a test moves it with a setting that its connections
-- start with.
CREATE FUNCTION clock() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT now() + coalesce(nullif(current_setting('logbook.clock_offset', true), ''), '0')::interval $$;


-- Part 2: the functions. The tables have been made by now, from the models.
--
-- A function comes after those that it calls. A body written in SQL is parsed when the function is created, so no
-- search path can later point a name in it at something else.

-- Tells the rules who is asking, until the transaction ends. Always true: it's called for its effect, and STABLE so
-- that a statement can begin with it (`models/row_security.py`). Settings mustn't change while parallel workers run,
-- hence PARALLEL UNSAFE. What `ask` wasn't told reads as null, none and no.
CREATE FUNCTION ask(viewer uuid, standings int, by_token boolean, link bytea, at_work boolean) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL UNSAFE AS $$
BEGIN
    RETURN (
        pg_catalog.set_config('logbook.viewer', coalesce(viewer::text, ''), true),
        pg_catalog.set_config('logbook.standings', standings::text, true),
        pg_catalog.set_config('logbook.by_token', by_token::text, true),
        pg_catalog.set_config('logbook.link', coalesce(pg_catalog.encode(link, 'hex'), ''), true),
        pg_catalog.set_config('logbook.at_work', at_work::text, true)
    ) IS NOT NULL;
END
$$;

-- The account that is asking.
CREATE FUNCTION viewer() RETURNS uuid STABLE PARALLEL SAFE
RETURN nullif(current_setting('logbook.viewer', true), '')::uuid;

-- Whether the viewer has a standing. Its bit is that of `permissions.viewer.Standing`: 1 SELF, 2 REVIEWER, 8 ADMIN.
CREATE FUNCTION stands_as(standing int) RETURNS boolean STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('logbook.standings', true), '')::int & standing, 0) <> 0;

-- Whether it's an API token that is asking, and not a person who signed in.
CREATE FUNCTION by_token() RETURNS boolean STABLE PARALLEL SAFE
RETURN coalesce(current_setting('logbook.by_token', true) = 'true', false);

-- The hash of the mailed link that somebody came with.
CREATE FUNCTION held_link() RETURNS bytea STABLE PARALLEL SAFE
RETURN decode(nullif(current_setting('logbook.link', true), ''), 'hex');

-- Whether it's the worker that is asking. Anybody can say so; the policies also want its role.
CREATE FUNCTION at_work() RETURNS boolean STABLE PARALLEL SAFE
RETURN coalesce(current_setting('logbook.at_work', true) = 'true', false);

-- The mediator whose own records these are, if the viewer may act as one.
CREATE FUNCTION own_record() RETURNS uuid STABLE PARALLEL SAFE
RETURN CASE WHEN stands_as(1) THEN viewer() END;

-- The mediators whom the viewer reviews.
CREATE FUNCTION reviewed() RETURNS SETOF uuid STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT appointment.mediator_id FROM appointment JOIN account ON account.id = appointment.mediator_id
     WHERE appointment.reviewer_id = viewer() AND appointment.in_force AND stands_as(2)
       AND account.roles @> ARRAY['MEDIATOR'];
END;

-- Whether an appointment has every yes that it needs: the reviewer's own, and of administrators what `approval` says.
CREATE FUNCTION has_every_yes(reviewer uuid, accepted_at timestamptz, approval text, approved_at timestamptz)
RETURNS boolean STABLE PARALLEL SAFE
RETURN accepted_at IS NOT NULL AND (
    approval = 'none'
    OR (
        (approval = 'new' OR approved_at IS NOT NULL)
        AND EXISTS (SELECT FROM account WHERE id = reviewer AND reviewer_confirmed_at IS NOT NULL)
    )
);

-- The piece of feedback whose receipt the viewer holds. Its mediator could have come by it, so it shows them nothing while
-- they're signed in.
CREATE FUNCTION held_receipt() RETURNS SETOF uuid STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT id FROM feedback WHERE receipt_hash = held_link() AND mediator_id IS DISTINCT FROM viewer();
END;

-- SECURITY DEFINER functions run as the owner, past the policies. Each checks for itself who may use it, and only the
-- roles of part 4 can call it at all.

-- The feedback about the viewer. An administrator who is a mediator mustn't even come across it in the audit log, and a
-- statement of theirs can't leave out what it can't select.
CREATE FUNCTION about_viewer() RETURNS SETOF uuid STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT id FROM feedback WHERE mediator_id = viewer();
END;

REVOKE EXECUTE ON FUNCTION about_viewer FROM PUBLIC;

-- The audit log's length and last MAC (zeros before the first entry), which stay as they are until this transaction
-- ends: anybody else who adds to the log waits here. VOLATILE, so that it looks only once it has the lock, whose number
-- is any; it's this product's own.
CREATE FUNCTION lock_audit_log(OUT length bigint, OUT mac bytea, OUT now timestamptz)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7203312);
    SELECT sequence, audit_entry.mac INTO length, mac
      FROM audit_entry WHERE sequence IS NOT NULL ORDER BY sequence DESC LIMIT 1;
    length := coalesce(length, 0);
    mac := coalesce(mac, decode(repeat('00', 32), 'hex'));
    now := clock();
END
$$;

-- The ids of everything that belongs to an account: when it's deleted, queued work and repeated requests with one of
-- these ids go too.
CREATE FUNCTION ids_of(owner uuid) RETURNS SETOF uuid STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT theirs.id FROM (
        SELECT id FROM account WHERE id = owner
        UNION ALL SELECT id FROM feedback WHERE mediator_id = owner
        UNION ALL SELECT id FROM feedback_request WHERE mediator_id = owner
        UNION ALL SELECT id FROM reviewer_invitation WHERE mediator_id = owner
        UNION ALL SELECT id FROM account_link WHERE account_id = owner
        UNION ALL SELECT id FROM data_export WHERE account_id = owner
        UNION ALL SELECT id FROM api_token WHERE account_id = owner
        UNION ALL SELECT id FROM logbook_entry WHERE mediator_id = owner
        UNION ALL SELECT id FROM case_session WHERE mediator_id = owner
        UNION ALL SELECT id FROM cpd_entry WHERE mediator_id = owner
        UNION ALL SELECT id FROM opening_balance WHERE mediator_id = owner
        UNION ALL SELECT id FROM evidence_file WHERE mediator_id = owner
    ) AS theirs
     WHERE (owner = viewer() OR stands_as(8)) AND NOT by_token();
END;

REVOKE EXECUTE ON FUNCTION ids_of FROM PUBLIC;

-- Deletes the origins from the mailbox of an account that is being deleted, given its keyed hashes. The owner may not read
-- them. The address must be verified: otherwise anybody could erase somebody else's by signing up with their address.
CREATE FUNCTION erase_origins(giver uuid, mailbox bytea[]) RETURNS void
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    DELETE FROM feedback_origin
     WHERE mailbox_hash = ANY (mailbox)
       AND EXISTS (SELECT FROM account WHERE id = giver AND email_verified_at IS NOT NULL)
       AND (giver = viewer() OR stands_as(8)) AND NOT by_token();
END;

REVOKE EXECUTE ON FUNCTION erase_origins FROM PUBLIC;

-- Deletes the invitations to the address of an account that is being deleted, on the same condition.
CREATE FUNCTION erase_invitations(invited uuid) RETURNS void SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    DELETE FROM reviewer_invitation
     WHERE email_key = (SELECT email_key FROM account WHERE id = invited AND email_verified_at IS NOT NULL)
       AND (invited = viewer() OR stands_as(8)) AND NOT by_token();
END;

REVOKE EXECUTE ON FUNCTION erase_invitations FROM PUBLIC;

-- Somebody who accepts an invitation, by its link, ends all invitations of that mediator: one reviewer is enough.
CREATE FUNCTION end_invitations() RETURNS bigint SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH ended AS (
        DELETE FROM reviewer_invitation
         WHERE mediator_id IN (SELECT mediator_id FROM reviewer_invitation WHERE secret_hash = held_link())
        RETURNING id
    )
    SELECT count(*) FROM ended;
END;

REVOKE EXECUTE ON FUNCTION end_invitations FROM PUBLIC;

-- A new password ends the links to the account's data, even when it's set by a mailed link and nobody is signed in.
CREATE FUNCTION end_exports(owner uuid) RETURNS void SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    DELETE FROM data_export WHERE account_id = owner AND NOT by_token();
END;

REVOKE EXECUTE ON FUNCTION end_exports FROM PUBLIC;

-- Rewrites what parties gave since the last time, in random order, so that PostgreSQL's marks (a row's transaction,
-- its place) no longer tell what was written together: answers with their origins, and the marks of used links. Older
-- rows are written along, so that a day's few don't stand out. Gives how many rows were new.
CREATE FUNCTION mix_answers(at_least int) RETURNS int LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    recent int := (SELECT count(*) FROM public.feedback WHERE NOT mixed);
    used int := (SELECT count(*) FROM public.spent_link WHERE NOT mixed);
    piece uuid;
    used_link bytea;
BEGIN
    IF NOT public.at_work() THEN
        RAISE insufficient_privilege;
    END IF;
    FOR piece IN
        SELECT id FROM (
            SELECT id FROM public.feedback WHERE NOT mixed
            UNION ALL
            (SELECT id FROM public.feedback WHERE mixed AND recent > 0 ORDER BY random() LIMIT greatest(0, at_least - recent))
        ) AS those ORDER BY random()
    LOOP
        UPDATE public.feedback SET mixed = true WHERE id = piece;
        -- A long value stays where it is, with its old mark, unless it's made again.
        UPDATE public.feedback_answer SET text = text || '' WHERE feedback_id = piece;
        UPDATE public.feedback_origin SET sealed = sealed || '' WHERE id = piece;
    END LOOP;
    FOR used_link IN
        SELECT mark FROM (
            SELECT mark FROM public.spent_link WHERE NOT mixed
            UNION ALL
            (SELECT mark FROM public.spent_link WHERE mixed AND used > 0 ORDER BY random() LIMIT greatest(0, at_least - used))
        ) AS those ORDER BY random()
    LOOP
        UPDATE public.spent_link SET mixed = true WHERE mark = used_link;
    END LOOP;
    RETURN recent + used;
END
$$;

REVOKE EXECUTE ON FUNCTION mix_answers FROM PUBLIC;

-- Rewrites a whole table, in the order of its random key and without what was deleted or overwritten. False if
-- somebody is using the table: whoever came next would wait for us to get it.
CREATE FUNCTION rewrite(which text) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
BEGIN
    IF NOT public.at_work() THEN
        RAISE insufficient_privilege;
    END IF;
    EXECUTE format('CLUSTER public.%I USING %I', which, which || '_pkey');
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$;

REVOKE EXECUTE ON FUNCTION rewrite FROM PUBLIC;

-- The ids of the keys that files need. They say nothing about a key or a file, so anybody may ask: each process checks
-- at its start that it has these keys.
CREATE FUNCTION file_key_ids() RETURNS SETOF bytea STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT substring(sealed FROM 1 FOR 4) FROM evidence_file;
END;

REVOKE EXECUTE ON FUNCTION file_key_ids FROM PUBLIC;

-- Which of these ids are files', so that a worker can tell what belongs to none without reading any. It leaves nothing
-- out for anybody: to a worker whom the rules took for somebody else, all files would seem unknown.
CREATE FUNCTION known_files(ids uuid[]) RETURNS SETOF uuid STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT id FROM evidence_file WHERE id = ANY (ids);
END;

REVOKE EXECUTE ON FUNCTION known_files FROM PUBLIC;

-- Notes the id of a file that's gone, however it went. Workers then remove its bytes, and record the id in the ledger.
CREATE FUNCTION note_deleted_file() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.deleted_file (id) VALUES (OLD.id) ON CONFLICT (id) DO UPDATE SET swept = false;
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION note_deleted_file FROM PUBLIC;

-- Keeps what a CPD entry tells about its files: whether one of them is a certificate.
CREATE FUNCTION keep_has_certificate() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry uuid := coalesce(NEW.entry_id, OLD.entry_id);
    certified boolean := EXISTS (SELECT FROM public.evidence_file WHERE entry_id = entry AND kind = 'CERTIFICATE');
BEGIN
    UPDATE public.cpd_entry SET has_certificate = certified WHERE id = entry AND has_certificate <> certified;
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION keep_has_certificate FROM PUBLIC;


-- Part 3: the policies, table by table.
--
-- On a guarded table, only the owner can do what no policy allows. Where several policies are for the same command, one
-- that allows it is enough. A sub-select that names no column of the row is worked out once per statement, not once per
-- row; the other conditions are on columns of the row itself.

-- What a mediator wrote about a case for their own eyes only. It says IN because with = the planner couldn't tell that
-- this picks few rows, and would gather everything that somebody ever wrote for a page of 25.
ALTER TABLE logbook_private ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON logbook_private USING (mediator_id IN (SELECT own_record()));

-- What a mediator took away from a training, likewise.
ALTER TABLE cpd_private ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON cpd_private USING (mediator_id IN (SELECT own_record()));

-- The files that a mediator attached to their CPD entries, likewise. What others may know is in `cpd_entry`.
ALTER TABLE evidence_file ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON evidence_file FOR SELECT USING (mediator_id IN (SELECT own_record()));
CREATE POLICY own_is_attached ON evidence_file FOR INSERT WITH CHECK (
    mediator_id = (SELECT own_record())
    AND entry_id IN (SELECT id FROM cpd_entry WHERE mediator_id = (SELECT own_record()))
);
CREATE POLICY own_is_detached ON evidence_file FOR DELETE USING (mediator_id IN (SELECT own_record()));

-- Which files are gone, for the workers' ledgers, and whether their bytes are.
ALTER TABLE deleted_file ENABLE ROW LEVEL SECURITY;
CREATE POLICY work_records ON deleted_file FOR SELECT TO :"worker" USING ((SELECT at_work()));
CREATE POLICY work_sweeps ON deleted_file FOR UPDATE TO :"worker" USING ((SELECT at_work()));

CREATE TRIGGER notes_deleted_file AFTER DELETE ON evidence_file FOR EACH ROW EXECUTE FUNCTION note_deleted_file();
CREATE TRIGGER keeps_has_certificate AFTER INSERT OR DELETE ON evidence_file FOR EACH ROW
    EXECUTE FUNCTION keep_has_certificate();

-- The fact that a party was asked for feedback. The party has a link to the request, which shows it. Using it changes
-- nothing here, because PostgreSQL would note by which transaction, and so with which answers.
ALTER TABLE feedback_request ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON feedback_request FOR SELECT USING (mediator_id = (SELECT own_record()));
CREATE POLICY own_is_made ON feedback_request FOR INSERT WITH CHECK (mediator_id = (SELECT own_record()));
CREATE POLICY own_is_withdrawn ON feedback_request FOR UPDATE USING (mediator_id = (SELECT own_record()));
CREATE POLICY link_shows ON feedback_request FOR SELECT USING (secret_hash = (SELECT held_link()));
CREATE POLICY work_mails ON feedback_request FOR SELECT TO :"worker" USING ((SELECT at_work()));

-- Which links were used. The marks tell nothing to anybody who doesn't have the link and the service's key.
ALTER TABLE spent_link ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_link ON spent_link FOR SELECT USING ((SELECT held_link()) IS NOT NULL);
CREATE POLICY link_is_spent ON spent_link FOR INSERT WITH CHECK ((SELECT held_link()) IS NOT NULL);
CREATE POLICY work_forgets ON spent_link FOR ALL TO :"worker" USING ((SELECT at_work()));

-- The sealed keys of who was asked about what, day by day.
ALTER TABLE details_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON details_key FOR SELECT USING ((SELECT stands_as(1)));
CREATE POLICY own_is_made ON details_key FOR INSERT WITH CHECK ((SELECT stands_as(1)));
CREATE POLICY work_mails ON details_key FOR SELECT TO :"worker" USING ((SELECT at_work()));
CREATE POLICY work_erases ON details_key FOR DELETE TO :"worker" USING ((SELECT at_work()));

-- Who was asked about what. It's gone after 120 hours, and isn't shown any longer even if no worker has run.
ALTER TABLE feedback_request_details ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_for_five_days ON feedback_request_details FOR SELECT
    USING (mediator_id = (SELECT own_record()) AND made_at > (SELECT clock() - interval '120 hours'));
CREATE POLICY own_is_made ON feedback_request_details FOR INSERT WITH CHECK (mediator_id = (SELECT own_record()));
CREATE POLICY own_is_withdrawn ON feedback_request_details FOR DELETE USING (mediator_id = (SELECT own_record()));
CREATE POLICY work_mails ON feedback_request_details FOR SELECT TO :"worker" USING ((SELECT at_work()));
CREATE POLICY work_erases ON feedback_request_details FOR DELETE TO :"worker" USING ((SELECT at_work()));

-- A finished survey. Its mediator reads it once it was shared and released; administrators and the mediator's reviewers
-- read all of it, but never what is about themselves. Anybody gives feedback, except about themselves. What's held is for
-- administrators alone, and what's discarded for nobody. With its receipt, its giver sees it in any case.
ALTER TABLE feedback ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON feedback FOR SELECT USING (
    (mediator_id = (SELECT own_record()) AND shared AND released AND admission = 'ADMITTED')
    OR (
        mediator_id <> (SELECT viewer())
        AND (
            ((SELECT stands_as(8)) AND admission <> 'DISCARDED')
            OR (admission = 'ADMITTED' AND mediator_id IN (SELECT reviewed FROM reviewed()))
        )
    )
);
CREATE POLICY given_about_another ON feedback FOR INSERT WITH CHECK (mediator_id IS DISTINCT FROM (SELECT viewer()));
CREATE POLICY receipt_shows ON feedback FOR SELECT
    USING (receipt_hash = (SELECT held_link()) AND mediator_id IS DISTINCT FROM (SELECT viewer()));
CREATE POLICY receipt_shares ON feedback FOR UPDATE
    USING (receipt_hash = (SELECT held_link()) AND mediator_id IS DISTINCT FROM (SELECT viewer()) AND NOT released);
CREATE POLICY receipt_erases ON feedback FOR DELETE
    USING (receipt_hash = (SELECT held_link()) AND mediator_id IS DISTINCT FROM (SELECT viewer()));
CREATE POLICY administrators_admit ON feedback FOR UPDATE
    USING ((SELECT stands_as(8)) AND mediator_id <> (SELECT viewer()) AND admission = 'HELD')
    WITH CHECK (admission = 'ADMITTED');
CREATE POLICY administrators_remove ON feedback FOR DELETE
    USING (
        (SELECT stands_as(8) AND NOT by_token()) AND mediator_id <> (SELECT viewer()) AND admission <> 'DISCARDED'
    );
CREATE POLICY work_mails ON feedback FOR SELECT TO :"worker" USING ((SELECT at_work()));
CREATE POLICY work_releases ON feedback FOR UPDATE TO :"worker" USING ((SELECT at_work()));

-- Its answers, for the same readers; the mediator doesn't see those that are for the reviewer only.
ALTER TABLE feedback_answer ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON feedback_answer FOR SELECT USING (
    (
        mediator_id = (SELECT own_record())
        AND NOT reviewer_only
        AND feedback_id IN (
            SELECT id FROM feedback
             WHERE mediator_id = (SELECT own_record()) AND shared AND released AND admission = 'ADMITTED'
        )
    )
    OR (
        mediator_id <> (SELECT viewer())
        AND (
            ((SELECT stands_as(8)) AND admission <> 'DISCARDED')
            OR (admission = 'ADMITTED' AND mediator_id IN (SELECT reviewed FROM reviewed()))
        )
    )
);
CREATE POLICY given_about_another ON feedback_answer FOR INSERT
    WITH CHECK (mediator_id IS DISTINCT FROM (SELECT viewer()));
CREATE POLICY receipt_shows ON feedback_answer FOR SELECT USING (feedback_id IN (SELECT held_receipt FROM held_receipt()));

-- Who gave it. Administrators read that in person, not with a token, and never about themselves.
ALTER TABLE feedback_origin ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON feedback_origin FOR SELECT USING (
    (SELECT stands_as(8) AND NOT by_token())
    AND EXISTS (
        SELECT FROM feedback WHERE feedback.id = feedback_origin.id AND feedback.mediator_id <> (SELECT viewer())
    )
);
CREATE POLICY given ON feedback_origin FOR INSERT WITH CHECK (true);
CREATE POLICY work_mails ON feedback_origin FOR SELECT TO :"worker" USING ((SELECT at_work()));
CREATE POLICY work_erases ON feedback_origin FOR DELETE TO :"worker" USING ((SELECT at_work()));

-- Whom a mediator invited to review them, by their address. The invited person has a link, which shows it and works once.
ALTER TABLE reviewer_invitation ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON reviewer_invitation USING (mediator_id = (SELECT own_record()));
CREATE POLICY link_shows ON reviewer_invitation FOR SELECT USING (secret_hash = (SELECT held_link()));
CREATE POLICY work_mails ON reviewer_invitation FOR SELECT TO :"worker" USING ((SELECT at_work()));
CREATE POLICY work_erases ON reviewer_invitation FOR DELETE TO :"worker" USING ((SELECT at_work()));

-- The archives of somebody's own data, only for them in person: a token can neither ask for one nor fetch it.
ALTER TABLE data_export ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON data_export FOR SELECT USING (account_id = (SELECT viewer()) AND NOT (SELECT by_token()));
CREATE POLICY own_is_asked_for ON data_export FOR INSERT
    WITH CHECK (account_id = (SELECT viewer()) AND NOT (SELECT by_token()));
CREATE POLICY work_reads ON data_export FOR SELECT TO :"worker" USING ((SELECT at_work()));
CREATE POLICY work_makes ON data_export FOR UPDATE TO :"worker" USING ((SELECT at_work()));
CREATE POLICY work_erases ON data_export FOR DELETE TO :"worker" USING ((SELECT at_work()));

-- Accounts and appointments aren't private, so everybody's transactions reach them. But only administrators change what
-- somebody may do, and only they and its owner delete an account. The role that owns the tables may do so, too: a
-- trigger would bind it, unlike a policy.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_has_role((SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER') THEN
        RETURN coalesce(NEW, OLD);
    END IF;
    RAISE insufficient_privilege USING MESSAGE = format('%s on %s', TG_NAME, TG_TABLE_NAME);
END
$$;

-- In person, not with a token. Anybody may become a reviewer: by an invitation.
CREATE TRIGGER only_administrators_change_roles BEFORE UPDATE OF roles ON account FOR EACH ROW
    WHEN (
        NEW.roles IS DISTINCT FROM OLD.roles
        AND NOT (stands_as(8) AND NOT by_token())
        AND (NEW.id = viewer() AND NEW.roles @> OLD.roles AND NEW.roles <@ (OLD.roles || ARRAY['REVIEWER'])) IS NOT TRUE
    )
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_administrators_change_paid_access BEFORE UPDATE OF paid_until ON account FOR EACH ROW
    WHEN (NEW.paid_until IS DISTINCT FROM OLD.paid_until AND NOT stands_as(8))
    EXECUTE FUNCTION refuse_change();

-- Administrators confirm reviewers in person, and never themselves. Whoever takes the role away ends that, too.
CREATE TRIGGER nobody_begins_confirmed BEFORE INSERT ON account FOR EACH ROW
    WHEN (NEW.reviewer_confirmed_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_administrators_confirm BEFORE UPDATE OF reviewer_confirmed_at ON account FOR EACH ROW
    WHEN (
        NEW.reviewer_confirmed_at IS DISTINCT FROM OLD.reviewer_confirmed_at
        AND (
            stands_as(8) AND NOT by_token() AND (NEW.id <> viewer() OR NEW.reviewer_confirmed_at IS NULL)
        ) IS NOT TRUE
    )
    EXECUTE FUNCTION refuse_change();

-- An appointment begins without any yes, and stays between the two that it's between. The reviewer accepts it in person
-- and says how they know the mediator; an administrator who is neither of the two approves it. What it needs may grow,
-- but never shrink; once it has all of that, it may come into force.
CREATE TRIGGER begins_without_a_yes BEFORE INSERT ON appointment FOR EACH ROW
    WHEN (
        NEW.in_force OR NEW.accepted_at IS NOT NULL OR NEW.approved_at IS NOT NULL
        OR NEW.relation IS NOT NULL OR NEW.relation_details IS NOT NULL
    )
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays_between_two BEFORE UPDATE OF mediator_id, reviewer_id ON appointment FOR EACH ROW
    WHEN (NEW.mediator_id <> OLD.mediator_id OR NEW.reviewer_id <> OLD.reviewer_id)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_the_reviewer_accepts
    BEFORE UPDATE OF accepted_at, relation, relation_details ON appointment FOR EACH ROW
    WHEN (
        (
            NEW.accepted_at IS DISTINCT FROM OLD.accepted_at
            OR NEW.relation IS DISTINCT FROM OLD.relation
            OR NEW.relation_details IS DISTINCT FROM OLD.relation_details
        )
        AND (NEW.reviewer_id = viewer() AND NOT by_token()) IS NOT TRUE
    )
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_administrators_approve BEFORE UPDATE OF approved_at ON appointment FOR EACH ROW
    WHEN (
        NEW.approved_at IS DISTINCT FROM OLD.approved_at
        AND (stands_as(8) AND viewer() NOT IN (NEW.mediator_id, NEW.reviewer_id)) IS NOT TRUE
    )
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER needs_no_less_than_before BEFORE UPDATE OF approval ON appointment FOR EACH ROW
    WHEN (
        array_position(ARRAY['none', 'new', 'each'], NEW.approval)
            < array_position(ARRAY['none', 'new', 'each'], OLD.approval)
    )
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER in_force_only_with_every_yes BEFORE UPDATE OF in_force ON appointment FOR EACH ROW
    WHEN (
        NEW.in_force AND NOT OLD.in_force
        AND NOT has_every_yes(NEW.reviewer_id, NEW.accepted_at, NEW.approval, NEW.approved_at)
    )
    EXECUTE FUNCTION refuse_change();

-- Sharing a piece of feedback is up to its giver, until it's released; admitting a held one, which then waits to be
-- released as if it had just come, to administrators.
CREATE TRIGGER only_givers_share BEFORE UPDATE OF shared, share_alone ON feedback FOR EACH ROW
    WHEN (
        (NEW.shared, NEW.share_alone) IS DISTINCT FROM (OLD.shared, OLD.share_alone)
        AND (OLD.receipt_hash = held_link() AND NOT OLD.released) IS NOT TRUE
    )
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_administrators_admit BEFORE UPDATE OF admission ON feedback FOR EACH ROW
    WHEN (
        NEW.admission <> OLD.admission
        AND NOT (stands_as(8) AND OLD.admission = 'HELD' AND NEW.admission = 'ADMITTED')
    )
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_work_releases BEFORE UPDATE OF released, release_at ON feedback FOR EACH ROW
    WHEN (
        (NEW.released, NEW.release_at) IS DISTINCT FROM (OLD.released, OLD.release_at)
        AND NOT at_work() AND NEW.admission = OLD.admission
    )
    EXECUTE FUNCTION refuse_change();

-- A case that has sessions lasts as long as they do, and its days include theirs.
CREATE FUNCTION add_up_case() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    sums record;
BEGIN
    SELECT sum(minutes) AS minutes, coalesce(sum(minutes) FILTER (WHERE kind = 'MEDIATION'), 0) AS contact,
           min(held_on) AS first, max(held_on) AS last
      INTO sums FROM case_session WHERE entry_id = NEW.id AND mediator_id = NEW.mediator_id;
    NEW.contact_minutes := CASE WHEN sums.minutes IS NOT NULL THEN sums.contact END;
    NEW.minutes := coalesce(sums.minutes, NEW.minutes);
    NEW.started_on := least(NEW.started_on, sums.first);
    NEW.ended_on := greatest(NEW.ended_on, sums.last);
    RETURN NEW;
END
$$;

CREATE TRIGGER adds_up BEFORE UPDATE ON logbook_entry FOR EACH ROW EXECUTE FUNCTION add_up_case();

-- While the version before still runs, it writes kinds of dispute in words, with their fold, which nothing else writes
-- any more. Directories would read the words, so they go to the case's private subject: the same transaction writes that
-- row next. Both functions can go once that version is gone.
CREATE FUNCTION spill_dispute_kind() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    spilled jsonb := coalesce(nullif(current_setting('logbook.spilled', true), ''), '{}')::jsonb;
BEGIN
    IF TG_OP = 'INSERT' OR NEW.dispute_kind IS DISTINCT FROM OLD.dispute_kind THEN
        PERFORM set_config('logbook.spilled', (spilled || jsonb_build_object(NEW.id, NEW.dispute_kind))::text, true);
        NEW.dispute_kind := 'OTHER';
    END IF;
    NEW.dispute_kind_folded := NULL;
    RETURN NEW;
END
$$;

CREATE FUNCTION keep_spilled() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.subject := nullif(
        concat_ws('; ', NEW.subject, current_setting('logbook.spilled', true)::jsonb ->> NEW.id::text), ''
    );
    RETURN NEW;
END
$$;

CREATE TRIGGER spills BEFORE INSERT OR UPDATE OF dispute_kind_folded ON logbook_entry FOR EACH ROW
    WHEN (NEW.dispute_kind_folded IS NOT NULL) EXECUTE FUNCTION spill_dispute_kind();
CREATE TRIGGER keeps_spilled BEFORE INSERT OR UPDATE ON logbook_private FOR EACH ROW
    WHEN (coalesce(current_setting('logbook.spilled', true), '') <> '') EXECUTE FUNCTION keep_spilled();

-- Whether a CPD entry has a certificate is up to its files alone.
CREATE TRIGGER nothing_begins_certified BEFORE INSERT ON cpd_entry FOR EACH ROW
    WHEN (NEW.has_certificate)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_files_certify BEFORE UPDATE OF has_certificate ON cpd_entry FOR EACH ROW
    WHEN (NEW.has_certificate <> OLD.has_certificate)
    EXECUTE FUNCTION refuse_change();

-- An account that never proved its address makes way for one that does.
CREATE TRIGGER only_owners_and_administrators_delete BEFORE DELETE ON account FOR EACH ROW
    WHEN (OLD.email_verified_at IS NOT NULL AND ((OLD.id = viewer() OR stands_as(8)) AND NOT by_token()) IS NOT TRUE)
    EXECUTE FUNCTION refuse_change();

-- What was erased stays in a table's pages until it's overwritten. Vacuum makes room for that, and doesn't wait until
-- there's much of it.
ALTER TABLE details_key SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE feedback_request_details SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE feedback SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE feedback_answer SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE feedback_origin SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE spent_link SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE reviewer_invitation SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE outbox SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE account SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE mediator SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE logbook_entry SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE case_session SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE logbook_private SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE cpd_entry SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE cpd_private SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE opening_balance SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE evidence_file SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE appointment SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE request_key SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE data_export SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);


-- Part 4: what a role that owns nothing may do, once for the web server's and once for the worker's, as :"role".
--
-- `logbook migrate` runs this part each time, so a new table or column needs no grant of its own. Databases keep what
-- they were once granted: to take something away, write its REVOKE here.

-- Every table, with all its columns; which rows of the private ones is for the policies to say.
GRANT USAGE ON SCHEMA public TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"role";

-- The audit log only grows, and nobody but the owner writes the migrations' own table.
REVOKE UPDATE, DELETE ON audit_entry FROM :"role";
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM :"role";

-- A file is attached and detached, and never changed; that it's gone is noted by the database itself.
REVOKE UPDATE ON evidence_file FROM :"role";
REVOKE INSERT, UPDATE, DELETE ON deleted_file FROM :"role";
GRANT UPDATE (swept) ON deleted_file TO :"role";

-- Of a piece of feedback, only what's shared, admitted and released changes.
REVOKE UPDATE ON feedback FROM :"role";
GRANT UPDATE (shared, share_alone, network_hash, admission, released, release_at) ON feedback TO :"role";

GRANT EXECUTE ON FUNCTION about_viewer, ids_of, erase_origins, erase_invitations, end_invitations, end_exports,
    mix_answers, rewrite, file_key_ids, known_files TO :"role";
