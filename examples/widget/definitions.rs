//! The definitions of widgets, in SQLite.
//!
//! Publishing replaces a definition as a whole. What is published has been checked, so reading
//! needs no second look. The database grows with what is published and not with what is viewed.
//! Under suspicion, and innocent.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// The most panes of one widget.
pub const MAX_PANES: usize = 64;
/// The deepest nesting of panes.
pub const MAX_DEPTH: usize = 8;
/// The most definitions that the database takes.
pub(crate) const MAX_DEFINITIONS: u64 = 10_000;
/// The longest name or title, in characters.
const MAX_TEXT: usize = 200;
/// The most energy levels of one pane.
const MAX_LEVELS: u8 = 16;
/// Width and height of a pane, in pixels.
const SIZES: std::ops::RangeInclusive<u16> = 8..=1_024;

const SCHEMA: &str = "
    PRAGMA foreign_keys = ON;
    CREATE TABLE IF NOT EXISTS widgets (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS panes (
        widget INTEGER NOT NULL REFERENCES widgets (id) ON DELETE CASCADE,
        ordinal INTEGER NOT NULL,
        parent INTEGER,
        title TEXT NOT NULL,
        levels INTEGER NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        PRIMARY KEY (widget, ordinal)
    ) WITHOUT ROWID;
";

/// What a widget consists of. The first pane is the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its id; the one in the request's path counts, so bodies have none.
    #[serde(skip)]
    pub id: u64,
    /// What it is called, 1 to 200 characters.
    pub name: String,
    /// At least one, at most [`MAX_PANES`].
    pub panes: Vec<PaneDefinition>,
}

/// What a pane shows, and the pane that it is nested in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaneDefinition {
    /// Index of the pane around this one; none for the root, and less than this pane's own index.
    pub parent: Option<usize>,
    /// What stands above it, 1 to 200 characters.
    pub title: String,
    /// How many energy levels are plotted, 1 to 16.
    pub levels: u8,
    /// In pixels, 8 to 1,024.
    pub width: u16,
    /// In pixels, 8 to 1,024.
    pub height: u16,
}

impl Definition {
    /// Whether panes are nested.
    pub(crate) fn is_complex(&self) -> bool {
        self.panes.len() > 1
    }

    /// The indices of the panes nested directly in that pane.
    pub(crate) fn children_of(&self, parent: usize) -> impl Iterator<Item = usize> {
        let of_parent = move |(_, pane): &(usize, &PaneDefinition)| pane.parent == Some(parent);
        self.panes
            .iter()
            .enumerate()
            .filter(of_parent)
            .map(|(index, _)| index)
    }

    /// Says what is wrong with the definition, if anything is.
    fn check(&self) -> Result<(), String> {
        let text = |what: &str, text: &str| match text.chars().count() {
            1..=MAX_TEXT => Ok(()),
            length => Err(format!(
                "{what} has {length} characters; allowed are 1 to {MAX_TEXT}"
            )),
        };
        text("name", &self.name)?;
        if !(1..=MAX_PANES).contains(&self.panes.len()) {
            return Err(format!(
                "{} panes; allowed are 1 to {MAX_PANES}",
                self.panes.len()
            ));
        }
        let mut depths = Vec::with_capacity(self.panes.len());
        for (index, pane) in self.panes.iter().enumerate() {
            text(&format!("title of pane {index}"), &pane.title)?;
            if !(1..=MAX_LEVELS).contains(&pane.levels) {
                return Err(format!(
                    "pane {index} has {} levels; allowed are 1 to {MAX_LEVELS}",
                    pane.levels
                ));
            }
            if !SIZES.contains(&pane.width) || !SIZES.contains(&pane.height) {
                return Err(format!(
                    "pane {index} is {}x{} pixels; allowed are {} to {}",
                    pane.width,
                    pane.height,
                    SIZES.start(),
                    SIZES.end()
                ));
            }
            depths.push(match pane.parent {
                None if index == 0 => 1,
                Some(parent) if parent < index => depths[parent] + 1,
                _ => {
                    return Err(format!(
                        "pane {index} has a bad parent; the first pane has none, \
                         every other one names a pane before it"
                    ));
                }
            });
            if depths[index] > MAX_DEPTH {
                return Err(format!("pane {index} is nested deeper than {MAX_DEPTH}"));
            }
        }
        Ok(())
    }
}

/// The database of definitions.
pub(crate) struct Definitions {
    connection: Mutex<Connection>,
}

impl Definitions {
    /// Opens the database in that file, or one in memory.
    pub(crate) fn open(file: Option<&Path>) -> rusqlite::Result<Self> {
        let connection = match file {
            Some(file) => Connection::open(file)?,
            None => Connection::open_in_memory()?,
        };
        connection.execute_batch(SCHEMA)?;
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }

    /// Checks the definition and stores it under its id, in the place of an older one.
    pub(crate) fn publish(&self, definition: &Definition) -> Result<(), PublishError> {
        definition.check().map_err(PublishError::Invalid)?;
        let id = i64::try_from(definition.id)
            .map_err(|_| PublishError::Invalid("the id is larger than 2^63 - 1".to_owned()))?;
        let mut connection = self.connection.lock();
        let transaction = connection.transaction()?;
        transaction
            .prepare_cached("DELETE FROM widgets WHERE id = ?1")?
            .execute([id])?;
        let count: i64 = transaction
            .prepare_cached("SELECT COUNT(*) FROM widgets")?
            .query_row([], |row| row.get(0))?;
        if count.unsigned_abs() >= MAX_DEFINITIONS {
            return Err(PublishError::Full);
        }
        transaction
            .prepare_cached("INSERT INTO widgets (id, name) VALUES (?1, ?2)")?
            .execute(params![id, definition.name])?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO panes (widget, ordinal, parent, title, levels, width, height)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for (ordinal, pane) in definition.panes.iter().enumerate() {
            let parent = pane.parent.map(|parent| parent as i64);
            insert.execute(params![
                id,
                ordinal as i64,
                parent,
                pane.title,
                pane.levels,
                pane.width,
                pane.height
            ])?;
        }
        drop(insert);
        Ok(transaction.commit()?)
    }

    /// The definition with that id, if it was published.
    pub(crate) fn load(&self, id: u64) -> rusqlite::Result<Option<Definition>> {
        let Ok(key) = i64::try_from(id) else {
            return Ok(None);
        };
        let connection = self.connection.lock();
        let name = connection
            .prepare_cached("SELECT name FROM widgets WHERE id = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()?;
        let Some(name) = name else { return Ok(None) };
        let panes = connection
            .prepare_cached(
                "SELECT parent, title, levels, width, height FROM panes
                 WHERE widget = ?1 ORDER BY ordinal",
            )?
            .query_map([key], |row| {
                Ok(PaneDefinition {
                    parent: row.get::<_, Option<u16>>(0)?.map(usize::from),
                    title: row.get(1)?,
                    levels: row.get(2)?,
                    width: row.get(3)?,
                    height: row.get(4)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Some(Definition { id, name, panes }))
    }

    /// How large the database is, by table and in bytes.
    pub(crate) fn stats(&self) -> rusqlite::Result<BTreeMap<&'static str, i64>> {
        let connection = self.connection.lock();
        [
            ("widgets", "SELECT COUNT(*) FROM widgets"),
            ("panes", "SELECT COUNT(*) FROM panes"),
            (
                "bytes",
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            ),
        ]
        .into_iter()
        .map(|(what, query)| Ok((what, connection.query_row(query, [], |row| row.get(0))?)))
        .collect()
    }
}

/// Why a definition was not published.
#[derive(Debug)]
pub(crate) enum PublishError {
    /// The definition breaks a rule.
    Invalid(String),
    /// The database takes no more.
    Full,
    /// The database failed.
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for PublishError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(what) => write!(f, "bad definition: {what}"),
            Self::Full => write!(f, "no room for more than {MAX_DEFINITIONS} definitions"),
            Self::Database(error) => write!(f, "database: {error}"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn pane(parent: Option<usize>) -> PaneDefinition {
        PaneDefinition {
            parent,
            title: "ground state".into(),
            levels: 3,
            width: 120,
            height: 80,
        }
    }

    pub(crate) fn simple(id: u64) -> Definition {
        Definition {
            id,
            name: "simple".into(),
            panes: vec![pane(None)],
        }
    }

    /// A root with two children, the first of which has one too.
    pub(crate) fn complex(id: u64) -> Definition {
        let parents = [None, Some(0), Some(1), Some(0)];
        Definition {
            id,
            name: "complex".into(),
            panes: parents.map(pane).into(),
        }
    }

    fn refusal(change: impl FnOnce(&mut Definition)) -> String {
        let mut definition = complex(1);
        change(&mut definition);
        let definitions = Definitions::open(None).unwrap();
        let error = definitions
            .publish(&definition)
            .expect_err("must be refused")
            .to_string();
        assert_eq!(definitions.load(1).unwrap(), None);
        error
    }

    #[test]
    fn what_was_published_loads_and_publishing_again_replaces() {
        let definitions = Definitions::open(None).unwrap();
        definitions.publish(&complex(5)).unwrap();
        assert_eq!(definitions.load(5).unwrap(), Some(complex(5)));
        definitions.publish(&simple(5)).unwrap();
        assert_eq!(definitions.load(5).unwrap(), Some(simple(5)));
        let stats = definitions.stats().unwrap();
        assert_eq!((stats["widgets"], stats["panes"]), (1, 1));
    }

    #[test]
    fn unknown_ids_have_no_definition() {
        let definitions = Definitions::open(None).unwrap();
        assert_eq!(definitions.load(0).unwrap(), None);
        assert_eq!(definitions.load(u64::MAX).unwrap(), None);
    }

    #[test]
    fn definitions_outlive_the_service_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("widgets.sqlite");
        Definitions::open(Some(&file))
            .unwrap()
            .publish(&complex(2))
            .unwrap();
        assert_eq!(
            Definitions::open(Some(&file)).unwrap().load(2).unwrap(),
            Some(complex(2))
        );
    }

    #[test]
    fn broken_definitions_are_refused_with_a_reason() {
        for (change, reason) in [
            (
                (|d| d.name.clear()) as fn(&mut Definition),
                "name has 0 characters",
            ),
            (|d| d.panes.clear(), "0 panes"),
            (|d| d.panes.resize(65, pane(Some(0))), "65 panes"),
            (|d| d.panes[0].parent = Some(0), "pane 0 has a bad parent"),
            (|d| d.panes[1].parent = None, "pane 1 has a bad parent"),
            (|d| d.panes[1].parent = Some(2), "pane 1 has a bad parent"),
            (|d| d.panes[2].parent = Some(2), "pane 2 has a bad parent"),
            (
                |d| d.panes[3].title = "x".repeat(201),
                "title of pane 3 has 201 characters",
            ),
            (|d| d.panes[1].levels = 0, "pane 1 has 0 levels"),
            (|d| d.panes[1].width = 7, "pane 1 is 7x80 pixels"),
            (
                |d| d.panes.extend((3..12).map(|i| pane(Some(i)))),
                "nested deeper than 8",
            ),
        ] {
            let error = refusal(change);
            assert!(error.contains(reason), "{error} does not say {reason:?}");
        }
    }
}
