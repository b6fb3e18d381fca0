//! Numbers that stand in the file as decimal strings, since they can pass 2^53: for `serde(with)`.

/// One number.
pub(super) mod number {
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;
    use std::fmt;

    pub(in crate::snapshot) fn serialize<S: Serializer>(
        value: &u64,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.collect_str(value)
    }

    pub(in crate::snapshot) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<u64, D::Error> {
        d.deserialize_str(Decimal)
    }

    /// Takes the text where it stands: a column has a million of them.
    struct Decimal;

    impl Visitor<'_> for Decimal {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string of decimal digits")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            text.parse().map_err(|_| E::custom("not a decimal number"))
        }
    }
}

/// A column of numbers.
pub(super) mod column {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Decimal(#[serde(with = "super::number")] u64);

    pub(in crate::snapshot) fn serialize<S: Serializer>(
        values: &[u64],
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.collect_seq(values.iter().copied().map(Decimal))
    }

    pub(in crate::snapshot) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Vec<u64>, D::Error> {
        let values = Vec::<Decimal>::deserialize(d)?;
        Ok(values.into_iter().map(|Decimal(value)| value).collect())
    }
}
