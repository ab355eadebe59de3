"""What PostgreSQL's catalogue says about a database, thing by thing, so that two databases can be compared."""

import re
from itertools import chain
from typing import NamedTuple

from sqlalchemy import Connection

# Each gives the name, the table ("" if there's none), the text that makes the thing, and the SQL that drops it. If that
# SQL is empty, the text only describes the thing. Kinds and rows are in an order in which they can be made.
_QUERIES = {
    "extension": "SELECT extname, '', extversion, '' FROM pg_extension ORDER BY 1",
    "type": """
        SELECT t.typname, '', concat_ws(' ', t.typtype, nullif(t.typbasetype, 0)::regtype, t.typdefault,
               (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
               (SELECT array_agg(pg_get_constraintdef(c.oid)) FROM pg_constraint c WHERE c.contypid = t.oid),
               (SELECT array_agg((a.attname, format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
                  FROM pg_attribute a WHERE a.attrelid = t.typrelid)), ''
          FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
         WHERE t.typnamespace = 'public'::regnamespace AND t.typcategory <> 'A'
           AND (t.typtype <> 'c' OR c.relkind = 'c')
         ORDER BY 1""",
    "relation": """
        SELECT relname, relname, concat_ws(' ', relkind, relpersistence, pg_get_partkeydef(oid),
               (SELECT array_agg(inhparent::regclass) FROM pg_inherits WHERE inhrelid = c.oid),
               CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END,
               (SELECT (seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle)
                  FROM pg_sequence WHERE seqrelid = c.oid)), ''
          FROM pg_class c
         WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('i', 'I', 'c')
         ORDER BY 1""",
    "options": """
        SELECT relname, relname, format('ALTER TABLE %I SET (%s)', relname, array_to_string(reloptions, ', ')),
               format('ALTER TABLE %I RESET (%s)', relname,
                      (SELECT string_agg(split_part(option, '=', 1), ', ') FROM unnest(reloptions) AS option))
          FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('i', 'I', 'c') AND reloptions IS NOT NULL
         ORDER BY 1""",
    "column": """
        SELECT c.relname || '.' || a.attname, c.relname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
               CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || a.attcollation::regcollation END,
               CASE WHEN a.attnotnull THEN 'NOT NULL' END, nullif(a.attidentity, ''), nullif(a.attgenerated, ''),
               nullif(a.attcompression, ''), CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage END), ''
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
           AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY 1""",
    "constraint": """
        SELECT conrelid::regclass || '.' || conname, conrelid::regclass::text, pg_get_constraintdef(oid), ''
          FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype NOT IN ('c', 't')
         ORDER BY 1""",
    "default": """
        SELECT c.relname || '.' || a.attname, c.relname,
               format('ALTER TABLE %I ALTER %I SET DEFAULT %s', c.relname, a.attname, pg_get_expr(d.adbin, d.adrelid)),
               format('ALTER TABLE %I ALTER %I DROP DEFAULT', c.relname, a.attname)
          FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
          JOIN pg_attribute a ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum)
         WHERE c.relnamespace = 'public'::regnamespace
         ORDER BY 1""",
    "check": """
        SELECT c.relname || '.' || conname, c.relname,
               format('ALTER TABLE %I ADD CONSTRAINT %I %s', c.relname, conname, pg_get_constraintdef(k.oid)),
               format('ALTER TABLE %I DROP CONSTRAINT %I', c.relname, conname)
          FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
         WHERE connamespace = 'public'::regnamespace AND contype = 'c'
         ORDER BY 1""",
    "index": """
        SELECT i.relname, c.relname, pg_get_indexdef(i.oid), format('DROP INDEX %I', i.relname)
          FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
         WHERE i.relnamespace = 'public'::regnamespace
           AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.oid AND contype IN ('p', 'u', 'x'))
         ORDER BY 1""",
    "statistics": """
        SELECT stxname, stxrelid::regclass::text, pg_get_statisticsobjdef(oid), format('DROP STATISTICS %I', stxname)
          FROM pg_statistic_ext WHERE stxnamespace = 'public'::regnamespace
         ORDER BY 1""",
    # In the order in which they were made: each after those it calls.
    "function": """
        SELECT p.oid::regprocedure::text, '', trim(E'\n ' FROM pg_get_functiondef(p.oid)),
               'DROP ROUTINE ' || p.oid::regprocedure
          FROM pg_proc p
         WHERE pronamespace = 'public'::regnamespace AND prokind <> 'a'
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
         ORDER BY p.oid""",
    "closed function": """
        SELECT p.oid::regprocedure::text, '', format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', p.oid::regprocedure),
               format('GRANT EXECUTE ON ROUTINE %s TO PUBLIC', p.oid::regprocedure)
          FROM pg_proc p
         WHERE pronamespace = 'public'::regnamespace AND proacl IS NOT NULL
           AND NOT EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0)
         ORDER BY 1""",
    "row security": """
        SELECT relname, relname, format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', relname),
               format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', relname)
          FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity
         ORDER BY 1""",
    "forced row security": """
        SELECT relname, relname, format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', relname),
               format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', relname)
          FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relforcerowsecurity
         ORDER BY 1""",
    "policy": """
        SELECT tablename || '.' || policyname, tablename, concat_ws(' ',
               format('CREATE POLICY %I ON %I', policyname, tablename),
               CASE WHEN permissive <> 'PERMISSIVE' THEN 'AS ' || permissive END, 'FOR ' || cmd,
               'TO ' || (SELECT string_agg(CASE name WHEN 'public' THEN 'PUBLIC' WHEN current_user THEN 'CURRENT_USER'
                                                ELSE quote_ident(name) END, ', ' ORDER BY name)
                           FROM unnest(roles) AS name),
               E'\nUSING (' || qual || ')', E'\nWITH CHECK (' || with_check || ')'),
               format('DROP POLICY %I ON %I', policyname, tablename)
          FROM (SELECT tablename, policyname, permissive, cmd, roles, qual, with_check FROM pg_policies
                 WHERE schemaname = 'public') AS p
         ORDER BY 1""",
    "trigger": """
        SELECT tgrelid::regclass || '.' || tgname, tgrelid::regclass::text, pg_get_triggerdef(oid),
               format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass)
          FROM pg_trigger
         WHERE NOT tgisinternal AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
         ORDER BY 1""",
    "rule": """
        SELECT tablename || '.' || rulename, tablename, definition, format('DROP RULE %I ON %I', rulename, tablename)
          FROM pg_rules WHERE schemaname = 'public'
         ORDER BY 1""",
    # The owner has all rights.
    "rights": """
        SELECT format('%s on %s', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END, name), '',
               string_agg(privilege_type || CASE WHEN is_grantable THEN ' with grant option' ELSE '' END, ', '
                          ORDER BY privilege_type), ''
          FROM (
            SELECT 'the schema' AS name, nspowner AS owner, coalesce(nspacl, acldefault('n', nspowner)) AS acl
              FROM pg_namespace WHERE nspname = 'public'
            UNION ALL
            SELECT relname, relowner,
                   coalesce(relacl, acldefault((CASE relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", relowner))
              FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('i', 'I', 'c')
            UNION ALL
            SELECT relname || '.' || attname, relowner, attacl
              FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace
            UNION ALL
            SELECT oid::regprocedure::text, proowner, coalesce(proacl, acldefault('f', proowner))
              FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION ALL
            SELECT typname, typowner, typacl FROM pg_type WHERE typnamespace = 'public'::regnamespace
            UNION ALL
            SELECT format('what %s makes, of kind %s', pg_get_userbyid(defaclrole), defaclobjtype),
                   defaclrole, defaclacl
              FROM pg_default_acl
          ) AS things, aclexplode(acl)
         WHERE grantee <> owner
         GROUP BY grantee, name
         ORDER BY 1""",
}


class CatalogObject(NamedTuple):
    """One thing in a database: its table, what makes it, and the SQL that drops it ("" if `made` isn't SQL)."""

    table: str
    made: str
    dropped: str

    def is_like(self, other: "CatalogObject") -> bool:
        """Compare what makes them, ignoring the indentation of lines."""
        return re.sub(r"\n\s*", "\n", self.made) == re.sub(r"\n\s*", "\n", other.made)


ObjectKey = tuple[str, str]
"""The kind of a thing, and its name: "table.name" where names are a table's own."""

Catalog = dict[ObjectKey, CatalogObject]


def read_catalog(connection: Connection) -> Catalog:
    """Read everything in the schema `public`, in an order in which it can be made."""
    return {
        (kind, name): CatalogObject(table, made, dropped)
        for kind, query in _QUERIES.items()
        for name, table, made, dropped in connection.exec_driver_sql(query)
    }


def changed(old: Catalog, new: Catalog) -> set[ObjectKey]:
    """Give the keys of things that only one of them has, or that differ."""
    differ = {key for key in old.keys() & new.keys() if not old[key].is_like(new[key])}
    return differ | (old.keys() ^ new.keys())


def differences(old: Catalog, new: Catalog) -> list[str]:
    """Describe how two databases differ, one thing per line: "policy feedback.own: ... became ..."."""
    keys, differ = dict.fromkeys(chain(old, new)), changed(old, new)
    return [
        f"{kind} {name}: {_text(old.get((kind, name)))} became {_text(new.get((kind, name)))}"
        for kind, name in keys
        if (kind, name) in differ
    ]


def _text(thing: CatalogObject | None) -> str:
    return "nothing" if thing is None else thing.made
