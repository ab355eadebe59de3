-- What a PostGraphile over the hub's tables needs: a role, rights to columns, rules, and the sums as functions.
CREATE ROLE bench_postgraphile LOGIN;
GRANT CONNECT ON DATABASE logbook TO bench_postgraphile;
GRANT SELECT (id, name, name_key, name_words, roles) ON account TO bench_postgraphile;
GRANT SELECT ON mediator TO bench_postgraphile;
GRANT SELECT ON logbook_entry, logbook_private, feedback, feedback_answer TO bench_postgraphile;
GRANT SELECT (mediator_id, reviewer_id, in_force) ON appointment TO bench_postgraphile;

-- The hub's own role isn't restricted by rules that its tables don't have.
CREATE POLICY bench_hub ON account TO logbook_app USING (true) WITH CHECK (true);
CREATE POLICY bench_hub ON mediator TO logbook_app USING (true) WITH CHECK (true);
CREATE POLICY bench_hub ON logbook_entry TO logbook_app USING (true) WITH CHECK (true);

CREATE POLICY bench ON account TO bench_postgraphile USING (true);
CREATE POLICY bench ON mediator TO bench_postgraphile
    USING (id = (SELECT own_record()) OR (visibility = 'DIRECTORIES' AND (SELECT stands_as(4)))
           OR id IN (SELECT reviewed FROM reviewed()));
CREATE POLICY bench ON logbook_entry TO bench_postgraphile
    USING (mediator_id = (SELECT own_record())
           OR ((SELECT stands_as(4)) AND EXISTS (
               SELECT FROM mediator WHERE mediator.id = mediator_id AND visibility = 'DIRECTORIES')));
ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE mediator ENABLE ROW LEVEL SECURITY;
ALTER TABLE logbook_entry ENABLE ROW LEVEL SECURITY;

CREATE SCHEMA bench;
GRANT USAGE ON SCHEMA bench TO bench_postgraphile;
CREATE TYPE bench.hours AS (role text, minutes bigint, cases bigint);
CREATE FUNCTION bench.mediator_hours(m mediator) RETURNS SETOF bench.hours STABLE LANGUAGE sql AS $$
    SELECT role, sum(minutes), count(*) FROM logbook_entry
     WHERE mediator_id = m.id AND NOT simulated AND role IN ('LEAD_MEDIATOR', 'CO_MEDIATOR') GROUP BY role ORDER BY role $$;
CREATE TYPE bench.totals AS (minutes bigint, cases bigint);
CREATE FUNCTION bench.mediator_totals(m mediator) RETURNS bench.totals STABLE LANGUAGE sql AS $$
    SELECT sum(minutes), count(*) FROM logbook_entry
     WHERE mediator_id = m.id AND NOT simulated AND role IN ('LEAD_MEDIATOR', 'CO_MEDIATOR') $$;
CREATE FUNCTION bench.mediators_named(words text) RETURNS SETOF mediator STABLE LANGUAGE sql AS $$
    SELECT mediator.* FROM mediator JOIN account ON account.id = mediator.id
     WHERE name_words @@ words::tsquery ORDER BY name_key, mediator.id $$;
