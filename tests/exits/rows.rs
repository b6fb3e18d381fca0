//! The table: how a process ends, with what, and whether it leaves a last snapshot.
//!
//! In every row the snapshots that were taken before stay as they are.

use std::fmt;

pub(crate) struct Row {
    /// As in the documentation.
    pub(crate) what: &'static str,
    pub(crate) role: &'static str,
    pub(crate) settings: &'static [(&'static str, &'static str)],
    pub(crate) place: Place,
    /// Sent from outside once the process is ready.
    pub(crate) signals: &'static [i32],
    pub(crate) ends: Ends,
    /// Reason in the name of the last snapshot, if there is one.
    pub(crate) last: Option<&'static str>,
    /// What heaplens says.
    pub(crate) lines: &'static [&'static str],
    /// Words that stand in what else the process says.
    pub(crate) own_words: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Here,
    /// In a container, as the process that the system starts first.
    Process1,
    /// In a control group of 64 MiB.
    SmallGroup,
}

pub(crate) enum Ends {
    Code(i32),
    Signal(&'static str, i32),
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "code {code}"),
            Self::Signal(name, _) => write!(f, "`SIG{name}`"),
        }
    }
}

const TERM: Ends = Ends::Signal("TERM", libc::SIGTERM);
const INT: Ends = Ends::Signal("INT", libc::SIGINT);
const ABRT: Ends = Ends::Signal("ABRT", libc::SIGABRT);
const KILL: Ends = Ends::Signal("KILL", libc::SIGKILL);
const ON_TERM: &[(&str, &str)] = &[("HEAPLENS_ON_TERM", "1")];
/// The thread is started by the first request for a snapshot, hence as a watched one.
const STUCK: &[(&str, &str)] = &[("HEAPLENS_SIGNAL", "none")];
const ON_TERM_STUCK: &[(&str, &str)] = &[("HEAPLENS_SIGNAL", "none"), ("HEAPLENS_ON_TERM", "1")];
const EXIT: Option<&str> = Some("exit");

const PLAIN: Row = Row {
    what: "",
    role: "stay",
    settings: &[],
    place: Place::Here,
    signals: &[],
    ends: TERM,
    last: None,
    lines: &[],
    own_words: &[],
};

const fn row(
    what: &'static str,
    role: &'static str,
    ends: Ends,
    last: Option<&'static str>,
) -> Row {
    Row {
        what,
        role,
        ends,
        last,
        ..PLAIN
    }
}

/// A row of a process that is told to end, with `HEAPLENS_ON_TERM=1` or without.
const fn told(
    what: &'static str,
    role: &'static str,
    settings: &'static [(&'static str, &'static str)],
    signals: &'static [i32],
    ends: Ends,
    last: Option<&'static str>,
) -> Row {
    Row {
        settings,
        signals,
        ..row(what, role, ends, last)
    }
}

pub(crate) const ROWS: &[Row] = &[
    // First those that take the ten seconds of the cap.
    told(
        "`exit` while the last snapshot cannot be taken: after 10 seconds",
        "exit while stuck",
        STUCK,
        &[],
        Ends::Code(3),
        None,
    ),
    told(
        "`SIGTERM`, `HEAPLENS_ON_TERM=1`, while the last snapshot cannot be taken: after 10 seconds",
        "stay while stuck",
        ON_TERM_STUCK,
        &[libc::SIGTERM],
        TERM,
        None,
    ),
    told(
        "`SIGINT`, `HEAPLENS_ON_TERM=1`, while the last snapshot cannot be taken: after 10 seconds",
        "stay while stuck",
        ON_TERM_STUCK,
        &[libc::SIGINT],
        INT,
        None,
    ),
    row("return from `main`", "return", Ends::Code(0), EXIT),
    row("`process::exit`", "exit", Ends::Code(3), EXIT),
    Row {
        own_words: &["as it should"],
        ..row("a panic in `main`", "panic", Ends::Code(101), Some("panic"))
    },
    Row {
        own_words: &["caught by join"],
        ..row(
            "return from `main` after a panic in another thread",
            "panic in a thread",
            Ends::Code(0),
            EXIT,
        )
    },
    Row {
        own_words: &["as it should"],
        ..row(
            "a panic that does not unwind, as with `panic = \"abort\"`",
            "panic that cannot unwind",
            ABRT,
            None,
        )
    },
    row("`process::abort`", "abort", ABRT, None),
    row("`_exit`", "exit at once", Ends::Code(3), None),
    row("`exec` of another program", "exec", Ends::Code(0), None),
    Row {
        own_words: &["has overflowed its stack"],
        ..row("stack overflow", "stack overflow", ABRT, None)
    },
    Row {
        own_words: &["memory allocation of 16777216 bytes failed"],
        ..row(
            "an allocation that fails (`RLIMIT_AS`)",
            "limited address space",
            ABRT,
            None,
        )
    },
    Row {
        place: Place::SmallGroup,
        settings: &[("HEAPLENS_TRIGGERS", "none")],
        ..row(
            "the memory limit of a control group, with `HEAPLENS_TRIGGERS=none`",
            "eat memory",
            KILL,
            None,
        )
    },
    Row {
        place: Place::SmallGroup,
        settings: &[("HEAPLENS_TRIGGERS", "limit=80%")],
        ..row(
            "the same, reached in seconds, with `HEAPLENS_TRIGGERS=limit=80%`",
            "eat memory slowly",
            KILL,
            Some("limit"),
        )
    },
    told("`SIGKILL`", "stay", ON_TERM, &[libc::SIGKILL], KILL, None),
    told("`SIGTERM`", "stay", &[], &[libc::SIGTERM], TERM, None),
    told("`SIGINT`", "stay", &[], &[libc::SIGINT], INT, None),
    told(
        "`SIGTERM` to a program that handles it and exits",
        "host handler",
        &[],
        &[libc::SIGTERM],
        Ends::Code(4),
        EXIT,
    ),
    told(
        "`SIGTERM`, `HEAPLENS_ON_TERM=1`",
        "stay",
        ON_TERM,
        &[libc::SIGTERM],
        TERM,
        EXIT,
    ),
    told(
        "`SIGINT`, `HEAPLENS_ON_TERM=1`",
        "stay",
        ON_TERM,
        &[libc::SIGINT],
        INT,
        EXIT,
    ),
    told(
        "`SIGTERM` twice, `HEAPLENS_ON_TERM=1`, while the last snapshot cannot be taken: at once",
        "stay while stuck",
        ON_TERM_STUCK,
        &[libc::SIGTERM, libc::SIGTERM],
        TERM,
        None,
    ),
    told(
        "`SIGTERM`, `HEAPLENS_ON_TERM=1`, after the profiler has ended",
        "after the guard",
        ON_TERM,
        &[libc::SIGTERM],
        TERM,
        EXIT,
    ),
    Row {
        lines: &[
            "heaplens: signal TERM takes no last snapshot, though HEAPLENS_ON_TERM is set: the program handles it itself",
        ],
        ..told(
            "`SIGTERM`, `HEAPLENS_ON_TERM=1`, to a program that handles it and exits",
            "host handler",
            ON_TERM,
            &[libc::SIGTERM],
            Ends::Code(4),
            EXIT,
        )
    },
    told(
        "the same, where the handler was installed later",
        "later host handler",
        ON_TERM,
        &[libc::SIGTERM],
        Ends::Code(4),
        EXIT,
    ),
    told(
        "the same, where that handler calls the one before it",
        "calling host handler",
        ON_TERM,
        &[libc::SIGTERM],
        Ends::Code(4),
        EXIT,
    ),
    told(
        "return from `main`, `HEAPLENS_ON_TERM=1`, after a `SIGINT` that is ignored",
        "ignore",
        ON_TERM,
        &[],
        Ends::Code(0),
        EXIT,
    ),
    told(
        "return from `main`, `HEAPLENS_ON_TERM=1`, after a `SIGTERM` to a forked child, which dies",
        "forked child",
        ON_TERM,
        &[],
        Ends::Code(0),
        EXIT,
    ),
    Row {
        place: Place::Process1,
        ..row(
            "return from `main` as process 1",
            "return",
            Ends::Code(0),
            EXIT,
        )
    },
    // The system keeps from process 1 what it does not handle. The second signal shows it alive.
    Row {
        place: Place::Process1,
        ..told(
            "its own `exit`, after a `SIGTERM` to process 1 that does not handle it",
            "still there",
            &[],
            &[libc::SIGTERM, libc::SIGUSR2],
            Ends::Code(5),
            EXIT,
        )
    },
    Row {
        place: Place::Process1,
        ..told(
            "`SIGTERM` to process 1 that handles it and exits",
            "host handler",
            &[],
            &[libc::SIGTERM],
            Ends::Code(4),
            EXIT,
        )
    },
    Row {
        place: Place::Process1,
        ..told(
            "`SIGTERM` to process 1, `HEAPLENS_ON_TERM=1`",
            "stay",
            ON_TERM,
            &[libc::SIGTERM],
            Ends::Code(128 + libc::SIGTERM),
            EXIT,
        )
    },
    Row {
        place: Place::Process1,
        ..told(
            "`SIGINT` to process 1, `HEAPLENS_ON_TERM=1`",
            "stay",
            ON_TERM,
            &[libc::SIGINT],
            Ends::Code(128 + libc::SIGINT),
            EXIT,
        )
    },
];
