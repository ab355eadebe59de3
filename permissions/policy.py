"""The policy table: who may read and do what. Each viewer's schema is built from it (`schema/build.py`).

Which rows somebody gets is up to the scopes (`permissions/scopes.py`); what's in brackets here only says so in words.
A row names fields of the GraphQL schema and the standings that have them. For everyone else they don't exist: they
aren't null, they're absent. A field without a row doesn't build, and neither does a row without its field. A mutation's
input and payload (`<Mutation>Input`, `<Mutation>Payload`) go with the mutation, and a list's frame (`<Type>Connection`,
`<Type>Edge`) goes with the listed type. Arguments go with their field, and with the type they take.
"""

import re
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_

from permissions.viewer import EVERYBODY, SIGNED_IN, Standing

S, R, D, A, P = Standing.SELF, Standing.REVIEWER, Standing.DIRECTORY, Standing.ADMIN, Standing.PUBLIC


@dataclass(frozen=True)
class PolicyRow:
    """One row. `fields` maps a type to its fields, input fields or enum values; `*` is all values of an enumeration.

    `tokens`: whether an API token may use it too. `unverified`: whether it works before the viewer's email address is
    verified. `without_factor`: whether it works before an administrator has the second factor that a setting asks for.
    The last two are checked where a request enters: in Query, Mutation and OwnAccount.
    """

    what: str
    standings: Standing
    fields: dict[str, tuple[str, ...]]
    tokens: bool
    unverified: bool
    without_factor: bool


def row(
    what: str,
    standings: Standing,
    *,
    tokens: bool = True,
    unverified: bool = False,
    without_factor: bool = False,
    **fields: str,
) -> PolicyRow:
    """Write one row of the table; PUBLIC includes everyone, signed in or not."""
    if P in standings:
        standings, unverified = EVERYBODY, True
    named = {name: tuple(names.split()) for name, names in fields.items()}
    return PolicyRow(what, standings, named, tokens, unverified, unverified or without_factor)


# fmt: off
MEDIATOR_POLICY = (
    row("mediator: name, about, profile link", S | R | D | A, Mediator="id name about profileUrl"),
    row("visibility, appointed reviewer, email", S | A, Mediator="visibility email reviewer waitingReviewer"),
    row("how the reviewer knows them", S | R | A, Mediator="reviewerRelation reviewerRelationDetails"),
    row("feedback link; open invitations to review", S, Mediator="feedbackLink reviewerInvitations",
        ReviewerInvitation="id email expiresOn"),
    row("the list of mediators", S | R | D | A, Query="mediator mediators"),
    row("mediators who appointed me", R, Standing="REVIEWER"),
    row("mediators that directories may see", D, Standing="DIRECTORY"),
    row("all mediators", A, Standing="ADMIN"),
    row("myself among mediators", S, Standing="SELF"),
)

EXPERIENCE_POLICY = (
    row("experience totals, per year, per role", S | D | A, Mediator="experience",
        Experience="minutes contactMinutes cases simulatedMinutes openingMinutes byRole byYear byRoleAndYear",
        RoleHours="role minutes contactMinutes cases", YearHours="year minutes contactMinutes cases",
        RoleYearHours="role year minutes contactMinutes cases"),
    row("opening balances: role, hours, cases, before which day", S | D | A, Mediator="openingBalances",
        OpeningBalance="id role minutes cases before"),
    row("opening balances: version", S, OpeningBalance="version"),
    row("logbook entries: role, medium, month, hours, kind of dispute, languages, simulated", S | D | A,
        Mediator="logbook logbookEntry logbookFacets", LogbookFacets="years disputeKinds languages",
        LogbookEntry="id role medium endedMonth minutes contactMinutes sessions disputeKind languages simulated",
        CaseSession="id heldMonth minutes kind medium",
        LogbookFilter="role medium year disputeKind languages simulated text", LogbookOrder="field direction",
        LogbookOrderField="ROLE MEDIUM ENDED_MONTH MINUTES CONTACT_MINUTES DISPUTE_KIND SIMULATED"),
    row("logbook entries: days, country, number of parties, outcome, written agreement, completed", S | A,
        LogbookEntry="startedOn endedOn country partyCount outcome writtenAgreement completed",
        CaseSession="heldOn", LogbookFilter="country outcome", LogbookFacets="countries",
        LogbookOrderField="STARTED_ON ENDED_ON COUNTRY PARTY_COUNT OUTCOME WRITTEN_AGREEMENT COMPLETED"),
    row("logbook entries: reference, subject, co-mediator, parties, did well, challenging, notes", S,
        LogbookEntry="reference subject coMediator parties didWell foundChallenging notes version",
        CaseSession="version", LogbookOrderField="REFERENCE SUBJECT CO_MEDIATOR PARTIES"),
    row("CPD: kind, format, title, provider, days, hours, tags, credits, evidence", S | D | A,
        Mediator="cpd cpdEntry cpdFacets",
        CpdEntry="id kind format title provider startedOn endedOn minutes tags credits evidenceUrl",
        CpdCredit="body activity points", CpdFilter="kind format tags year text",
        CpdFacets="years tags", CpdOrder="field direction", CpdOrderField="*"),
    row("CPD takeaways, supervised case; learnings", S, CpdEntry="supervisedCaseId takeaways version",
        Mediator="learnings learningFacets",
        Learning="id date source kind text entryId", LearningFilter="source kind year text", LearningFacets="years",
        LearningOrder="field direction", LearningOrderField="*", LearningSource="*", LearningKind="*"),
    row("CPD: whether there's a certificate", S | D | A, CpdEntry="hasCertificate"),
    row("files of CPD entries", S, CpdEntry="files", EvidenceFile="id name kind mediaType bytes addedAt",
        EvidenceKind="*"),
    row("values of roles, media and kinds", S | D | A, CaseRole="*", Medium="*", SessionKind="*", DisputeKind="*",
        CpdKind="*", CpdFormat="*", CpdTag="*"),
    row("values of outcomes", S | A, Outcome="*"),
)

FEEDBACK_POLICY = (
    row("feedback requests; their name, email and reference for five days", S,
        Mediator="feedbackRequests",
        FeedbackRequest="id madeOn agreedOn partyName partyEmail reference mediationEndedOn"),
    row("feedback shared with the mediator and released: answers (except those only for the reviewer)", S | R | A,
        Mediator="feedback feedbackPiece", Feedback="id answers", FeedbackAnswer="question rating text"),
    row("feedback not shared", R | A, FeedbackFilter="shared"),
    row("feedback: year, day received, capacity, acted as, shared or not, by request or not", R | A,
        Feedback="year receivedOn capacity actedAs shared byInvitation",
        FeedbackFilter="year capacity actedAs byInvitation", FeedbackOrder="field direction", FeedbackOrderField="*"),
    # The name also reaches the mediator by mail, if `FEEDBACK_NOTICE` says so.
    row("feedback: origin (sender's name, email, time), for a reason that's noted", A, tokens=False, Feedback="origin",
        FeedbackOrigin="name email receivedAt"),
    row("feedback that's held", A, Query="heldFeedback",
        GivenFeedback="id mediatorId mediatorName receivedOn capacity actedAs shared byInvitation held answers"),
    row("all feedback given with an email address", A, tokens=False, Query="feedbackBy"),
    row("feedback summary per year: counts, averages and spread per question", R | A, Mediator="feedbackSummary",
        FeedbackSummary="years", FeedbackYear="year count questions",
        QuestionSummary="question count average spread"),
)

PEOPLE_POLICY = (
    row("your own account", SIGNED_IN, unverified=True, Query="me",
        OwnAccount="id name email roles emailVerifiedAt paidUntil secondFactor", Role="*"),
    row("your own profile as a mediator", S, unverified=True, OwnAccount="mediator"),
    row("your own sessions, API tokens and exports", SIGNED_IN, tokens=False, unverified=True,
        OwnAccount="sessions apiTokens exports", Session="id createdAt usedAt current",
        ApiToken="id name createdAt usedAt expiresAt revokedAt", DataExport="id requestedAt readyAt expiresAt percent"),
    row("directories: name, website", S | R | D | A, Query="directories", Directory="id name website"),
    row("reviewers' names", S | A, Query="reviewers", Reviewer="id name"),
    row("accounts", A, Query="accounts",
        Account="id name email roles emailVerifiedAt paidUntil reviewerConfirmedAt createdAt secondFactor"),
    row("unconfirmed reviewers", A, Query="unconfirmedReviewers"),
    row("waiting appointments: who asks whom, and which yes is missing", R | A, Query="waitingAppointments",
        WaitingAppointment="id askedAt mediatorId mediatorName reviewerId reviewerName missing", Yes="*"),
    row("audit log (without feedback about yourself): who, what, to whom, when, why", A, Query="auditLog",
        AuditEntry="id at action actorId actor subjectId subject reason count", AuditAction="*",
        AuditFilter="action actorId subjectId from to"),
    row("undelivered email", A, Query="deadMail", DeadMail="id kind attempts smtpCode"),
)

PUBLIC_POLICY = (
    row("the survey", P, Query="survey", Survey="leastMinutes mostMinutes scale questions",
        SurveyQuestion="key text kind readers help", SurveyScaleStep="rating label", QuestionKind="*",
        QuestionReader="*", Capacity="*", ActedAs="*"),
    row("giving feedback: looking up links and mediators, searching for mediators", P,
        Query="feedbackInvitation feedbackSubjects feedbackSubject", FeedbackInvitation="state subject",
        FeedbackSubject="id name reviewerName reviewerRelation reviewerRelationDetails", Relation="*",
        FeedbackSubjectName="id name", LinkState="*"),
    row("a piece of feedback, by its receipt", P, Query="feedbackReceipt",
        FeedbackReceipt="mediatorName receivedOn capacity actedAs shared shareAlone released answers",
        FeedbackReceiptAnswer="question rating text", Mutation="changeFeedbackSharing eraseFeedback"),
    row("giving feedback, stopping requests", P, Mutation="giveFeedback stopRequests",
        FeedbackAnswerInput="question rating text notApplicable"),
    row("signing up, signing in and emailed links", P, tokens=False,
        Mutation="signUp verifyEmail signIn finishSignIn requestPasswordReset resetPassword acceptInvitation"),
    row("the values of visibility", P, Visibility="*"),
)

CHANGE_POLICY = (
    row("your own logbook, CPD entries, profile and requests", S,
        Mutation="updateProfile addLogbookEntry importLogbookEntries updateLogbookEntry deleteLogbookEntry "
        "addCaseSession updateCaseSession deleteCaseSession addCpdEntry updateCpdEntry deleteCpdEntry requestFeedback "
        "withdrawFeedbackRequest addOpeningBalance updateOpeningBalance deleteOpeningBalance",
        ImportedLogbookEntryInput="role medium startedOn endedOn minutes disputeKind country languages partyCount "
        "outcome writtenAgreement completed simulated reference subject coMediator parties didWell foundChallenging "
        "notes",
        CpdCreditInput="body activity points", ImportOutcome="status problems", ImportStatus="*"),
    row("attaching files to your own CPD entries, and deleting them", S, Mutation="attachFile detachFile"),
    row("appointing and inviting a reviewer", S,
        Mutation="appointReviewer inviteReviewer resendInvitation revokeInvitation"),
    row("accepting an appointment, saying how you know the mediator", R, tokens=False,
        Mutation="acceptAppointment declareRelation"),
    row("declining an appointment", R | A, tokens=False, Mutation="declineAppointment"),
    row("ending a review", S | R, Mutation="endReview"),
    row("your own account: name, email, password, signing out, deletion", SIGNED_IN, tokens=False, unverified=True,
        Mutation="signOut updateAccount changeEmail changePassword endSession deleteMyAccount"),
    # Only once the address is verified: its owner couldn't get past a stranger's second factor.
    row("your own second factor", SIGNED_IN, tokens=False, without_factor=True,
        Mutation="setUpSecondFactor confirmSecondFactor removeSecondFactor renewRecoveryCodes"),
    row("your own API tokens and exports", SIGNED_IN, tokens=False,
        Mutation="createApiToken revokeApiToken exportMyData"),
    row("support: directories' details, paid access, undelivered email, approvals", A,
        Mutation="updateDirectory setPaidAccess endPaidAccess retryMail approveAppointment"),
    row("support: admitting feedback that's held", A, Mutation="admitFeedback"),
    row("support: removing feedback", A, tokens=False, Mutation="removeFeedback", RemovalReason="*"),
    row("support: accounts, roles, confirmed reviewers", A, tokens=False,
        Mutation="createDirectory addRole removeRole signOutAccount deleteAccount confirmReviewer"),
    row("problems to fix in an input", P, UserError="field message code", UserErrorCode="*"),
    row("the mechanics of lists", P, PageInfo="hasNextPage hasPreviousPage startCursor endCursor",
        OrderDirection="*"),
)

# fmt: on

SECTIONS = {
    "Mediators": MEDIATOR_POLICY,
    "Experience": EXPERIENCE_POLICY,
    "Feedback": FEEDBACK_POLICY,
    "People": PEOPLE_POLICY,
    "Public": PUBLIC_POLICY,
    "Changes": CHANGE_POLICY,
}
TABLE = tuple(one for section in SECTIONS.values() for one in section)


def _index() -> dict[tuple[str, str], PolicyRow]:
    index: dict[tuple[str, str], PolicyRow] = {}
    for one in TABLE:
        for type_name, names in one.fields.items():
            for name in names:
                if (type_name, name) in index:
                    raise PolicyError(f"two rows for {type_name}.{name}")
                index[type_name, name] = one
    return index


class PolicyError(Exception):
    """The table and the schema don't fit together."""


_INDEX = _index()

# The mutation or listed type that a type's name shows it belongs to.
_TAKEN_OR_ANSWERED = re.compile(r"(?<=\w)(Input|Payload)$")
_LISTED = re.compile("(Connection|Edge)$")


@lru_cache(maxsize=5_000)  # more than the schema's members
def rule(type_name: str, name: str) -> PolicyRow:
    """Give the row of a field, input field or enum value.

    Raises:
        PolicyError: there's no such row.
    """
    found = _INDEX.get((type_name, name)) or _INDEX.get((type_name, "*"))
    if found:
        return found
    of = _TAKEN_OR_ANSWERED.sub("", type_name)
    if of != type_name:
        return rule("Mutation", of[0].lower() + of[1:])
    of = _LISTED.sub("", type_name)
    rows = [one for (owner, _), one in _INDEX.items() if owner == of != type_name]
    if not rows:
        raise PolicyError(f"no row for {type_name}.{name}")
    standings = reduce(or_, (one.standings for one in rows))
    return PolicyRow(
        f"lists of {of}",
        standings,
        {},
        any(one.tokens for one in rows),
        any(one.unverified for one in rows),
        any(one.without_factor for one in rows),
    )


def has_all(type_name: str) -> bool:
    """Whether a row names all members of a type at once, those it has now and any it may get."""
    return (type_name, "*") in _INDEX


def allows(standings: Standing, type_name: str, name: str) -> bool:
    """Whether any of the standings has that field, input field or enum value."""
    return bool(rule(type_name, name).standings & standings)


def rows_used(elements: set[tuple[str, str]]) -> None:
    """Check that the schema's elements (type, name) include everything that the table names.

    Raises:
        PolicyError: the table names something that isn't there.
    """
    for type_name, name in _INDEX:
        if name == "*":
            if not any(type_name == element[0] for element in elements):
                raise PolicyError(f"a row for {type_name}, which the schema lacks")
        elif (type_name, name) not in elements:
            raise PolicyError(f"a row for {type_name}.{name}, which the schema lacks")
