"""Every mail of the product, one declaration each: what it's called in the outbox, its subject, and who gets it.

Its words are in `templates/<name>/body.txt` and `body.html`. A new mail needs nothing else.
"""

from i18n import LazyText
from i18n import lazy_gettext as _
from jobs.mail import facts, recipients
from jobs.mail.declaration import Mail
from models.account import LinkPurpose, Role

FEEDBACK_REQUEST = Mail(
    "feedback_request",
    subject=_("%(mediator_name)s would like your feedback"),
    facts=facts.FeedbackRequestFacts,
    find=recipients.party,
    unasked=True,
)
FEEDBACK_RECEIVED = Mail(
    "feedback_received",
    subject=_("You've received feedback"),
    facts=facts.FeedbackReceivedFacts,
    find=recipients.feedback_receiver,
)
DISCREET_NOTICE = Mail(
    "discreet_notice",
    subject=_("There may be new feedback about you"),
    facts=facts.NamedFacts,
    find=recipients.discreet_receiver,
)

FEEDBACK_REMOVED = Mail(
    "feedback_removed",
    subject=_("A piece of feedback about you was removed"),
    facts=facts.NamedFacts,
    find=recipients.by_role(Role.MEDIATOR, held=True),
)

REVIEWER_INVITED = Mail(
    "reviewer_invited",
    subject=_("%(mediator_name)s invites you to be their reviewer"),
    facts=facts.InvitationFacts,
    find=recipients.invited_reviewer,
    unasked=True,
)
REVIEWER_APPOINTED = Mail(
    "reviewer_appointed",
    subject=_("%(mediator_name)s appointed you as their reviewer"),
    facts=facts.ReviewFacts,
    find=recipients.appointed_reviewer,
)
APPOINTMENT_MADE = Mail(
    "appointment_made",
    subject=_("%(reviewer_name)s is now your reviewer"),
    facts=facts.ReviewFacts,
    find=recipients.appointing_mediator,
)
REVIEW_ASKED = Mail(
    "review_asked",
    subject=_("%(mediator_name)s asks you to be their reviewer"),
    facts=facts.AskedFacts,
    find=recipients.asked_reviewer,
)
APPOINTMENT_WAITING = Mail(
    "appointment_waiting",
    subject=_("Your choice of reviewer is waiting"),
    facts=facts.ReviewFacts,
    find=recipients.waiting_mediator,
)
REVIEW_ENDED = Mail(
    "review_ended",
    subject=_("You're no longer the reviewer for %(mediator_name)s"),
    facts=facts.ReviewFacts,
    find=recipients.reviewer,
)
APPOINTMENT_ENDED = Mail(
    "appointment_ended",
    subject=_("%(reviewer_name)s is no longer your reviewer"),
    facts=facts.ReviewFacts,
    find=recipients.mediator,
)

APPOINTMENT_DECLINED = Mail(
    "appointment_declined",
    subject=_("Your choice of reviewer was declined"),
    facts=facts.ReviewFacts,
    find=recipients.mediator,
)
REVIEW_DECLINED = Mail(
    "review_declined",
    subject=_("You won't be the reviewer for %(mediator_name)s"),
    facts=facts.ReviewFacts,
    find=recipients.reviewer,
)
REVIEWER_CONFIRMED = Mail(
    "reviewer_confirmed",
    subject=_("You've been confirmed as a reviewer at %(organisation_name)s"),
    facts=facts.NamedFacts,
    find=recipients.confirmed_reviewer,
)

VERIFY_EMAIL = Mail(
    "verify_email",
    subject=_("Please confirm your email address"),
    facts=facts.AccountLinkFacts,
    find=recipients.account_link(LinkPurpose.VERIFY_EMAIL, "verify"),
)
CHANGE_EMAIL = Mail(
    "change_email",
    subject=_("Please confirm your new email address"),
    facts=facts.AccountLinkFacts,
    find=recipients.account_link(LinkPurpose.CHANGE_EMAIL, "verify"),
)
RESET_PASSWORD = Mail(
    "reset_password",
    subject=_("Set a new password"),
    facts=facts.AccountLinkFacts,
    find=recipients.account_link(LinkPurpose.RESET_PASSWORD, "password"),
)
DIRECTORY_ACCESS = Mail(
    "directory_access",
    subject=_("You have directory access to %(organisation_name)s"),
    facts=facts.AccountLinkFacts,
    find=recipients.account_link(LinkPurpose.SET_PASSWORD, "password"),
)

ALREADY_REGISTERED = Mail(
    "already_registered",
    subject=_("You already have an account at %(organisation_name)s"),
    facts=facts.NamedFacts,
    find=recipients.account,
)
EMAIL_CHANGED = Mail(
    "email_changed",
    subject=_("Your email address was changed"),
    facts=facts.NamedFacts,
    find=recipients.account,
)
PASSWORD_CHANGED = Mail(
    "password_changed",
    subject=_("Your password was changed"),
    facts=facts.NamedFacts,
    find=recipients.account,
)
SECOND_FACTOR_ADDED = Mail(
    "second_factor_added",
    subject=_("Signing in now asks for a code"),
    facts=facts.NamedFacts,
    find=recipients.account,
)
SECOND_FACTOR_REMOVED = Mail(
    "second_factor_removed",
    subject=_("Signing in no longer asks for a code"),
    facts=facts.NamedFacts,
    find=recipients.account,
)
RECOVERY_CODE_USED = Mail(
    "recovery_code_used",
    subject=_("A recovery code was used"),
    facts=facts.NamedFacts,
    find=recipients.account,
)
WRONG_CODE = Mail(
    "wrong_code",
    subject=_("A wrong code was entered for your account"),
    facts=facts.NamedFacts,
    find=recipients.account,
)
API_TOKEN_MADE = Mail(
    "api_token_made",
    subject=_("An API token was created for your account"),
    facts=facts.ApiTokenFacts,
    find=recipients.api_token,
)
ACCOUNT_DELETED = Mail(
    "account_deleted",
    subject=_("Your account was deleted"),
    facts=facts.NamedFacts,
    find=recipients.account,
)
EXPORT_READY = Mail(
    "export_ready",
    subject=_("Your data is ready to download"),
    facts=facts.ExportFacts,
    find=recipients.export,
)


def _about_role(name: str, subjects: dict[Role, LazyText], *, held: bool) -> dict[Role, Mail[facts.NamedFacts]]:
    """Declare the mail to somebody who got or lost each role; `held`: which of the two still has to be so."""
    return {
        role: Mail(
            f"{name}_{role.value.lower()}",
            subject=subject,
            facts=facts.NamedFacts,
            find=recipients.by_role(role, held=held),
        )
        for role, subject in subjects.items()
    }


ROLE_ADDED = _about_role(
    "role_added",
    {
        Role.MEDIATOR: _("You're now a mediator at %(organisation_name)s"),
        Role.REVIEWER: _("You're now a reviewer at %(organisation_name)s"),
        Role.DIRECTORY: _("You're now a directory at %(organisation_name)s"),
        Role.ADMIN: _("You're now an administrator at %(organisation_name)s"),
    },
    held=True,
)
ROLE_REMOVED = _about_role(
    "role_removed",
    {
        Role.MEDIATOR: _("You're no longer a mediator at %(organisation_name)s"),
        Role.REVIEWER: _("You're no longer a reviewer at %(organisation_name)s"),
        Role.DIRECTORY: _("You're no longer a directory at %(organisation_name)s"),
        Role.ADMIN: _("You're no longer an administrator at %(organisation_name)s"),
    },
    held=False,
)

MAILS: dict[str, Mail[facts.Facts]] = {
    one.name: one
    for one in (*globals().values(), *ROLE_ADDED.values(), *ROLE_REMOVED.values())
    if isinstance(one, Mail)
}
