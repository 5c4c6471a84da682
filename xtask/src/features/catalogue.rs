//! `rows.tsv`: the promises, grouped, one a line.

pub(crate) struct Catalogue {
    pub(crate) groups: Vec<Group>,
}

pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) rows: Vec<Row>,
}

pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) seed: String,
    pub(crate) feature: String,
    pub(crate) form: String,
}

impl Catalogue {
    /// Reads `## GROUP: title` lines and, below them, rows of four cells separated by tabs; `# ` starts a comment.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut groups: Vec<Group> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let problem = |what: &str| format!("line {}: {what}", number + 1);
            if let Some(heading) = line.strip_prefix("## ") {
                let (name, title) = heading.split_once(": ").ok_or_else(|| problem("a group is `## NAME: title`"))?;
                groups.push(Group { name: name.into(), title: title.into(), rows: Vec::new() });
            } else if !line.is_empty() && !line.starts_with('#') {
                let [id, seed, feature, form] = line.split('\t').collect::<Vec<_>>()[..] else {
                    return Err(problem("a row has four cells, separated by tabs"));
                };
                let group = groups.last_mut().ok_or_else(|| problem("a row stands before the first group"))?;
                if id.split_once('-').is_none_or(|(name, _)| name != group.name) {
                    return Err(problem(&format!("{id} stands in group {}", group.name)));
                }
                group.rows.push(Row { id: id.into(), seed: seed.into(), feature: feature.into(), form: form.into() });
            }
        }
        Ok(Self { groups })
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flat_map(|group| &group.rows).map(|row| row.id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_belong_to_the_group_above_them() {
        let catalogue =
            Catalogue::parse("# why\n## KEY: Keys\nKEY-01\tA\tone | two\t`f`\n\n## S3: S3\nS3-01\tD\tb\tc\n").unwrap();
        assert_eq!(catalogue.ids().collect::<Vec<_>>(), ["KEY-01", "S3-01"]);
        assert_eq!(catalogue.groups[0].title, "Keys");
        assert_eq!(catalogue.groups[0].rows[0].feature, "one | two");
    }

    #[test]
    fn rows_in_the_wrong_group_or_shape_are_refused_with_their_line() {
        let problem = |text: &str| Catalogue::parse(text).err();
        assert_eq!(problem("## KEY: Keys\nS3-01\tD\tb\tc"), Some("line 2: S3-01 stands in group KEY".into()));
        assert_eq!(
            problem("## KEY: Keys\nKEY-01\tD\tb"),
            Some("line 2: a row has four cells, separated by tabs".into())
        );
        assert_eq!(problem("KEY-01\tD\tb\tc"), Some("line 1: a row stands before the first group".into()));
    }
}
