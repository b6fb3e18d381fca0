//! A profile for speedscope, in its own file format: what is live in bytes and in blocks, and what was
//! ever allocated, each as a profile of its own in one file.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::Serializer;

use super::json::{self, Lazily, MOST_FRAMES};
use super::stacks::positive;
use crate::profile::{FunctionId, Profile, Site, Values};

/// What a profile in the file weighs.
#[derive(Clone, Copy)]
struct Measure {
    name: &'static str,
    unit: &'static str,
    of: fn(&Values) -> u64,
}

const MEASURES: [Measure; 3] = [
    Measure {
        name: "live bytes",
        unit: "bytes",
        of: |values| positive(values.live_bytes),
    },
    Measure {
        name: "live blocks",
        unit: "none",
        of: |values| positive(values.live_count),
    },
    Measure {
        name: "bytes ever allocated",
        unit: "bytes",
        of: |values| values.total_bytes,
    },
];

#[derive(Serialize)]
struct Document<'a, F, P> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    exporter: &'static str,
    name: &'a str,
    #[serde(rename = "activeProfileIndex")]
    active_profile_index: usize,
    shared: Shared<F>,
    profiles: P,
}

#[derive(Serialize)]
struct Shared<F> {
    frames: F,
}

#[derive(Serialize)]
struct Frame<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

#[derive(Serialize)]
struct Weighed<S, W> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    unit: &'static str,
    #[serde(rename = "startValue")]
    start: u64,
    #[serde(rename = "endValue")]
    end: u64,
    samples: S,
    weights: W,
}

/// Writes the profiles of all measures of which there is anything; live bytes in any case.
pub fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let frames = profile.frames();
    let name = profile
        .sources()
        .first()
        .map_or("", |source| source.file.as_str());
    let measures = MEASURES.iter().enumerate().filter(|(at, measure)| {
        *at == 0
            || profile
                .sites()
                .iter()
                .any(|site| (measure.of)(&site.values) > 0)
    });
    let measures: Vec<Measure> = measures.map(|(_, measure)| *measure).collect();
    json::write(
        out,
        &Document {
            schema: "https://www.speedscope.app/file-format-schema.json",
            exporter: concat!("heaplens ", env!("CARGO_PKG_VERSION")),
            name,
            active_profile_index: 0,
            shared: Shared {
                frames: Lazily(|| {
                    (0..frames.function_count() as FunctionId).map(|function| Frame {
                        name: frames.name(function),
                        file: frames.file(function),
                    })
                }),
            },
            profiles: Lazily(|| measures.iter().map(|measure| weighed(profile, *measure))),
        },
    )
}

fn weighed(profile: &Profile, measure: Measure) -> impl Serialize + use<'_> {
    let sites = move || {
        let weight = move |site: &Site| (measure.of)(&site.values);
        let weights = profile.sites().iter().map(move |site| (site, weight(site)));
        weights.filter(|(_, weight)| *weight > 0)
    };
    Weighed {
        kind: "sampled",
        name: measure.name,
        unit: measure.unit,
        start: 0,
        end: sites().fold(0, |sum, (_, weight)| u64::saturating_add(sum, weight)),
        samples: Lazily(move || sites().map(|(site, _)| Stack { profile, site })),
        weights: Lazily(move || sites().map(|(_, weight)| weight)),
    }
}

/// Numbers of the functions on a stack, outermost first.
struct Stack<'a> {
    profile: &'a Profile,
    site: &'a Site,
}

impl Serialize for Stack<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let innermost = self.profile.tree().stack(self.site.node).take(MOST_FRAMES);
        let mut functions: Vec<FunctionId> = innermost
            .map(|node| self.profile.frame(node).function)
            .collect();
        functions.reverse();
        serializer.collect_seq(functions)
    }
}
