//! What was measured, as a table for people or as lines of JSON, with every bar and whether it is met.

use crate::race::OURS;
use crate::workloads::{Bar, Workload};
use serde_json::{Value, json};

/// Times of one subject in nanoseconds a call.
pub(crate) struct Row {
    pub(crate) subject: String,
    pub(crate) median: f64,
    pub(crate) p99: f64,
    pub(crate) mean: f64,
    pub(crate) ratio: Option<f64>,
    pub(crate) mean_ratio: Option<f64>,
}

/// A limit of something that is no race.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// Prints as it goes, and counts.
pub(crate) struct Report {
    json: bool,
    met: usize,
    missed: Vec<String>,
    untold: usize,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, met: 0, missed: Vec::new(), untold: 0 }
    }

    pub(crate) fn begin(&self, workload: &Workload) {
        if !self.json {
            println!("\n{}: {}", workload.name, workload.what);
        }
    }

    pub(crate) fn race(&mut self, workload: &Workload, floor: Option<&str>, rows: &[Row], absent: &[(String, String)]) {
        if !self.json {
            println!("  {:<24}{:>11}{:>11}{:>11}{:>9}{:>9}", "", "median", "p99", "mean", "ratio", "of means");
        }
        for row in rows {
            if self.json {
                measurement(workload, &row.subject, Some(row));
                continue;
            }
            let [ratio, of_means] =
                [row.ratio, row.mean_ratio].map(|ratio| ratio.map_or(String::from("-"), |ratio| format!("{ratio:.2}")));
            let mark = if floor == Some(row.subject.as_str()) { "  floor" } else { "" };
            let [median, p99, mean] = [row.median, row.p99, row.mean].map(duration);
            println!("  {:<24}{median:>11}{p99:>11}{mean:>11}{ratio:>9}{of_means:>9}{mark}", row.subject);
        }
        for (subject, reason) in absent {
            match self.json {
                true => measurement(workload, subject, None),
                false => println!("  {subject:<24}missing: {reason}"),
            }
        }
        for bar in workload.bars {
            let (what, measured, limit) = judged(bar, rows);
            self.bar(workload, &what, measured, limit, "×");
        }
    }

    /// Something else than a time, with its limit if it has one.
    pub(crate) fn figure(&mut self, workload: &Workload, what: &str, value: f64, unit: &str, limit: Option<Limit>) {
        match limit {
            Some(limit) => self.bar(workload, what, Some(value), limit, unit),
            None if self.json => {
                println!("{}", json!({"workload": workload.name, "figure": what, "value": value, "unit": unit}))
            }
            None => println!("  {what}: {} {unit}", plain(value)),
        }
    }

    /// A limit of something that perhaps could not be measured.
    pub(crate) fn bar(&mut self, workload: &Workload, what: &str, value: Option<f64>, limit: Limit, unit: &str) {
        let is_met = value.map(|value| match limit {
            Limit::AtMost(most) => value <= most,
            Limit::AtLeast(least) => value >= least,
        });
        let (sign, bound) = match limit {
            Limit::AtMost(most) => ("≤", most),
            Limit::AtLeast(least) => ("≥", least),
        };
        if self.json {
            let bar = format!("{what} {sign} {} {unit}", plain(bound));
            println!("{}", json!({"workload": workload.name, "bar": bar, "measured": value, "is_met": is_met}));
        } else {
            let value = value.map_or(String::from("nothing"), |value| format!("{} {unit}", plain(value)));
            let word = match is_met {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "cannot be told",
            };
            println!("  bar: {what} {sign} {} {unit}: {value}, {word}", plain(bound));
        }
        match is_met {
            Some(true) => self.met += 1,
            Some(false) => self.missed.push(format!("{} ({what})", workload.name)),
            None => self.untold += 1,
        }
    }

    pub(crate) fn end(&self) {
        if self.json {
            return;
        }
        println!("\n{} bars met, {} missed, {} that cannot be told", self.met, self.missed.len(), self.untold);
        self.missed.iter().for_each(|missed| println!("  missed: {missed}"));
    }
}

/// What a bar says of these rows: in words, what was measured if its subjects took part, and the limit.
fn judged(bar: &Bar, rows: &[Row]) -> (String, Option<f64>, Limit) {
    let find = |subject: &str| rows.iter().find(|row| row.subject == subject);
    let ours = find(OURS);
    match bar {
        Bar::OfFloor(most) => ("ratio to the floor".into(), ours.and_then(|ours| ours.ratio), Limit::AtMost(*most)),
        Bar::RateOfFloor(least) => {
            let rate = ours.and_then(|ours| ours.ratio).map(|ratio| 1.0 / ratio);
            ("rate of the floor".into(), rate, Limit::AtLeast(*least))
        }
        Bar::FasterThan(peer, least) => {
            let faster = ours.zip(find(peer)).map(|(ours, peer)| peer.median / ours.median);
            (format!("faster than {peer}"), faster, Limit::AtLeast(*least))
        }
    }
}

fn measurement(workload: &Workload, subject: &str, row: Option<&Row>) {
    let round = |value: f64| (value.is_finite()).then(|| Value::from((value * 1000.0).round() / 1000.0));
    let field = |value: fn(&Row) -> Option<f64>| row.and_then(value).and_then(round).unwrap_or(Value::Null);
    let line = json!({
        "workload": workload.name,
        "subject": subject,
        "median_ns": field(|row| Some(row.median)),
        "p99_ns": field(|row| Some(row.p99)),
        "ratio_to_floor": field(|row| row.ratio),
    });
    println!("{line}");
}

/// Nanoseconds as people read them.
pub(crate) fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        value if value < 1e3 => format!("{value:.0} ns"),
        value if value < 1e6 => format!("{:.2} µs", value / 1e3),
        value if value < 1e9 => format!("{:.2} ms", value / 1e6),
        value => format!("{:.2} s", value / 1e9),
    }
}

fn plain(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(subject: &str, median: f64, ratio: f64) -> Row {
        Row { subject: subject.into(), median, p99: median, mean: median, ratio: Some(ratio), mean_ratio: None }
    }

    #[test]
    fn bars_are_about_ours() {
        let rows = [row(OURS, 10.0, 2.0), row("floor", 5.0, 1.0), row("slow", 40.0, 8.0)];
        assert_eq!(judged(&Bar::OfFloor(1.3), &rows).1, Some(2.0));
        assert_eq!(judged(&Bar::RateOfFloor(0.6), &rows).1, Some(0.5));
        assert_eq!(judged(&Bar::FasterThan("slow", 3.0), &rows).1, Some(4.0));
        assert_eq!(judged(&Bar::FasterThan("absent", 3.0), &rows).1, None);
    }

    #[test]
    fn a_missed_bar_is_counted_as_missed_and_an_untold_one_as_untold() {
        static WORKLOAD: Workload = Workload {
            name: "w",
            what: "",
            bars: &[Bar::OfFloor(1.3), Bar::FasterThan("x", 2.0)],
            run: |_, _, _| Ok(()),
        };
        let mut report = Report::new(true);
        report.race(&WORKLOAD, None, &[row(OURS, 1.0, 1.4)], &[]);
        assert_eq!((report.met, report.missed.len(), report.untold), (0, 1, 1));
    }
}
