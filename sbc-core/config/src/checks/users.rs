//! Logins: somebody must be able to come in and change what is wrong.

use crate::checks::Check;
use crate::codes::{NO_ADMIN, NO_WAY_IN};
use crate::draft::Draft;
use crate::file::Given;
use crate::file::values::Role;
use crate::report::{Problem, Report};

/// The checks of logins.
pub const CHECKS: &[Check] = &[no_admin, no_way_in];

/// A node without any user is claimed by the first who comes; one whose users
/// are none of them an admin is lost.
fn no_admin(draft: &Draft<'_>, report: &mut Report) {
    let Given::Is(users) = &draft.file.user else {
        return;
    };
    let whole = users.value.unread.is_empty() && !users.value.unnamed;
    let mut active = users
        .value
        .tables
        .iter()
        .filter(|user| user.table.active.or(true) != Some(false));
    let admin = active.any(|user| match &user.table.role {
        Given::Is(role) => role.value == Role::Admin,
        // A role that cannot be read may have been meant so.
        Given::Broken => true,
        Given::Absent => false,
    });
    let Some(first) = users.value.tables.first() else {
        return;
    };
    if whole && !admin {
        let problem = Problem::new(
            NO_ADMIN,
            &first.span,
            "no user may change the configuration",
        );
        report.add(
            problem
                .label("none of them is an admin")
                .help("give one user role = \"admin\""),
        );
    }
}

fn no_way_in(draft: &Draft<'_>, report: &mut Report) {
    let Some(users) = draft.file.user.value() else {
        return;
    };
    for user in &users.tables {
        if user.table.password.is_absent() && user.table.ssh_keys.is_absent() {
            let message =
                alloc::format!("user {} has neither password nor key", user.name.as_str());
            report.add(
                Problem::new(NO_WAY_IN, &user.span, message)
                    .label("cannot log in")
                    .help("name a secret: password = { secret = \"user/NAME\" }"),
            );
        }
    }
}
