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
     WHERE appointment.reviewer_id = viewer() AND appointment.approved AND stands_as(2)
       AND account.roles @> ARRAY['MEDIATOR'];
END;

-- The piece of feedback whose receipt the viewer holds. Its mediator could have come by it, so it shows them nothing while
-- they're signed in.
CREATE FUNCTION held_receipt() RETURNS SETOF uuid STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT id FROM feedback WHERE receipt_hash = held_link() AND mediator_id IS DISTINCT FROM viewer();
END;

-- SECURITY DEFINER functions run as the owner, past the policies. Each checks for itself who may use it, and only the
-- roles of part 4 can call it at all.

-- The feedback about the viewer, also what's gone since. An administrator who is a mediator mustn't even come across it in
-- the audit log, and a statement of theirs can't leave out what it can't select.
CREATE FUNCTION about_viewer() RETURNS SETOF uuid STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT id FROM feedback WHERE mediator_id = viewer()
    UNION ALL SELECT id FROM gone_feedback WHERE mediator_id = viewer();
END;

REVOKE EXECUTE ON FUNCTION about_viewer FROM PUBLIC;

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
        UNION ALL SELECT id FROM cpd_entry WHERE mediator_id = owner
    ) AS theirs
     WHERE (owner = viewer() OR stands_as(8)) AND NOT by_token();
END;

REVOKE EXECUTE ON FUNCTION ids_of FROM PUBLIC;

-- Deletes the origins under the address of an account that is being deleted. Its owner may not read them. The address
-- must be verified: otherwise anybody could erase somebody else's by signing up with their address.
CREATE FUNCTION erase_origins(giver uuid) RETURNS void SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    DELETE FROM feedback_origin
     WHERE email_key = (SELECT email_key FROM account WHERE id = giver AND email_verified_at IS NOT NULL)
       AND (giver = viewer() OR stands_as(8)) AND NOT by_token();
END;

REVOKE EXECUTE ON FUNCTION erase_origins FROM PUBLIC;

-- A new password ends the links to the account's data, even when it's set by a mailed link and nobody is signed in.
CREATE FUNCTION end_exports(owner uuid) RETURNS void SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    DELETE FROM data_export WHERE account_id = owner AND NOT by_token();
END;

REVOKE EXECUTE ON FUNCTION end_exports FROM PUBLIC;


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

-- The fact that a party was asked for feedback. The party has a link to the request, which shows it and works once.
ALTER TABLE feedback_request ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON feedback_request FOR SELECT USING (mediator_id = (SELECT own_record()));
CREATE POLICY own_is_made ON feedback_request FOR INSERT WITH CHECK (mediator_id = (SELECT own_record()));
CREATE POLICY own_is_withdrawn ON feedback_request FOR UPDATE USING (mediator_id = (SELECT own_record()));
CREATE POLICY link_shows ON feedback_request FOR SELECT USING (secret_hash = (SELECT held_link()));
CREATE POLICY link_is_spent ON feedback_request FOR UPDATE USING (secret_hash = (SELECT held_link()));
CREATE POLICY work_mails ON feedback_request FOR SELECT TO :"worker" USING ((SELECT at_work()));

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

-- Feedback that's gone, but that the audit log names. Only `about_viewer` reads it, and only this trigger writes it. When
-- a mediator's whole account goes, there's nobody left to keep the entries from.
ALTER TABLE gone_feedback ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION remember_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.gone_feedback (id, mediator_id)
    SELECT OLD.id, OLD.mediator_id
     WHERE EXISTS (SELECT FROM public.audit_entry WHERE subject_id = OLD.id)
       AND EXISTS (SELECT FROM public.mediator WHERE id = OLD.mediator_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER remember_gone AFTER DELETE ON feedback FOR EACH ROW EXECUTE FUNCTION remember_gone();

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
CREATE TRIGGER only_administrators_approve BEFORE UPDATE OF approved ON appointment FOR EACH ROW
    WHEN (NEW.approved IS DISTINCT FROM OLD.approved AND NOT stands_as(8))
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

-- An account that never proved its address makes way for one that does.
CREATE TRIGGER only_owners_and_administrators_delete BEFORE DELETE ON account FOR EACH ROW
    WHEN (OLD.email_verified_at IS NOT NULL AND ((OLD.id = viewer() OR stands_as(8)) AND NOT by_token()) IS NOT TRUE)
    EXECUTE FUNCTION refuse_change();


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

-- Of a piece of feedback, only what's shared, admitted and released changes.
REVOKE UPDATE ON feedback FROM :"role";
GRANT UPDATE (shared, share_alone, network_hash, admission, released, release_at) ON feedback TO :"role";

GRANT EXECUTE ON FUNCTION about_viewer, ids_of, erase_origins, end_exports TO :"role";
