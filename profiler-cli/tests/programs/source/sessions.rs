//! A service that reads from its standard input how many requests there are. Each leaves a session
//! behind that nobody ends; a cache beside it is full soon.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fs::File;
use std::io::ErrorKind;
use std::time::Duration;

const SESSION: usize = 64 << 10;
const CACHED: usize = 256;

fn main() {
    heaplens::profile!();
    let refused = File::create("/it-was-here").expect_err("a root that is read-only");
    assert_eq!(refused.kind(), ErrorKind::ReadOnlyFilesystem);
    println!("process {}", std::process::id());
    let (mut sessions, mut cache) = (Vec::new(), VecDeque::new());
    for line in std::io::stdin().lines() {
        let requests: u32 = line.expect("a pipe").parse().expect("a number");
        for _ in 0..requests {
            sessions.push(open_session());
            remember(&mut cache);
            // Time to be looked at between the steps of the limit.
            std::thread::sleep(Duration::from_millis(4));
        }
    }
}

#[inline(never)]
fn open_session() -> Box<[u8]> {
    std::hint::black_box(vec![1; SESSION].into_boxed_slice())
}

#[inline(never)]
fn remember(cache: &mut VecDeque<Box<[u8]>>) {
    if cache.len() == CACHED {
        cache.pop_front();
    }
    cache.push_back(vec![2; SESSION / 2].into_boxed_slice());
}
