//! What grew and what shrank by owner: the flamegraph's text alternative.

use std::io::{self, Write};

use super::html::{Name, Place};
use crate::analysis::diff::{Diff, OwnerChange, Side};
use crate::render::{place, units};

/// Owners shown.
const ROWS: usize = 40;

/// Writes the owners that changed most, growth first.
pub(super) fn write(diff: &Diff<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut owners = diff.owners();
    let all = owners.len();
    // Those that grew most and those that shrank most, in the order of growth.
    owners.sort_by_key(|owner| std::cmp::Reverse(owner.change().unsigned_abs()));
    owners.truncate(ROWS);
    owners.sort_by_key(|owner| std::cmp::Reverse(owner.change()));
    let [before, after] = [Side::Before, Side::After].map(|side| diff.profile(side).totals());
    writeln!(
        out,
        "<div class=\"scroll\"><table id=\"growth\"><thead><tr><th scope=\"col\">change</th><th \
         scope=\"col\">before</th><th scope=\"col\">after</th><th scope=\"col\">owner</th></tr></thead>\
         <tbody>"
    )?;
    for owner in &owners {
        row(diff, owner, out)?;
    }
    writeln!(
        out,
        "</tbody><tfoot><tr><td>{}</td><td>{}</td><td>{}</td><td>all {all} owners</td></tr></tfoot>\
         </table></div>",
        units::change(diff.change()),
        units::bytes(before.live_bytes),
        units::bytes(after.live_bytes),
    )
}

fn row(diff: &Diff<'_>, owner: &OwnerChange, out: &mut dyn Write) -> io::Result<()> {
    let profile = diff.profile(owner.side);
    let error = match diff.is_sampled() {
        true => {
            let error = diff.change_error(&owner.before, &owner.after);
            format!(" <small>{}</small>", units::error(error))
        }
        false => String::new(),
    };
    write!(
        out,
        "<tr><td>{}{error}</td><td>{}</td><td>{}</td><td>{}",
        units::change(owner.change()),
        units::bytes(owner.before.live_bytes),
        units::bytes(owner.after.live_bytes),
        Name(profile.name(owner.node)),
    )?;
    if let Some(place) = place::at(profile, owner.node) {
        write!(out, " {}", Place(place))?;
    }
    writeln!(out, "</td></tr>")
}
