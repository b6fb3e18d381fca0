//! The workloads by name. What they do is in the contender, except the load of the service, which
//! comes from the driver.

/// How a workload runs, and hence what it can be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On the main thread alone.
    SingleThread,
    /// On several threads.
    Threads,
    /// Like `Threads`, and there to be compared with itself on another number of threads.
    Scaling,
    /// A server, whose load comes from outside.
    Service,
}

/// Something for an allocator to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "`summary` says it, for users and readers alike"
)]
pub enum Workload {
    Churn,
    ChurnNear,
    Churn2,
    Json,
    Btree,
    Compose,
    Service,
    Private1,
    Private2,
    Shared1,
    Shared2,
    Heap200,
}

impl Workload {
    /// All of them, in the order of the results.
    pub const ALL: [Self; 12] = [
        Self::Json,
        Self::Btree,
        Self::Compose,
        Self::Service,
        Self::Churn,
        Self::ChurnNear,
        Self::Churn2,
        Self::Private1,
        Self::Private2,
        Self::Shared1,
        Self::Shared2,
        Self::Heap200,
    ];

    /// The workload of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|workload| workload.name() == name)
    }

    /// What the command line and the tables call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Churn => "churn",
            Self::ChurnNear => "churn-near",
            Self::Churn2 => "churn2",
            Self::Json => "json",
            Self::Btree => "btree",
            Self::Compose => "compose",
            Self::Service => "service",
            Self::Private1 => "private1",
            Self::Private2 => "private2",
            Self::Shared1 => "shared1",
            Self::Shared2 => "shared2",
            Self::Heap200 => "heap200",
        }
    }

    /// What it does.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Churn => "one thread allocates and frees on 256 call paths, in scattered order",
            Self::ChurnNear => "the same, in the order in which nested loops would take them",
            Self::Churn2 => "two threads; each frees what the other has allocated",
            Self::Json => "serde_json parses a document of 200 KB and drops it",
            Self::Btree => "a BTreeMap of 20,000 vectors is built and destroyed",
            Self::Compose => "a recursive composition, with a call path for each of 9,841 widgets",
            Self::Service => "the widget service of the examples under load over HTTP",
            Self::Private1 => "one thread allocates and frees on 64 call paths",
            Self::Private2 => "two threads do so, each on 64 call paths of its own",
            Self::Shared1 => "one thread allocates and frees on one call path",
            Self::Shared2 => "two threads do so, both on the same call path",
            Self::Heap200 => "a heap of 200 MB in 40,000 lists is built and dropped",
        }
    }

    /// What one operation is.
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Churn
            | Self::ChurnNear
            | Self::Churn2
            | Self::Private1
            | Self::Private2
            | Self::Shared1
            | Self::Shared2 => "pair",
            Self::Json => "document",
            Self::Btree => "map",
            Self::Compose => "widget",
            Self::Service => "request",
            Self::Heap200 => "heap",
        }
    }

    /// How it runs.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Json
            | Self::Btree
            | Self::Compose
            | Self::Churn
            | Self::ChurnNear
            | Self::Heap200 => Kind::SingleThread,
            Self::Churn2 => Kind::Threads,
            Self::Private1 | Self::Private2 | Self::Shared1 | Self::Shared2 => Kind::Scaling,
            Self::Service => Kind::Service,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_are_distinct() {
        for workload in Workload::ALL {
            assert_eq!(Workload::by_name(workload.name()), Some(workload));
        }
        assert_eq!(Workload::by_name("chrun"), None);
    }
}
