"""Sessions of a case, and kinds of dispute from a list. What was typed becomes the case's private subject."""

import re

import sqlalchemy as sa
from alembic import op

from models.folding import fold

revision = "0022"
down_revision = "0021"

# The kinds that a dispute can be from now on, each with the words that meant it.
KINDS = {
    "COMMERCIAL": (
        "commercial, business, contract, commercial contract, contracts, trade, sale of goods"
        ", b2b, civil and commercial, partnership, supplier"
    ),
    "COMPANY": (
        "shareholders and companies, shareholder, shareholders, corporate, company, company law"
        ", partners, business partners, family business"
    ),
    "CONSTRUCTION": ("construction and engineering, construction, building, engineering, builder, infrastructure"),
    "CONSUMER": "consumer, consumers, customer, small claims, consumer protection",
    "EMPLOYMENT": (
        "employment and workplace, employment, labour, labor, workplace, work, industrial relations, staff, dismissal"
    ),
    "ORGANISATION": (
        "within an organisation, organisation, organization, organisational, organizational, team"
        ", association, governance, board"
    ),
    "FAMILY": (
        "family and separation, family, separation, divorce, parenting, children, custody"
        ", child arrangements, family law, matrimonial"
    ),
    "INHERITANCE": (
        "inheritance and elder care, inheritance, probate, wills, estate, succession, elder"
        ", elder care, elder mediation, trusts"
    ),
    "NEIGHBOURS": "neighbours, neighbour, neighbor, neighbors, neighbourhood, neighborhood, boundary",
    "COMMUNITY": "community, community mediation, local community, civic, multi party, public policy",
    "PROPERTY": (
        "property and tenancy, property, real estate, tenancy, landlord and tenant, housing, rent"
        ", lease, land, strata, leasehold"
    ),
    "INSURANCE": "insurance, insurer, reinsurance, insurance claim",
    "INJURY": "personal injury, injury, accident, personal injuries, tort, liability",
    "FINANCE": (
        "banking and finance, banking, finance, financial, financial services, debt, insolvency, bankruptcy, investment"
    ),
    "PROFESSIONAL": (
        "professional services, professional negligence, professional liability, fees, lawyer s fees, malpractice"
    ),
    "INTELLECTUAL_PROPERTY": "intellectual property, ip, patent, trademark, trade mark, copyright, licensing",
    "TECHNOLOGY": ("technology and data, technology, it, ict, software, telecoms, telecommunications, data, privacy"),
    "ENERGY": "energy and resources, energy, resources, mining, oil and gas, utilities, renewables",
    "ENVIRONMENT": ("environment and planning, environment, environmental, planning, land use, native title, water"),
    "TRANSPORT": "transport and shipping, transport, shipping, maritime, aviation, logistics, travel",
    "HEALTH": ("health care, health, healthcare, medical, clinical negligence, medical negligence, hospital"),
    "EDUCATION": "education, school, schools, university, special education, special needs",
    "PUBLIC": (
        "public authorities, public, public sector, administrative, government, tax"
        ", social security, planning permission"
    ),
    "RESTORATIVE": "criminal and restorative, restorative, restorative justice, criminal, victim offender",
    "SPORT": "sport and the arts, sport, sports, arts, art, culture, media, entertainment",
    "INTERNATIONAL": (
        "between states or with investors, investor state, state, diplomatic, peace, international relations"
    ),
    "OTHER": "other, miscellaneous, various, misc",
}
KIND_OF = {word: kind for kind, words in KINDS.items() for word in words.split(", ")}
BATCH = 1_000


def _move_what_was_typed() -> None:
    connection = op.get_bind()
    typed = connection.execute(sa.text("SELECT id, mediator_id, dispute_kind FROM logbook_entry")).all()
    rows = [
        {
            "id": row.id,
            "mediator": row.mediator_id,
            "text": row.dispute_kind,
            "fold": fold(row.dispute_kind),
            "kind": KIND_OF.get(" ".join(re.sub(r"[\W_]+", " ", row.dispute_kind.casefold()).split()), "OTHER"),
        }
        for row in typed
        if row.dispute_kind is not None and row.dispute_kind not in KINDS
    ]
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        connection.execute(
            sa.text("""
            INSERT INTO logbook_private (id, mediator_id, subject, subject_folded)
            VALUES (:id, :mediator, :text, :fold)
            ON CONFLICT (id) DO UPDATE SET subject = excluded.subject, subject_folded = excluded.subject_folded
            """),
            some,
        )
        connection.execute(sa.text("UPDATE logbook_entry SET dispute_kind = :kind WHERE id = :id"), some)
    connection.execute(
        sa.text("UPDATE logbook_entry SET dispute_kind_folded = NULL WHERE dispute_kind_folded IS NOT NULL")
    )
    connection.execute(sa.text("UPDATE logbook_entry SET completed = false WHERE outcome = 'ONGOING'"))


def upgrade() -> None:
    op.execute("ALTER TABLE logbook_entry DROP CONSTRAINT outcome_known")
    op.execute("ALTER TABLE logbook_entry DROP CONSTRAINT medium_known")
    op.create_table(
        "case_session",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("medium", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('MEDIATION', 'PREPARATION', 'DRAFTING', 'FOLLOW_UP', 'TRAVEL')", name="kind_known"
        ),
        sa.CheckConstraint("medium IN ('IN_PERSON', 'ONLINE', 'HYBRID', 'TELEPHONE')", name="medium_known"),
        sa.ForeignKeyConstraint(["entry_id"], ["logbook_entry.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("case_session_of_case", "case_session", ["entry_id", "held_on", "id"], unique=False)
    op.create_index(
        "case_session_totals",
        "case_session",
        ["mediator_id"],
        unique=False,
        postgresql_include=["id", "entry_id", "held_on", "minutes", "kind"],
    )
    op.add_column("logbook_entry", sa.Column("completed", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column(
        "logbook_entry", sa.Column("written_agreement", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("logbook_entry", sa.Column("contact_minutes", sa.Integer(), nullable=True))
    op.drop_index(
        op.f("logbook_entry_sums"),
        table_name="logbook_entry",
        postgresql_include=["role", "ended_on", "minutes", "simulated"],
    )
    op.create_index(
        "logbook_entry_totals",
        "logbook_entry",
        ["mediator_id"],
        unique=False,
        postgresql_include=["id", "role", "ended_on", "minutes", "contact_minutes", "simulated"],
    )
    op.add_column("logbook_private", sa.Column("subject", sa.Text(), nullable=True))
    op.add_column("logbook_private", sa.Column("co_mediator", sa.Text(), nullable=True))
    op.add_column("logbook_private", sa.Column("subject_folded", sa.Text(collation="C"), nullable=True))
    op.add_column("logbook_private", sa.Column("co_mediator_folded", sa.Text(collation="C"), nullable=True))
    op.execute("""
    CREATE OR REPLACE FUNCTION public.ids_of(owner uuid)
     RETURNS SETOF uuid
     LANGUAGE sql
     STABLE SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
     SELECT theirs.id
        FROM ( SELECT account.id
                FROM account
               WHERE (account.id = ids_of.owner)
             UNION ALL
              SELECT feedback.id
                FROM feedback
               WHERE (feedback.mediator_id = ids_of.owner)
             UNION ALL
              SELECT feedback_request.id
                FROM feedback_request
               WHERE (feedback_request.mediator_id = ids_of.owner)
             UNION ALL
              SELECT reviewer_invitation.id
                FROM reviewer_invitation
               WHERE (reviewer_invitation.mediator_id = ids_of.owner)
             UNION ALL
              SELECT account_link.id
                FROM account_link
               WHERE (account_link.account_id = ids_of.owner)
             UNION ALL
              SELECT data_export.id
                FROM data_export
               WHERE (data_export.account_id = ids_of.owner)
             UNION ALL
              SELECT api_token.id
                FROM api_token
               WHERE (api_token.account_id = ids_of.owner)
             UNION ALL
              SELECT logbook_entry.id
                FROM logbook_entry
               WHERE (logbook_entry.mediator_id = ids_of.owner)
             UNION ALL
              SELECT case_session.id
                FROM case_session
               WHERE (case_session.mediator_id = ids_of.owner)
             UNION ALL
              SELECT cpd_entry.id
                FROM cpd_entry
               WHERE (cpd_entry.mediator_id = ids_of.owner)) theirs
       WHERE (((ids_of.owner = viewer()) OR stands_as(8)) AND (NOT by_token()));
    END
    """)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.add_up_case()
     RETURNS trigger
     LANGUAGE plpgsql
     SET search_path TO 'public', 'pg_temp'
    AS $function$
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
    $function$
    """)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.spill_dispute_kind()
     RETURNS trigger
     LANGUAGE plpgsql
     SET search_path TO 'pg_catalog', 'pg_temp'
    AS $function$
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
    $function$
    """)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.keep_spilled()
     RETURNS trigger
     LANGUAGE plpgsql
     SET search_path TO 'pg_catalog', 'pg_temp'
    AS $function$
    BEGIN
        NEW.subject := nullif(
            concat_ws('; ', NEW.subject, current_setting('logbook.spilled', true)::jsonb ->> NEW.id::text), ''
        );
        RETURN NEW;
    END
    $function$
    """)
    op.execute("ALTER TABLE case_session SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)")
    _move_what_was_typed()
    op.execute("""
    ALTER TABLE logbook_entry ADD CONSTRAINT dispute_kind_known CHECK (dispute_kind IN ('COMMERCIAL', 'COMPANY', 'CONSTRUCTION', 'CONSUMER', 'EMPLOYMENT', 'ORGANISATION', 'FAMILY', 'INHERITANCE', 'NEIGHBOURS', 'COMMUNITY', 'PROPERTY', 'INSURANCE', 'INJURY', 'FINANCE', 'PROFESSIONAL', 'INTELLECTUAL_PROPERTY', 'TECHNOLOGY', 'ENERGY', 'ENVIRONMENT', 'TRANSPORT', 'HEALTH', 'EDUCATION', 'PUBLIC', 'RESTORATIVE', 'SPORT', 'INTERNATIONAL', 'OTHER'))
    """)
    op.execute("""
    ALTER TABLE logbook_entry ADD CONSTRAINT medium_known CHECK (medium IN ('IN_PERSON', 'ONLINE', 'HYBRID', 'TELEPHONE'))
    """)
    op.execute("""
    ALTER TABLE logbook_entry ADD CONSTRAINT outcome_known CHECK (outcome IN ('SETTLED', 'PARTLY_SETTLED', 'NOT_SETTLED', 'SETTLED_LATER', 'ENDED_BY_MEDIATOR', 'DID_NOT_TAKE_PLACE', 'ONGOING', 'NOT_KNOWN'))
    """)
    op.execute("""
    CREATE TRIGGER adds_up BEFORE UPDATE ON public.logbook_entry FOR EACH ROW EXECUTE FUNCTION add_up_case()
    """)
    op.execute("""
    CREATE TRIGGER spills BEFORE INSERT OR UPDATE OF dispute_kind_folded ON public.logbook_entry FOR EACH ROW WHEN ((new.dispute_kind_folded IS NOT NULL)) EXECUTE FUNCTION spill_dispute_kind()
    """)
    op.execute("""
    CREATE TRIGGER keeps_spilled BEFORE INSERT OR UPDATE ON public.logbook_private FOR EACH ROW WHEN ((COALESCE(current_setting('logbook.spilled'::text, true), ''::text) <> ''::text)) EXECUTE FUNCTION keep_spilled()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER keeps_spilled ON logbook_private")
    op.execute("DROP TRIGGER spills ON logbook_entry")
    op.execute("DROP TRIGGER adds_up ON logbook_entry")
    op.execute("ALTER TABLE logbook_entry DROP CONSTRAINT outcome_known")
    op.execute("ALTER TABLE logbook_entry DROP CONSTRAINT medium_known")
    op.execute("ALTER TABLE logbook_entry DROP CONSTRAINT dispute_kind_known")
    op.execute("ALTER TABLE case_session RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)")
    op.execute("""
    CREATE OR REPLACE FUNCTION public.ids_of(owner uuid)
     RETURNS SETOF uuid
     LANGUAGE sql
     STABLE SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
     SELECT theirs.id
        FROM ( SELECT account.id
                FROM account
               WHERE (account.id = ids_of.owner)
             UNION ALL
              SELECT feedback.id
                FROM feedback
               WHERE (feedback.mediator_id = ids_of.owner)
             UNION ALL
              SELECT feedback_request.id
                FROM feedback_request
               WHERE (feedback_request.mediator_id = ids_of.owner)
             UNION ALL
              SELECT reviewer_invitation.id
                FROM reviewer_invitation
               WHERE (reviewer_invitation.mediator_id = ids_of.owner)
             UNION ALL
              SELECT account_link.id
                FROM account_link
               WHERE (account_link.account_id = ids_of.owner)
             UNION ALL
              SELECT data_export.id
                FROM data_export
               WHERE (data_export.account_id = ids_of.owner)
             UNION ALL
              SELECT api_token.id
                FROM api_token
               WHERE (api_token.account_id = ids_of.owner)
             UNION ALL
              SELECT logbook_entry.id
                FROM logbook_entry
               WHERE (logbook_entry.mediator_id = ids_of.owner)
             UNION ALL
              SELECT cpd_entry.id
                FROM cpd_entry
               WHERE (cpd_entry.mediator_id = ids_of.owner)) theirs
       WHERE (((ids_of.owner = viewer()) OR stands_as(8)) AND (NOT by_token()));
    END
    """)
    op.execute("DROP ROUTINE keep_spilled()")
    op.execute("DROP ROUTINE spill_dispute_kind()")
    op.execute("DROP ROUTINE add_up_case()")
    op.drop_column("logbook_private", "co_mediator_folded")
    op.drop_column("logbook_private", "subject_folded")
    op.drop_column("logbook_private", "co_mediator")
    op.drop_column("logbook_private", "subject")
    op.drop_index(
        "logbook_entry_totals",
        table_name="logbook_entry",
        postgresql_include=["id", "role", "ended_on", "minutes", "contact_minutes", "simulated"],
    )
    op.create_index(
        op.f("logbook_entry_sums"),
        "logbook_entry",
        ["mediator_id"],
        unique=False,
        postgresql_include=["role", "ended_on", "minutes", "simulated"],
    )
    op.drop_column("logbook_entry", "contact_minutes")
    op.drop_column("logbook_entry", "written_agreement")
    op.drop_column("logbook_entry", "completed")
    op.drop_index(
        "case_session_totals",
        table_name="case_session",
        postgresql_include=["id", "entry_id", "held_on", "minutes", "kind"],
    )
    op.drop_index("case_session_of_case", table_name="case_session")
    op.drop_table("case_session")
    op.execute("""
    ALTER TABLE logbook_entry ADD CONSTRAINT medium_known CHECK ((medium = ANY (ARRAY['IN_PERSON'::text, 'ONLINE'::text, 'HYBRID'::text]))) NOT VALID
    """)
    op.execute("""
    ALTER TABLE logbook_entry ADD CONSTRAINT outcome_known CHECK ((outcome = ANY (ARRAY['SETTLED'::text, 'PARTLY_SETTLED'::text, 'NOT_SETTLED'::text, 'ONGOING'::text, 'NOT_KNOWN'::text]))) NOT VALID
    """)
