use crate::snapshot::examples::with_graph;
use crate::snapshot::graph::{Graph, Role};
use crate::snapshot::validate;

/// What `validate` says of the example after `change`.
fn problem_after(change: impl FnOnce(&mut Graph)) -> String {
    let mut snapshot = with_graph();
    validate(&snapshot).expect("the example is valid");
    change(snapshot.graph.as_mut().expect("it has a graph"));
    let invalid = validate(&snapshot).expect_err("the change is not");
    invalid.to_string()
}

#[test]
fn verdicts_are_of_one_site_each() {
    assert_eq!(
        problem_after(|graph| graph.sites.site[1] = 2),
        "graph.sites.site[1] is 2, but sites has 2 rows"
    );
    assert_eq!(
        problem_after(|graph| graph.sites.site[1] = 0),
        "graph.sites.site[1] is 0, as a row before"
    );
    assert_eq!(
        problem_after(|graph| graph.sites.foreign_count.push(1)),
        "graph.sites.foreign_count has 3 rows, but graph.sites.site has 2"
    );
    assert_eq!(
        problem_after(|graph| graph.sites.unreached_bytes = vec![1 << 61, 1 << 61]),
        "graph.sites.unreached_bytes[1] brings the column's sum to 2^62 or more"
    );
}

#[test]
fn shapes_have_their_own_members_and_links() {
    assert_eq!(
        problem_after(|graph| graph.groups.first_member = Vec::new()),
        "graph.groups.first_member has 0 rows, but 1 rows of graph.groups.cycle need 2"
    );
    assert_eq!(
        problem_after(|graph| graph.groups.first_member[1] = u32::MAX),
        "graph.groups.first_member[1] is 4294967295, but graph.groups.members has 3 rows"
    );
    assert_eq!(
        problem_after(|graph| graph.groups.first_link = vec![3, 3]),
        "graph.groups.first_link[0] is 3, not 0"
    );
    assert_eq!(
        problem_after(|graph| graph.groups.links.to[1] = 3),
        "graph.groups.links.to[1] is 3, but graph.groups.members has 3 rows"
    );
    assert_eq!(
        problem_after(|graph| graph.groups.links.offset[1] = -2),
        "graph.groups.links.offset[1] is -2, but an offset is -1 or more"
    );
    assert_eq!(
        problem_after(|graph| graph.groups.members.role.push(Role::Cycle)),
        "graph.groups.members.role has 4 rows, but graph.groups.members.site has 3"
    );
    assert_eq!(
        problem_after(|graph| graph.groups.left_out.bytes = u64::MAX),
        "graph.groups.left_out.bytes is 2^62 or more"
    );
    let elsewhere = problem_after(|graph| {
        let groups = &mut graph.groups;
        groups.cycle.push(false);
        groups.instances.push(1);
        groups.blocks.push(1);
        groups.bytes.push(1);
        groups.first_member = vec![0, 2, 3];
        groups.first_link.push(3);
    });
    assert_eq!(
        elsewhere,
        "graph.groups.links.to[2] is 2, a member of another shape"
    );
}

#[test]
fn holders_are_sites_or_roots() {
    for holder in [2, -2, i64::MAX, i64::MIN] {
        assert_eq!(
            problem_after(|graph| graph.edges.as_mut().unwrap().holder[0] = holder),
            format!("graph.edges.holder[0] is {holder}, but there are 2 sites and 1 roots")
        );
    }
    let problem = problem_after(|graph| graph.roots = None);
    assert!(problem.ends_with("2 sites and 0 roots"), "{problem}");
}

#[test]
fn dominators_are_a_tree() {
    let problem = problem_after(|graph| graph.dominators.as_mut().unwrap().parent[0] = 0);
    assert!(
        problem.starts_with("graph.dominators.parent[0] is 0, but"),
        "{problem}"
    );
    assert_eq!(
        problem_after(|graph| graph.dominators.as_mut().unwrap().retained_bytes[1] = u64::MAX),
        "graph.dominators.retained_bytes[1] is 2^62 or more"
    );
}
