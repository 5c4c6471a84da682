//! `docs/features.md` for readers: counts first, then one table a group.

use std::fmt::Write;

use super::catalogue::{Catalogue, Group};
use super::{Status, Statuses};

const HEAD: &str = "\
<!-- Written by `cargo xtask features` from docs/features/. Edit those files, not this one. -->
# Features

Every promise of the seed documents, one row each, and what became of it. *Done* names the tests that prove the row;
`cargo xtask test` fails when one of them did not run and pass (`tidy:` names a rule of `cargo xtask tidy`). *Planned*
names the theme of the work that brings it, *declined* the decision that explains why not.

Seeds: P plugin guide, A API reference, M cache-middleware, D development plan (with its section), R resilient-cache;
*peer* completes what the seeds leave open. The Rust form is where the row started from; names may have become better.
";

pub(crate) fn render(catalogue: &Catalogue, statuses: &Statuses) -> String {
    let mut page = String::from(HEAD);
    // Writing to a string cannot fail.
    let _ = write(&mut page, catalogue, statuses);
    page
}

fn write(page: &mut String, catalogue: &Catalogue, statuses: &Statuses) -> std::fmt::Result {
    writeln!(page, "\n| group | rows | done | planned | declined |\n|---|--:|--:|--:|--:|")?;
    for group in &catalogue.groups {
        let count = |of: fn(&Status) -> bool| {
            group.rows.iter().filter_map(|row| statuses.get(&row.id)).filter(|status| of(status)).count()
        };
        let name = format!("[{}: {}](#{})", group.name, cell(&group.title), anchor(group));
        let (done, planned, declined) = (count(Status::is_done), count(Status::is_planned), count(Status::is_declined));
        writeln!(page, "| {name} | {} | {done} | {planned} | {declined} |", group.rows.len())?;
    }
    let count = |of: fn(&Status) -> bool| statuses.count(&of);
    let (done, planned, declined) = (count(Status::is_done), count(Status::is_planned), count(Status::is_declined));
    writeln!(page, "| **all** | **{}** | **{done}** | **{planned}** | **{declined}** |", statuses.len())?;
    for group in &catalogue.groups {
        writeln!(page, "\n## {}: {}\n", group.name, group.title)?;
        writeln!(page, "| id | feature | Rust form | status | seed |\n|---|---|---|---|---|")?;
        for row in &group.rows {
            let status = statuses.get(&row.id).map(describe).unwrap_or_default();
            let (feature, form, seed) = (cell(&row.feature), cell(&row.form), cell(&row.seed));
            writeln!(page, "| {} | {feature} | {form} | {status} | {seed} |", row.id)?;
        }
    }
    Ok(())
}

fn describe(status: &Status) -> String {
    match status {
        Status::Done(proofs) => {
            let proofs: Vec<_> = proofs.iter().map(|proof| format!("`{proof}`")).collect();
            format!("**done** {}", proofs.join("<br>"))
        }
        Status::Planned(theme) => format!("planned: {}", cell(theme)),
        Status::Declined(decision) => {
            format!("declined: [{}](decisions/{decision})", decision.trim_end_matches(".md"))
        }
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The fragment a Markdown viewer gives the heading of a group.
fn anchor(group: &Group) -> String {
    let heading = format!("{}: {}", group.name, group.title).to_lowercase().replace(' ', "-");
    heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_counts_rows_and_escapes_cells() {
        let catalogue =
            Catalogue::parse("## DEC: Decorators → #[cached]\nDEC-1\tA\tx\t`|r| 1`\nDEC-2\tA\ty\tz\n").unwrap();
        let statuses = Statuses::parse("DEC-1 | done | a::b c::d\nDEC-2 | declined | 0001-no.md").unwrap();
        let page = render(&catalogue, &statuses);
        assert!(page.contains("| [DEC: Decorators → #[cached]](#dec-decorators--cached) | 2 | 1 | 0 | 1 |"), "{page}");
        assert!(page.contains("| **all** | **2** | **1** | **0** | **1** |"), "{page}");
        assert!(page.contains("| DEC-1 | x | `\\|r\\| 1` | **done** `a::b`<br>`c::d` | A |"), "{page}");
        assert!(page.contains("| DEC-2 | y | z | declined: [0001-no](decisions/0001-no.md) | A |"), "{page}");
    }
}
