"""The privacy table, written down a second time from the specification: who has which element of the API.

Every field, argument, input field and enum value is in `TABLE`, with who gets it by session and by API token:
S(elf), R(eviewer), D(irectory), A(dmin), or P for everybody.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from graphql import GraphQLSchema

from models.account import Role
from permissions.viewer import Standing
from schema.build import whole_schema

LETTERS = {"S": Standing.SELF, "R": Standing.REVIEWER, "D": Standing.DIRECTORY, "A": Standing.ADMIN}
ROLES = {"S": Role.MEDIATOR, "R": Role.REVIEWER, "D": Role.DIRECTORY, "A": Role.ADMIN}

# by session, by token, type, fields with their arguments; `[]` marks a list with pages, `*` is everything in a type.
TABLE = """
SRDA SRDA Mediator            id name about profileUrl
SA   SA   Mediator            visibility email reviewer waitingReviewer
SRA  SRA  Mediator            reviewerRelation reviewerRelationDetails
S    S    Mediator            feedbackLink reviewerInvitations[ReviewerInvitation]
S    S    ReviewerInvitation  id email expiresOn
SRDA SRDA Query               mediator(id standing) mediators(search standing)[Mediator]
S    S    Standing            SELF
R    R    Standing            REVIEWER
D    D    Standing            DIRECTORY
A    A    Standing            ADMIN

SDA  SDA  Mediator            logbook(filter orderBy)[LogbookEntry]
SDA  SDA  Mediator            logbookEntry(id) logbookFacets
SDA  SDA  LogbookFacets       years disputeKinds languages
SA   SA   LogbookFacets       countries
SDA  SDA  LogbookEntry        id role medium endedMonth minutes disputeKind languages simulated
SDA  SDA  LogbookEntry        contactMinutes sessions
SA   SA   LogbookEntry        startedOn endedOn country partyCount outcome writtenAgreement completed
S    S    LogbookEntry        reference parties didWell foundChallenging notes version
S    S    LogbookEntry        subject coMediator
SDA  SDA  CaseSession         id heldMonth minutes kind medium
SA   SA   CaseSession         heldOn
S    S    CaseSession         version
SDA  SDA  SessionKind         MEDIATION PREPARATION DRAFTING FOLLOW_UP TRAVEL
SDA  SDA  DisputeKind         *
SDA  SDA  LogbookFilter       role medium year disputeKind languages simulated text
SA   SA   LogbookFilter       country outcome
SDA  SDA  LogbookOrder        field direction
SDA  SDA  LogbookOrderField   ROLE MEDIUM ENDED_MONTH MINUTES CONTACT_MINUTES DISPUTE_KIND SIMULATED
SA   SA   LogbookOrderField   STARTED_ON ENDED_ON COUNTRY PARTY_COUNT OUTCOME WRITTEN_AGREEMENT COMPLETED
S    S    LogbookOrderField   REFERENCE PARTIES SUBJECT CO_MEDIATOR
SDA  SDA  CaseRole            LEAD_MEDIATOR CO_MEDIATOR ASSISTANT_MEDIATOR MEDIATION_ADVOCATE OBSERVER OTHER
SDA  SDA  Medium              IN_PERSON ONLINE HYBRID TELEPHONE
SA   SA   Outcome             SETTLED PARTLY_SETTLED NOT_SETTLED SETTLED_LATER ENDED_BY_MEDIATOR
SA   SA   Outcome             DID_NOT_TAKE_PLACE ONGOING NOT_KNOWN
SDA  SDA  Mediator            experience(roles from to simulated)
SDA  SDA  Experience          minutes contactMinutes cases simulatedMinutes openingMinutes byRole byYear byRoleAndYear
SDA  SDA  RoleHours           role minutes contactMinutes cases
SDA  SDA  YearHours           year minutes contactMinutes cases
SDA  SDA  RoleYearHours       role year minutes contactMinutes cases
SDA  SDA  Mediator            openingBalances
SDA  SDA  OpeningBalance      id role minutes cases before
S    S    OpeningBalance      version

SDA  SDA  Mediator            cpd(filter orderBy)[CpdEntry]
SDA  SDA  Mediator            cpdEntry(id) cpdFacets
SDA  SDA  CpdFacets           years tags
SDA  SDA  CpdEntry            id kind format title provider startedOn endedOn minutes tags credits evidenceUrl
SDA  SDA  CpdCredit           body activity points
S    S    CpdEntry            supervisedCaseId takeaways version
SDA  SDA  CpdEntry            hasCertificate
S    S    CpdEntry            files
S    S    EvidenceFile        id name kind mediaType bytes addedAt
S    S    EvidenceKind        CERTIFICATE OTHER
SDA  SDA  CpdFilter           kind format tags year text
SDA  SDA  CpdOrder            field direction
SDA  SDA  CpdOrderField       KIND FORMAT TITLE PROVIDER STARTED_ON ENDED_ON MINUTES
SDA  SDA  CpdKind             *
SDA  SDA  CpdFormat           LIVE ONLINE ON_DEMAND SELF_STUDY
SDA  SDA  CpdTag              *
S    S    Mediator            learnings(filter orderBy)[Learning]
S    S    Mediator            learningFacets
S    S    LearningFacets      years
S    S    Learning            id date source kind text entryId
S    S    LearningFilter      source kind year text
S    S    LearningOrder       field direction
S    S    LearningOrderField  DATE SOURCE KIND
S    S    LearningSource      MEDIATION CPD
S    S    LearningKind        DID_WELL FOUND_CHALLENGING TAKEAWAY

S    S    Mediator            feedbackRequests[FeedbackRequest]
S    S    FeedbackRequest     id madeOn agreedOn partyName partyEmail reference mediationEndedOn
SRA  SRA  Mediator            feedback[Feedback]
RA   RA   Mediator            feedback(filter orderBy)
SRA  SRA  Mediator            feedbackPiece(id)
SRA  SRA  Feedback            id answers
RA   RA   Feedback            year receivedOn capacity actedAs shared byInvitation
A    -    Feedback            origin(reason)
A    -    FeedbackOrigin      name email receivedAt
SRA  SRA  FeedbackAnswer      question rating text
RA   RA   FeedbackFilter      year capacity actedAs shared byInvitation
RA   RA   FeedbackOrder       field direction
RA   RA   FeedbackOrderField  RECEIVED_ON
A    A    Query               heldFeedback[GivenFeedback]
A    A    GivenFeedback       id mediatorId mediatorName receivedOn capacity actedAs shared byInvitation held answers
A    -    Query               feedbackBy(email reason)
RA   RA   Mediator            feedbackSummary
RA   RA   FeedbackSummary     years
RA   RA   FeedbackYear        year count questions
RA   RA   QuestionSummary     question count average spread

SRDA SRDA Query               me
SRDA SRDA OwnAccount          id name email roles emailVerifiedAt paidUntil secondFactor
S    S    OwnAccount          mediator
SRDA -    OwnAccount          sessions apiTokens exports
SRDA -    Session             id createdAt usedAt current
SRDA -    ApiToken            id name createdAt usedAt expiresAt revokedAt
SRDA -    DataExport          id requestedAt readyAt expiresAt percent
SRDA SRDA Role                MEDIATOR REVIEWER DIRECTORY ADMIN
SRDA SRDA Query               directories[Directory]
SRDA SRDA Directory           id name website
SA   SA   Query               reviewers(search)[Reviewer]
SA   SA   Reviewer            id name
A    A    Query               accounts(search)[Account] unconfirmedReviewers[Account]
A    A    Account             id name email roles emailVerifiedAt paidUntil reviewerConfirmedAt createdAt secondFactor
RA   RA   Query               waitingAppointments(standing)[WaitingAppointment]
RA   RA   WaitingAppointment  id askedAt mediatorId mediatorName reviewerId reviewerName missing
RA   RA   Yes                 ACCEPTANCE CONFIRMATION APPROVAL
A    A    Query               auditLog(filter)[AuditEntry] deadMail[DeadMail]
A    A    AuditEntry          id at action actorId actor subjectId subject reason count
A    A    AuditFilter         action actorId subjectId from to
A    A    AuditAction         *
A    A    DeadMail            id kind attempts smtpCode

P    SRDA Query               survey feedbackInvitation(token) feedbackSubjects(search) feedbackSubject(id link)
P    SRDA Survey              leastMinutes mostMinutes scale questions
P    SRDA SurveyScaleStep     rating label
P    SRDA SurveyQuestion      key text kind readers help
P    SRDA QuestionKind        RATING TEXT
P    SRDA QuestionReader      REVIEWER MEDIATOR
P    SRDA FeedbackInvitation  state subject
P    SRDA LinkState           OPEN SPENT EXPIRED WITHDRAWN
P    SRDA FeedbackSubject     id name reviewerName reviewerRelation reviewerRelationDetails
P    SRDA Relation            NO_RELATION COLLEAGUE SAME_PROVIDER OTHER FAMILY EMPLOYER EMPLOYEE
P    SRDA FeedbackSubjectName id name
P    SRDA Capacity            PARTY PARTY_ADVISER PROFESSIONAL OTHER
P    SRDA ActedAs             MEDIATOR ADVOCATE
P    SA   Visibility          DIRECTORIES PRIVATE

P    SRDA Query               feedbackReceipt(code)
P    SRDA FeedbackReceipt     mediatorName receivedOn capacity actedAs shared shareAlone released answers
P    SRDA FeedbackReceiptAnswer question rating text
P    SRDA Change              changeFeedbackSharing eraseFeedback
P    SRDA Change              giveFeedback stopRequests
P    SRDA FeedbackAnswerInput question rating text notApplicable
P    -    Change              signUp verifyEmail signIn finishSignIn requestPasswordReset resetPassword
P    -    Change              acceptInvitation
SRDA -    Change              signOut updateAccount changeEmail changePassword endSession deleteMyAccount
SRDA -    Change              setUpSecondFactor confirmSecondFactor removeSecondFactor renewRecoveryCodes
SRDA -    Change              createApiToken revokeApiToken exportMyData
S    S    Change              updateProfile addLogbookEntry updateLogbookEntry deleteLogbookEntry
S    S    Change              importLogbookEntries addCaseSession updateCaseSession deleteCaseSession
S    S    ImportedLogbookEntryInput role medium startedOn endedOn minutes disputeKind country languages
S    S    ImportedLogbookEntryInput partyCount outcome simulated reference parties didWell foundChallenging notes
S    S    ImportedLogbookEntryInput writtenAgreement completed subject coMediator
S    S    ImportOutcome       status problems
S    S    ImportStatus        IMPORTED SKIPPED FAILED LEFT_OUT
S    S    CpdCreditInput      body activity points
S    S    Change              addCpdEntry updateCpdEntry deleteCpdEntry requestFeedback withdrawFeedbackRequest
S    S    Change              addOpeningBalance updateOpeningBalance deleteOpeningBalance
S    S    Change              attachFile detachFile
S    S    Change              appointReviewer inviteReviewer resendInvitation revokeInvitation
R    -    Change              acceptAppointment declareRelation
RA   -    Change              declineAppointment
SR   SR   Change              endReview
A    A    Change              updateDirectory setPaidAccess endPaidAccess retryMail approveAppointment
A    A    Change              admitFeedback
A    -    Change              removeFeedback
A    -    RemovalReason       *
A    -    Change              createDirectory addRole removeRole signOutAccount deleteAccount confirmReviewer
P    SRDA UserError           field message code
P    SRDA UserErrorCode       *
SRDA SRDA PageInfo            hasNextPage hasPreviousPage startCursor endCursor
SDRA SDRA OrderDirection      ASC DESC
"""
WITHOUT_INPUT = {"signOut"}
PAGING = ("first", "after", "last", "before")


@cache
def whole() -> GraphQLSchema:
    return whole_schema()


def members(type_name: str) -> Iterator[str]:
    """Everything in a type of the whole schema, including arguments."""
    type_: Any = whole().type_map[type_name]
    for name, member in (getattr(type_, "fields", None) or type_.values).items():
        yield f"{type_name}.{name}"
        for argument in getattr(member, "args", {}):
            yield f"{type_name}.{name}({argument})"


def elements_of(type_name: str, names: str) -> Iterator[str]:
    """The elements that a row of the table names."""
    if names == "*":
        yield from members(type_name)
        return
    for name, arguments, of in re.findall(r"(\w+)(?:\(([\w ]+)\))?(?:\[(\w+)\])?", names):
        if type_name == "Change":
            yield f"Mutation.{name}"
            title = name[0].upper() + name[1:]
            if name not in WITHOUT_INPUT:
                yield f"Mutation.{name}(input)"
                yield from members(f"{title}Input")
            yield from members(f"{title}Payload")
            continue
        yield f"{type_name}.{name}"
        yield from (f"{type_name}.{name}({argument})" for argument in arguments.split())
        if of:
            yield from (f"{type_name}.{name}({argument})" for argument in PAGING)
            yield from members(f"{of}Connection")
            yield from members(f"{of}Edge")


@cache
def expected(who: str, *, by_token: bool = False) -> frozenset[str]:
    """What somebody with these standings ("" for somebody signed out) should have."""
    found = set()
    for line in filter(None, map(str.strip, TABLE.splitlines())):
        by_session, token, type_name, names = line.split(maxsplit=3)
        column = token if by_token else by_session
        if column == "P" or set(column) & set(who):
            found |= set(elements_of(type_name, names))
    return frozenset(found)


NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def names(elements: frozenset[str]) -> set[str]:
    """Just the names of types, fields, arguments and values."""
    return {name for element in elements for name in NAME.findall(element)}


UNMISTAKABLE = re.compile(r"[a-z][A-Z]|_")


def named(text: str) -> set[str]:
    """The names in a sentence: anything in quotes, and anything that can't be an English word."""
    quoted = " ".join(re.findall(r"`[^`]*`|(?<!\w)'[^']*'(?!\w)", text))
    return set(NAME.findall(quoted)) | {name for name in NAME.findall(text) if UNMISTAKABLE.search(name)}


def lacking(who: str, *, by_token: bool = False) -> set[str]:
    """Every name in the API that somebody's schema doesn't have."""
    return names(expected("SRDA")) - names(expected(who, by_token=by_token))
