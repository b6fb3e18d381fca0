//! Arguments on how to ask services over HTTP.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::time::time;
use crate::input::http::{Remote, Settings};

/// The token that services ask for.
#[derive(Debug, Clone, Default, Args)]
pub struct TokenArgs {
    /// File with the token that endpoints ask for
    #[arg(
        long,
        value_name = "FILE",
        env = "HEAPLENS_HTTP_TOKEN_FILE",
        help_heading = "Over HTTP"
    )]
    pub token_file: Option<PathBuf>,
}

/// How to ask for inputs that are URLs.
#[derive(Debug, Clone, Default, Args)]
pub struct HttpArgs {
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub token: TokenArgs,
    /// Longest time for one answer, as 30s [default: 2min]
    #[arg(
        long = "http-timeout",
        value_name = "TIME",
        value_parser = time,
        help_heading = "Over HTTP"
    )]
    pub timeout: Option<Duration>,
}

impl TokenArgs {
    /// Asks with this token, and waits for so long.
    pub(crate) fn remote(&self, timeout: Option<Duration>, partial: bool) -> Arc<Remote> {
        // As with the service itself, an empty variable is one that is not set.
        let token_file = self.token_file.clone();
        Arc::new(Remote::new(Settings {
            token_file: token_file.filter(|file| !file.as_os_str().is_empty()),
            timeout,
            partial,
        }))
    }
}

impl HttpArgs {
    pub(crate) fn remote(&self, partial: bool) -> Arc<Remote> {
        self.token.remote(self.timeout, partial)
    }
}
