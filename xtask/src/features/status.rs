//! `status.txt`: what became of each promise.

use std::collections::BTreeMap;

use super::Catalogue;

/// What became of one promise.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Kept, as these tests and rules prove.
    Done(Vec<String>),
    /// Comes with the work of this theme.
    Planned(String),
    /// Not kept, for the reasons in this decision record.
    Declined(String),
}

impl Status {
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    pub(crate) fn is_planned(&self) -> bool {
        matches!(self, Self::Planned(_))
    }

    pub(crate) fn is_declined(&self) -> bool {
        matches!(self, Self::Declined(_))
    }

    fn parse(word: &str, reason: &str) -> Result<Self, String> {
        if reason.is_empty() {
            return Err("says nothing after its status".into());
        }
        match word {
            "done" => Ok(Self::Done(reason.split_whitespace().map(str::to_owned).collect())),
            "planned" => Ok(Self::Planned(reason.into())),
            "declined" => Ok(Self::Declined(reason.into())),
            other => Err(format!("`{other}` is none of done, planned, declined")),
        }
    }
}

/// The status of every row, by id.
pub(crate) struct Statuses(BTreeMap<String, Status>);

impl Statuses {
    /// Reads lines of `id | status | reason`; `#` starts a comment.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut statuses = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let problem = |what: &str| format!("line {}: {what}", number + 1);
            let mut cells = line.splitn(3, '|').map(str::trim);
            let (Some(id), Some(word), Some(reason)) = (cells.next(), cells.next(), cells.next()) else {
                return Err(problem("a row is `id | status | reason`"));
            };
            let status = Status::parse(word, reason).map_err(|what| problem(&format!("{id}: {what}")))?;
            if statuses.insert(id.to_owned(), status).is_some() {
                return Err(problem(&format!("{id} stands here twice")));
            }
        }
        Ok(Self(statuses))
    }

    /// Every promise needs its status, and every status its promise.
    pub(crate) fn match_with(&self, catalogue: &Catalogue) -> Result<(), String> {
        if let Some(id) = catalogue.ids().find(|id| !self.0.contains_key(*id)) {
            return Err(format!("{id} is missing"));
        }
        match self.0.keys().find(|id| !catalogue.ids().any(|known| known == id.as_str())) {
            Some(id) => Err(format!("{id} is in no row of the catalogue")),
            None => Ok(()),
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Status> {
        self.0.get(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn count(&self, of: &impl Fn(&Status) -> bool) -> usize {
        self.0.values().filter(|status| of(status)).count()
    }

    /// Each proof with the id of its row.
    pub(crate) fn proofs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(id, status)| {
            let proofs = if let Status::Done(proofs) = status { proofs.as_slice() } else { &[] };
            proofs.iter().map(move |proof| (id.as_str(), proof.as_str()))
        })
    }

    /// Each decision that declines a row, with the id of the row.
    pub(crate) fn decisions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(id, status)| match status {
            Status::Declined(decision) => Some((id.as_str(), decision.as_str())),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_done_row_lists_its_proofs() {
        let statuses =
            Statuses::parse("# c\nKEY-01 | done | a::b::c  tidy:layers\nKEY-02 | planned | local cache\n").unwrap();
        assert_eq!(statuses.proofs().collect::<Vec<_>>(), [("KEY-01", "a::b::c"), ("KEY-01", "tidy:layers")]);
        assert_eq!(statuses.get("KEY-02"), Some(&Status::Planned("local cache".into())));
        assert_eq!((statuses.len(), statuses.count(&Status::is_done)), (2, 1));
    }

    #[test]
    fn what_is_not_a_row_is_refused_with_its_line() {
        let problem = |text: &str| Statuses::parse(text).err();
        assert_eq!(problem("KEY-01 | done"), Some("line 1: a row is `id | status | reason`".into()));
        assert_eq!(problem("KEY-01 | done |"), Some("line 1: KEY-01: says nothing after its status".into()));
        assert_eq!(
            problem("A-1 | shipped | x"),
            Some("line 1: A-1: `shipped` is none of done, planned, declined".into())
        );
        assert_eq!(problem("A-1 | planned | x\nA-1 | planned | x"), Some("line 2: A-1 stands here twice".into()));
    }

    #[test]
    fn rows_and_statuses_must_match_one_to_one() {
        let catalogue = Catalogue::parse("## A: a\nA-1\tP\tf\tr\nA-2\tP\tf\tr\n").unwrap();
        let matched = |text: &str| Statuses::parse(text).unwrap().match_with(&catalogue);
        assert_eq!(matched("A-1 | planned | x\nA-2 | planned | x"), Ok(()));
        assert_eq!(matched("A-1 | planned | x"), Err("A-2 is missing".into()));
        assert_eq!(
            matched("A-1 | planned | x\nA-2 | planned | x\nA-3 | planned | x"),
            Err("A-3 is in no row of the catalogue".into())
        );
    }
}
