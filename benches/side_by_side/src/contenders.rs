//! What can be compared: allocators and profilers, how each is built and started, and with what.

use std::fmt;

/// How the contender's program is built. Equal ones are built once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program {
    /// Features of the package `contender`.
    pub(crate) features: &'static str,
    /// All crates with frame pointers, for those who walk them.
    pub(crate) frame_pointers: bool,
    /// 0 for the linker's own order of functions; others are shuffled by that seed.
    pub(crate) layout: u32,
}

impl Program {
    const fn of(features: &'static str) -> Self {
        Self {
            features,
            frame_pointers: false,
            layout: 0,
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.features {
            "" => f.write_str("bare")?,
            features => f.write_str(features)?,
        }
        if self.frame_pointers {
            f.write_str(",frame-pointers")?;
        }
        match self.layout {
            0 => Ok(()),
            layout => write!(f, ",layout-{layout}"),
        }
    }
}

/// What starts the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Launcher {
    Direct,
    /// `heaptrack --raw`.
    Heaptrack,
}

/// One way to run a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) program: Program,
    /// Variables set for it.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    pub(crate) launcher: Launcher,
    pub(crate) idle_thread: bool,
    /// It has the HTTP endpoint, and its metrics are asked for each second.
    pub(crate) is_scraped: bool,
    /// What it is compared with, each on its own.
    pub(crate) bases: &'static [&'static str],
}

impl Contender {
    /// The same with the program's functions in another order.
    pub(crate) const fn in_layout(mut self, layout: u32) -> Self {
        self.program.layout = layout;
        self
    }

    /// The name, with the layout where it is not the linker's.
    pub(crate) fn label(&self) -> String {
        match self.program.layout {
            0 => self.name.to_owned(),
            layout => format!("{}@{layout}", self.name),
        }
    }

    /// Its allocator is the C library's at bottom, or it is one itself.
    fn is_over(&self, inner: &str) -> bool {
        self.program.features.contains(inner)
    }

    /// Over the C library's allocator.
    pub(crate) fn is_over_system(&self) -> bool {
        !self.is_over("inner-mimalloc")
            && !self.is_over("inner-jemalloc")
            && !self.is_over("jemalloc-profiling")
    }
}

/// The contender of that name.
pub(crate) fn by_name(name: &str) -> Option<&'static Contender> {
    ALL.iter().find(|contender| contender.name == name)
}

const fn contender(
    name: &'static str,
    summary: &'static str,
    features: &'static str,
    bases: &'static [&'static str],
) -> Contender {
    Contender {
        name,
        summary,
        program: Program::of(features),
        environment: &[],
        launcher: Launcher::Direct,
        idle_thread: false,
        is_scraped: false,
        bases,
    }
}

impl Contender {
    const fn with(mut self, environment: &'static [(&'static str, &'static str)]) -> Self {
        self.environment = environment;
        self
    }

    const fn with_frame_pointers(mut self) -> Self {
        self.program.frame_pointers = true;
        self
    }

    const fn with_idle_thread(mut self) -> Self {
        self.idle_thread = true;
        self
    }

    const fn scraped(mut self) -> Self {
        self.is_scraped = true;
        self
    }

    const fn under(mut self, launcher: Launcher) -> Self {
        self.launcher = launcher;
        self
    }
}

const OFF: &[(&str, &str)] = &[("HEAPLENS_MODE", "off")];
const SAMPLED: &[(&str, &str)] = &[("HEAPLENS_MODE", "sampled")];
const EXACT: &[(&str, &str)] = &[("HEAPLENS_MODE", "exact")];
const JEMALLOC_CONF: &str = "_RJEM_MALLOC_CONF";

const OVER_SYSTEM: &str = "wrap-heaplens";
const OVER_MIMALLOC: &str = "wrap-heaplens,inner-mimalloc";
const OVER_JEMALLOC: &str = "wrap-heaplens,inner-jemalloc";
/// The C library leaves its paths for single-threaded programs as soon as there is a second thread. So
/// heaplens is compared without its thread with a program of one thread, and with its thread, which a
/// signal or an interval takes, with a program of two.
const SAMPLED_THREAD: &[(&str, &str)] =
    &[("HEAPLENS_MODE", "sampled"), ("HEAPLENS_SIGNAL", "USR2")];
const EXACT_THREAD: &[(&str, &str)] = &[("HEAPLENS_MODE", "exact"), ("HEAPLENS_SIGNAL", "USR2")];

/// All contenders, in the order of the results.
#[rustfmt::skip]
pub(crate) const ALL: &[Contender] = &[
    contender("system", "the C library's allocator", "", &[]),
    contender("system-thread", "the same beside one idle thread", "", &["system"])
        .with_idle_thread(),
    contender("system-fp", "the same built with frame pointers", "", &["system"])
        .with_frame_pointers(),
    contender("mimalloc", "mimalloc", "inner-mimalloc", &["system"]),
    contender("jemalloc", "jemalloc", "inner-jemalloc", &["system"]),
    contender("forward-system", "a wrapper that only forwards", "wrap-forward", &["system"]),
    contender("forward-mimalloc", "a wrapper that only forwards", "wrap-forward,inner-mimalloc", &["mimalloc"]),
    contender("forward-jemalloc", "a wrapper that only forwards", "wrap-forward,inner-jemalloc", &["jemalloc"]),
    contender("off-system", "heaplens, off", OVER_SYSTEM, &["system"]).with(OFF),
    contender("off-mimalloc", "heaplens, off", OVER_MIMALLOC, &["mimalloc"]).with(OFF),
    contender("off-jemalloc", "heaplens, off", OVER_JEMALLOC, &["jemalloc"]).with(OFF),
    contender("sampled-system", "heaplens, every 512 KiB", OVER_SYSTEM, &["system"]).with(SAMPLED),
    contender("sampled-thread", "heaplens with its thread, every 512 KiB", OVER_SYSTEM, &["system-thread"])
        .with(SAMPLED_THREAD),
    contender("sampled-scraped", "heaplens with its thread and endpoint, every 512 KiB; metrics each second", "wrap-heaplens-http", &["system"])
        .with(SAMPLED_THREAD)
        .scraped(),
    contender("sampled-mimalloc", "heaplens, every 512 KiB", OVER_MIMALLOC, &["mimalloc"]).with(SAMPLED),
    contender("sampled-jemalloc", "heaplens, every 512 KiB", OVER_JEMALLOC, &["jemalloc"]).with(SAMPLED),
    contender("jemalloc-prof-off", "jemalloc built with its profiler, not running", "jemalloc-profiling", &["jemalloc"]),
    contender("jemalloc-prof", "jemalloc's profiler, every 512 KiB", "jemalloc-profiling", &["jemalloc-prof-off"])
        .with(&[(JEMALLOC_CONF, "prof:true,lg_prof_sample:19")]),
    contender("exact-system", "heaplens, every allocation", OVER_SYSTEM, &["system"]).with(EXACT),
    contender("exact-thread", "heaplens with its thread, every allocation", OVER_SYSTEM, &["system-thread"])
        .with(EXACT_THREAD),
    contender("exact-mimalloc", "heaplens, every allocation", OVER_MIMALLOC, &["mimalloc"]).with(EXACT),
    contender("exact-jemalloc", "heaplens, every allocation", OVER_JEMALLOC, &["jemalloc"]).with(EXACT),
    contender("heapscope", "heapscope, every allocation", "wrap-heapscope", &["system-fp"])
        .with_frame_pointers(),
    contender("heaptrack", "heaptrack --raw, every allocation", "", &["system"])
        .under(Launcher::Heaptrack),
    contender("dhat", "dhat, every allocation, 10 frames", "wrap-dhat", &["system"]),
    contender("jemalloc-prof-all", "jemalloc's profiler, every allocation", "jemalloc-profiling", &["jemalloc-prof-off"])
        .with(&[(JEMALLOC_CONF, "prof:true,lg_prof_sample:0")]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_bases_exist() {
        for (index, contender) in ALL.iter().enumerate() {
            assert_eq!(
                ALL.iter().position(|other| other.name == contender.name),
                Some(index)
            );
            for base in contender.bases {
                assert!(by_name(base).is_some_and(|base| base.name != contender.name));
            }
        }
    }

    #[test]
    fn a_base_runs_over_the_same_allocator_and_build() {
        for contender in ALL
            .iter()
            .filter(|contender| contender.program.features.starts_with("wrap"))
        {
            for base in contender.bases {
                let base = by_name(base).unwrap().program;
                let inner = contender.program.features.split(',').nth(1).unwrap_or("");
                assert_eq!(base.features, inner, "{}", contender.name);
                assert_eq!(base.frame_pointers, contender.program.frame_pointers);
            }
        }
    }
}
