//! Arguments of all verbs that look at stacks.

use std::path::PathBuf;

use clap::Args;

use super::HttpArgs;
use crate::input;
use crate::profile::owner::Workspace;
use crate::profile::{Filter, OwnCrates};

/// Where names come from, whose code is whose, and what to look at.
#[derive(Debug, Clone, Default, Args)]
pub struct ProfileArgs {
    /// Look for unstripped programs and debug files here too; may be given several times
    #[arg(long = "debug-dir", value_name = "DIR")]
    pub debug_dirs: Vec<PathBuf>,
    /// Count these crates as your own code, beside the program's main crate [default: those of the
    /// workspace around the current folder, if it builds the program]
    #[arg(long, value_name = "CRATE,…", value_delimiter = ',')]
    pub owner_crates: Vec<String>,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub http: HttpArgs,
    /// Go on without the URLs that do not answer; each of them is named
    #[arg(long, help_heading = "Over HTTP")]
    pub partial: bool,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub filter: Filter,
}

/// What is seen of stacks, and where it goes: of all verbs that show them once.
#[derive(Debug, Args)]
pub struct ViewArgs {
    /// Write to this file instead of the standard output
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    // Last, since what stands behind filters would stand under their heading.
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub profile: ProfileArgs,
}

impl ProfileArgs {
    pub(crate) fn options(&self) -> input::Options {
        input::Options {
            debug_dirs: self.debug_dirs.clone(),
            own_crates: self.own_crates(),
            filter: self.filter.clone(),
            remote: self.http.remote(self.partial),
            ..input::Options::default()
        }
    }

    /// Whoever names crates need not be told of others.
    fn own_crates(&self) -> OwnCrates {
        let workspace = match self.owner_crates.is_empty() {
            true => input::workspace::current(),
            false => Workspace::default(),
        };
        OwnCrates {
            named: self.owner_crates.clone(),
            workspace,
        }
    }
}
